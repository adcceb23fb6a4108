"""The few things the engine needs to know about SQL text.

Identifiers pass `quote`, constants `literal`. Longer statements are kept in `.sql` files.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from replenit_destination.exceptions import MappingError, MappingFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "computed",
    "indent",
    "is_name",
    "literal",
    "nearest",
    "queries",
    "quote",
    "relation",
]

_T = TypeVar("_T")
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


def computed(place: str, action: Callable[[], _T]) -> _T:
    """Return what the action returns; a value it cannot compute is a fault of the mapping.

    Raises:
        MappingError: Names the place; DuckDB's own words would quote the value.
    """
    import duckdb

    try:
        return action()
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        column = re.search(r"when casting from source column (\w+)", str(error))
    what = f"a value of column `{column[1]}`" if column else "a value of some row"
    cause = f"{what} cannot be computed with; TRY_CAST and TRY(…) give NULL in its place"
    # Raised out here, so that no foreign error with the value in it hangs on as its context.
    raise MappingError([MappingFault(place, cause)])


@cache
def queries(package: str, file: str) -> dict[str, str]:
    """Return the named statements of a `.sql` file: each starts at a line `-- name: …`."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for part in re.split(r"^-- name: *", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        found[name.strip()] = body.strip().rstrip(";")
    return found
