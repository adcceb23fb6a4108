"""Is a file written in the encoding that is said? Decoding alone does not tell.

A UTF-8 file decodes as Latin-1 without an error, and ASCII text in UTF-16 decodes as UTF-8: names
would arrive garbled and nobody would know. So the bytes are looked at first, all of them, and a
file that contradicts its encoding is refused with the name of the likely one.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from .errors import CsvError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_encoding", "likely_encoding"]

_CHUNK = 1 << 20
_HEAD = 4096
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Bytes that Windows-1252 uses for letters and quotes, and ISO 8859 for control characters.
_WINDOWS = bytes(range(0x80, 0xA0))
_NOT_IN_WINDOWS_1252 = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))


@dataclass
class _Bytes:
    """What was seen of a file's bytes."""

    head: bytes = b""
    beyond_ascii: bool = False
    windows: bool = False
    not_in_windows_1252: bool = False
    zeros: list[int] = field(default_factory=lambda: [0, 0])
    is_utf8: bool = True

    @property
    def mark(self) -> str | None:
        """The encoding that a byte order mark tells."""
        return next((name for mark, name in _MARKS.items() if self.head.startswith(mark)), None)


def check_encoding(name: str, opened: Callable[[], IO[Any]], declared: str) -> None:
    """Refuse a file that is not in the encoding it is said to be in.

    Args:
        name: What messages call the file.
        opened: Opens it for reading bytes.
        declared: As Python names it, normalised; `utf-8-sig` for UTF-8.

    Raises:
        CsvError: Names the likely encoding. It holds nothing of the file.
    """
    with opened() as file:
        seen = _look(file)
    said = declared.removesuffix("-sig")
    likely = _guess(seen)
    if _fits(said, likely, seen):
        return
    message = f"`{name}` is not {said}; it looks like {likely}: set encoding = `{likely}`"
    raise CsvError(message)


def likely_encoding(opened: Callable[[], IO[Any]]) -> str:
    """Return the encoding that a file's bytes look like; a guess, for a person to confirm."""
    with opened() as file:
        return _guess(_look(file))


def _look(file: IO[Any]) -> _Bytes:
    seen = _Bytes()
    decoder = codecs.getincrementaldecoder("utf-8")()
    while chunk := file.read(_CHUNK):
        if not seen.head:
            seen.head = chunk[:_HEAD]
            seen.zeros = [seen.head[0::2].count(0), seen.head[1::2].count(0)]
        if not chunk.isascii():
            seen.beyond_ascii = True
            seen.windows |= len(chunk) > len(chunk.translate(None, _WINDOWS))
            seen.not_in_windows_1252 |= len(chunk) > len(
                chunk.translate(None, _NOT_IN_WINDOWS_1252)
            )
        if seen.is_utf8:
            seen.is_utf8 = _goes_on(decoder, chunk)
    if seen.is_utf8:
        seen.is_utf8 = _goes_on(decoder, b"", final=True)
    return seen


def _holds(chunk: bytes, some: bytes) -> bool:
    return len(chunk) > len(chunk.translate(None, some))


def _goes_on(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _guess(seen: _Bytes) -> str:
    if seen.mark:
        return seen.mark
    first, second = seen.zeros
    if first or second:
        # Of a Latin letter in UTF-16 one of two bytes is zero: which one, tells the order.
        return "utf-16-le" if second > first else "utf-16-be"
    if seen.is_utf8:
        return "utf-8"
    if seen.not_in_windows_1252:
        return "iso-8859-15, windows-1250 or another code page; ask who wrote the file"
    return "windows-1252" if seen.windows else "iso-8859-1"


def _fits(said: str, likely: str, seen: _Bytes) -> bool:
    if said == _NORMAL.get(likely, likely):
        return True
    wide = said.startswith("utf-16"), likely.startswith("utf-16")
    if any(wide):
        # `utf-16` reads the mark; without one the order must be said.
        return all(wide) and seen.mark == "utf-16"
    if seen.mark or said == "utf-8":
        return False
    if not seen.beyond_ascii:
        return True
    if likely == "utf-8":
        return False
    # One byte per letter: any text could be in any such code page, but for what tells them apart.
    control = said.startswith("iso8859") and seen.windows
    return not control and not (said == "cp1252" and seen.not_in_windows_1252)


# How Python itself calls what people call otherwise.
_NORMAL = {"windows-1252": "cp1252", "iso-8859-1": "iso8859-1"}
