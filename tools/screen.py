"""What a terminal shows after a program has written to it, for pictures of terminals.

It knows what rich writes: text, colours, returns, and the moves by which a live view repaints
itself. Everything else is left out.
"""

from __future__ import annotations

import re

__all__ = ["Screen"]

_PARTS = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|(\r\n|\r|\n)|([^\x1b\r\n])|\x1b")
_RESET = "\x1b[0m"


class Screen:
    """Lines of coloured cells, and where the next one goes."""

    def __init__(self) -> None:
        self._lines: list[list[tuple[str, str]]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def write(self, text: str) -> None:
        """Take in what a program wrote."""
        for found in _PARTS.finditer(text):
            number, command, line_end, character = found.groups()
            if command:
                self._obey(number, command)
            elif line_end:
                self._column = 0
                if line_end != "\r":
                    self._row += 1
                    self._grow()
            elif character:
                self._put(character)

    def text(self) -> str:
        """Return what is on the screen, without colours."""
        return "\n".join("".join(character for character, _ in line) for line in self._lines)

    def ansi(self) -> str:
        """Return what is on the screen, with its colours, without empty lines at its end."""
        shown = []
        for line in self._lines:
            style, written = "", []
            for character, wanted in line:
                if wanted != style:
                    written.append(_RESET + wanted)
                    style = wanted
                written.append(character)
            shown.append(("".join(written) + _RESET).rstrip() if written else "")
        return "\n".join(shown).rstrip()

    def _obey(self, number: str, command: str) -> None:
        if command == "m":
            codes = f"\x1b[{number}m"
            self._style = "" if number in {"", "0"} else self._style + codes
        elif command == "A":
            self._row = max(0, self._row - int(number or 1))
        elif command == "B":
            self._row += int(number or 1)
            self._grow()
        elif command == "K":
            line = self._lines[self._row]
            self._lines[self._row] = [] if number == "2" else line[: self._column]

    def _put(self, character: str) -> None:
        line = self._lines[self._row]
        line.extend([(" ", "")] * (self._column - len(line)))
        line[self._column : self._column + 1] = [(character, self._style)]
        self._column += 1

    def _grow(self) -> None:
        self._lines.extend([] for _ in range(self._row + 1 - len(self._lines)))
