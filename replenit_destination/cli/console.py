"""Where a command's words go: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console as RichConsole

__all__ = ["Console"]


@dataclass(slots=True)
class Console:
    """Prints what one command has to say.

    With `json` the result is one JSON value on stdout, and `table` and `show` print nothing: a
    command prints its result both ways without asking which one is wanted. Where stdout is no
    terminal, tables are plain text without colours.
    """

    json: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    def result(self, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """Print the result for a program."""
        if self.json:
            print(json.dumps(value, indent=2, default=str), file=self.out)

    def show(self, text: str = "") -> None:
        """Print a part of the result for a person."""
        if not self.json:
            print(text, file=self.out)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = ""
    ) -> None:
        """Print rows for a person; numbers stand right."""
        if self.json:
            return
        from rich.table import Table

        filled = [list(row) for row in rows]
        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
        for place, column in enumerate(columns):
            numbers = all(isinstance(row[place], int | float) for row in filled)
            table.add_column(column, justify="right" if filled and numbers else "left")
        for row in filled:
            table.add_row(*(_shown(value) for value in row))
        self.rich().print(table)

    def rich(self) -> RichConsole:
        """Return the terminal of stdout, for what is more than text."""
        from rich.console import Console as Made

        # A pipe has no width: what is cut there is lost.
        width = None if self.out.isatty() else 200
        return Made(file=self.out, width=width, highlight=False, markup=False)

    def tell(self, text: str) -> None:
        """Say something that is not the result."""
        print(text, file=self.err)


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {None: "", True: "yes", False: "no"}[value]
    return f"{value:,}" if isinstance(value, int) else str(value)
