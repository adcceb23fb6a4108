"""What a user's SQL says, as DuckDB's own parser reads it (`json_serialize_sql`); never guessed.

An expression of a mapping must give the same value for the same row whenever it is asked, from that
row, its look-ups and its parent alone: otherwise what was touched could not be known, and every run
would send everything again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.sql import is_name, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb

__all__ = ["Expression", "ExpressionError", "Parser"]

_CONSTANTS = frozenset({"true", "false", "null"})
_NOW = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
# Functions that DuckDB lists as consistent and that nevertheless look at the clock or the session.
_MOVING = frozenset(
    {"current_localtime", "current_localtimestamp", "current_setting", "getvariable"}
)
_ROWS = frozenset({"unnest", "unlist", "generate_subscripts"})
_TAKE_LAMBDA = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "list_", "array_")
    for name in ("apply", "filter", "reduce", "transform")
)
_DIRECTION = r"(\s+(ASC|DESC))?(\s+NULLS\s+(FIRST|LAST))?"
_ORDERED_NAME = re.compile(rf"\s*([^\W\d]\w*)({_DIRECTION})\s*", re.IGNORECASE)


class ExpressionError(ValueError):
    """The text is not an expression that a mapping can use; the message says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A user's SQL expression, or list of them to order by, and what it refers to.

    `text` can stand inside a longer statement. `references` are the columns as written, without
    lambda parameters, for instance `("email",)` or `("customer", "email")`.
    """

    text: str
    references: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class _Function:
    aggregate: bool = False
    volatile: bool = False


_FUNCTIONS: dict[str, _Function] = {}
"""By name. DuckDB takes 15 ms to list all it has; they stay the same while the process lives."""

_SERIALISED: dict[str, str] = {}
"""Statement of a mapping → its tree as JSON. A mapping is read several times in every run."""


class Parser:
    """Reads the SQL of a mapping.

    Args:
        connection: Any connection: its tables are not looked at.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._listed = False

    def expression(self, text: str) -> Expression:
        """Return one expression.

        A bare name is that column, quoted, so that a column may be called like a keyword.

        Raises:
            ExpressionError: The text is no single expression, or not one over a row.
        """
        if is_name(text) and text.lower() not in _CONSTANTS:
            return Expression(quote(text), ((text,),))
        # Read bare and in parentheses, so that it can neither end nor extend what surrounds it.
        for form in (f"SELECT ({text}\n)", f"SELECT {text}\n"):
            node = self._select(form)
        if len(node["select_list"]) != 1 or not _is_bare(node):
            msg = "is more than one expression"
            raise ExpressionError(msg)
        return self._expression(text, node["select_list"])

    def order(self, text: str) -> Expression:
        """Return a list to order by.

        Raises:
            ExpressionError: The text is no such list, or not one over a row.
        """
        named = [_ORDERED_NAME.fullmatch(part) for part in text.split(",")]
        if all(named):
            parts = [(match[1], match[2]) for match in named if match]
            return Expression(
                ", ".join(quote(name) + tail for name, tail in parts),
                tuple((name,) for name, _ in parts),
            )
        self._select(f"SELECT list(1 ORDER BY {text}\n)")
        node = self._select(f"SELECT 1 ORDER BY {text}\n")
        modifiers = node.pop("modifiers")
        if len(modifiers) != 1 or not _is_bare({**node, "modifiers": []}):
            msg = "is more than a list to order by"
            raise ExpressionError(msg)
        return self._expression(text, modifiers[0]["orders"])

    def query(self, text: str, relation: Callable[[str], str | None]) -> str:
        """Return a query with its tables' names qualified.

        Args:
            text: One SELECT statement.
            relation: Gives the qualified name of a table of the dataset, None when it has none.

        Raises:
            ExpressionError: The text is not one SELECT statement.
        """
        text = text.rstrip().removesuffix(";")
        tree = self._tree(text)
        own = {entry["key"].lower() for node in _nodes(tree) for entry in _cte_entries(node)}
        written = text.encode()  # the parser counts bytes
        spots = {
            node["query_location"]: node["table_name"]
            for node in _nodes(tree)
            if node.get("type") == "BASE_TABLE" and not node["schema_name"]
        }
        for start in sorted(spots, reverse=True):
            name = spots[start]
            qualified = None if name.lower() in own else relation(name)
            for spelling in (quote(name).encode(), name.encode()):
                if qualified and written.startswith(spelling, start):
                    rest = written[start + len(spelling) :]
                    written = written[:start] + qualified.encode() + rest
                    break
        return written.decode()

    def names(self, text: str) -> tuple[set[str], set[str]]:
        """Return the tables and the columns that a query names, without those it defines.

        Raises:
            ExpressionError: The text is not one statement.
        """
        tree = self._tree(text.rstrip().removesuffix(";"))
        nodes = list(_nodes(tree))
        own = {entry["key"].lower() for node in nodes for entry in _cte_entries(node)}
        tables = {n["table_name"] for n in nodes if n.get("type") == "BASE_TABLE"}
        columns = {n["column_names"][-1] for n in nodes if n.get("class") == "COLUMN_REF"}
        return {table for table in tables if table.lower() not in own}, columns

    def _expression(self, text: str, tree: Any) -> Expression:
        for node in _nodes(tree):
            self._refuse(node)
        references = tuple(sorted(set(_references(tree, frozenset()))))
        if any(len(names) == 1 and names[0].lower() in _NOW for names in references):
            msg = "depends on the time of the run, so that every run would send it again"
            raise ExpressionError(msg)
        return Expression(f"{text}\n" if "--" in text else text, references)

    def _refuse(self, node: dict[str, Any]) -> None:
        kind, name = node.get("class"), str(node.get("function_name", "")).lower()
        objection = {
            "SUBQUERY": "holds a sub-query; declare a look-up, or give the entity a `query`",
            "WINDOW": "looks at other rows; give the entity a `query` that does it",
            "STAR": "names all columns; write the one that is meant",
            "PARAMETER": "holds a parameter; write the value",
        }.get(str(kind))
        if kind == "FUNCTION":
            known = self._known(name)
            if known.aggregate:
                objection = f"`{name}` sums up other rows; give the entity a `query` that does it"
            elif name in _ROWS:
                objection = f"`{name}` makes several rows of one"
            elif known.volatile or (name == "age" and len(node["children"]) == 1):
                objection = (
                    f"`{name}` gives another value in every run, so that each would send it again"
                )
        if objection:
            raise ExpressionError(objection)

    def _known(self, name: str) -> _Function:
        """Return what DuckDB says of a function, nothing remarkable where it has none."""
        if name not in _FUNCTIONS and not self._listed:
            self._listed = True
            rows = self.connection.execute(
                "SELECT lower(function_name), bool_and(function_type = 'aggregate'),"
                " bool_or(stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY'))"
                " FROM duckdb_functions() GROUP BY 1"
            ).fetchall()
            for function, aggregate, volatile in rows:
                moving = bool(volatile) or function in _MOVING
                _FUNCTIONS[function] = _Function(bool(aggregate), moving)
        return _FUNCTIONS.get(name, _Function())

    def _select(self, statement: str) -> dict[str, Any]:
        statements = self._tree(statement)
        node: dict[str, Any] = statements[0]["node"]
        if len(statements) != 1 or node["type"] != "SELECT_NODE":
            msg = "is more than one expression"
            raise ExpressionError(msg)
        return node

    def _tree(self, statement: str) -> list[dict[str, Any]]:
        if statement not in _SERIALISED:
            row = self.connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchone()
            _SERIALISED[statement] = row[0] if row else '{"error": true}'
        tree: dict[str, Any] = json.loads(_SERIALISED[statement])
        if tree["error"]:
            message = str(tree.get("error_message", "cannot be parsed")).splitlines()[0]
            raise ExpressionError(message)
        statements: list[dict[str, Any]] = tree["statements"]
        if len(statements) != 1:
            msg = "is more than one statement"
            raise ExpressionError(msg)
        return statements


def _is_bare(node: dict[str, Any]) -> bool:
    """Whether a SELECT node is nothing but its list of expressions."""
    clauses = ("modifiers", "where_clause", "group_expressions", "having", "sample", "qualify")
    return node["from_table"]["type"] == "EMPTY" and not any(node[clause] for clause in clauses)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
    elif isinstance(tree, dict):
        yield tree
        for part in tree.values():
            yield from _nodes(part)


def _cte_entries(node: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (node.get("cte_map") or {}).get("map", [])
    return entries


def _references(tree: Any, parameters: frozenset[str]) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, list):
        for part in tree:
            yield from _references(part, parameters)
        return
    if not isinstance(tree, dict):
        return
    if tree.get("class") == "COLUMN_REF":
        names = tuple(tree["column_names"])
        if names[0].lower() not in parameters:
            yield names
    elif str(tree.get("function_name", "")).lower() in _TAKE_LAMBDA:
        listed, *rest = tree["children"]
        yield from _references(listed, parameters)
        for part in rest:
            yield from _lambda_references(part, parameters)
    else:
        for part in tree.values():
            yield from _references(part, parameters)


def _lambda_references(node: Any, parameters: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Yield what a lambda reads besides its own parameters.

    The parser knows JSON's arrow and a lambda as one thing; only as the later argument of a
    function that takes one is it a lambda.
    """
    if node.get("class") != "LAMBDA":
        yield from _references(node, parameters)
        return
    own = {names[0].lower() for names in _references(node["lhs"], frozenset())}
    yield from _references(node["expr"], parameters | own)
