"""The few things the engine needs to know about SQL text.

Identifiers pass `quote`, values are bound. What a user's expression refers to is read from DuckDB's
own parser (`json_serialize_sql`), never guessed from the text.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import duckdb

__all__ = [
    "Expression",
    "ExpressionError",
    "indent",
    "is_name",
    "literal",
    "nearest",
    "parse",
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


class ExpressionError(ValueError):
    """The text is not one SQL expression; the message is DuckDB's, shortened."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A user's SQL expression and what it refers to.

    `references` are the column references as written, outside of sub-queries and without lambda
    parameters, for instance `("email",)` or `("customer", "email")`.
    """

    text: str
    references: frozenset[tuple[str, ...]]
    has_subquery: bool


def parse(connection: duckdb.DuckDBPyConnection, text: str) -> Expression:
    """Return the expression as DuckDB's parser understands it.

    A bare name is taken as that column and quoted, so a column may be called like a keyword.

    Raises:
        ExpressionError: The text is empty, does not parse, or holds more than one expression.
    """
    if is_name(text) and text.lower() not in {"true", "false", "null"}:
        return Expression(quote(text), frozenset({(text,)}), has_subquery=False)
    row = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT ({text}\n)"]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True, "error_message": "no answer"}
    if tree["error"]:
        raise ExpressionError(tree.get("error_message", "cannot be parsed").splitlines()[0])
    nodes = [statement["node"] for statement in tree["statements"]]
    if len(nodes) != 1 or len(nodes[0]["select_list"]) != 1 or "CROSS" in str(nodes[0].get("type")):
        msg = "more than one expression"
        raise ExpressionError(msg)
    root = nodes[0]["select_list"][0]
    if root["class"] == "FUNCTION" and root["function_name"] == "row":
        msg = "more than one expression"
        raise ExpressionError(msg)
    found = set(_references(root, frozenset()))
    return Expression(text, frozenset(found), has_subquery=_has_class(root, "SUBQUERY"))


def _references(node: Any, parameters: frozenset[str]) -> Iterator[tuple[str, ...]]:
    if isinstance(node, list):
        for part in node:
            yield from _references(part, parameters)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind == "SUBQUERY":
        return  # its names belong to its own FROM clause; DuckDB's binder judges them
    if kind == "COLUMN_REF":
        names = tuple(node["column_names"])
        if names[0].lower() not in parameters:
            yield names
        return
    if kind == "LAMBDA":
        bound = {name.lower() for names in _references(node["lhs"], frozenset()) for name in names}
        yield from _references(node["expr"], parameters | bound)
        return
    for value in node.values():
        yield from _references(value, parameters)


def _has_class(node: Any, kind: str) -> bool:
    if isinstance(node, list):
        return any(_has_class(part, kind) for part in node)
    if isinstance(node, dict):
        return node.get("class") == kind or any(_has_class(part, kind) for part in node.values())
    return False


@cache
def queries(package: str, file: str) -> dict[str, str]:
    """Return the named statements of a `.sql` file: each starts at a line `-- name: …`."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for part in re.split(r"^-- name: *", text, flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        found[name.strip()] = body.strip().rstrip(";")
    return found
