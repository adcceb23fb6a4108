"""The few things the engine needs to know about SQL text.

Identifiers pass `quote`, constants `literal`. Longer statements are kept in `.sql` files.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "indent",
    "is_name",
    "literal",
    "nearest",
    "queries",
    "quote",
    "relation",
]

_NAME = re.compile(r"[^\W\d]\w*")


def quote(name: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def relation(*parts: str) -> str:
    """Return a qualified name, every part quoted."""
    return ".".join(quote(part) for part in parts)


def literal(text: str) -> str:
    """Return a SQL string constant."""
    return "'" + text.replace("'", "''") + "'"


def is_name(text: str) -> bool:
    """Whether the text is one bare identifier."""
    return _NAME.fullmatch(text) is not None


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that looks most like `name`, or None when none is close."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def indent(text: str, by: int = 2) -> str:
    """Return the text with every line but the first moved right."""
    return text.replace("\n", "\n" + " " * by)


@cache
def queries(package: str, file: str) -> dict[str, str]:
    """Return the named statements of a `.sql` file: each starts at a line `-- name: …`."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for part in re.split(r"^-- name: *", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        found[name.strip()] = body.strip().rstrip(";")
    return found
