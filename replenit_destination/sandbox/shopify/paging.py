"""Connections: one page of a list, with cursors that hold the last id and the last sort value.

A cursor stays good when its own row has moved or gone, because it names a place, not a row.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from graphql import GraphQLError

__all__ = ["page_of"]

View = dict[str, Any]
Place = tuple[Any, int]
MAX_PAGE = 250
BOTH_ENDS = "providing both first and last is not supported"
NO_END = "you must provide one of first or last"


def page_of(
    rows: list[View] | None, arguments: View, *, sort: str, field: str, ordered: bool = False
) -> View:
    """Return one page of `rows` as a connection.

    Args:
        rows: Everything the connection holds; None is nothing.
        arguments: `first` or `last`, `after`, `reverse`, as asked.
        sort: The record's field that orders the rows, with the id as second key.
        field: The connection's name, for messages.
        ordered: Whether `rows` are in that order (and already reversed); else they keep their own.
    """
    rows = list(rows or [])
    reverse = bool(arguments.get("reverse"))
    if reverse and not ordered:
        rows.reverse()
    places = [(row[sort], row["id"]) if ordered else (n, n) for n, row in enumerate(rows)]
    start = 0
    if arguments.get("after"):
        start = _after(places, _read(arguments["after"]), reverse=reverse and ordered)
    picked = _pick(range(start, len(rows)), arguments, field)
    edges = [{"cursor": _cursor(places[n]), "node": rows[n]} for n in picked]
    return {
        "edges": edges,
        "nodes": [edge["node"] for edge in edges],
        "pageInfo": {
            "hasNextPage": bool(picked) and picked[-1] < len(rows) - 1,
            "hasPreviousPage": bool(picked) and picked[0] > 0,
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }


def _pick(places: range, arguments: View, field: str) -> range:
    """Return the part of the list that was asked for; the words are recorded ones."""
    first: int | None = arguments.get("first")
    last: int | None = arguments.get("last")
    if first is not None and last is not None:
        raise _bad(BOTH_ENDS)
    size = last if first is None else first
    if size is None:
        raise _bad(NO_END)
    if not 0 <= size <= MAX_PAGE:
        message = f"{field}: a page holds between 0 and {MAX_PAGE}"
        raise _bad(message)
    return places[:size] if first is not None else places[max(0, len(places) - size) :]


def _after(places: list[Place], cursor: Place, *, reverse: bool) -> int:
    for index, place in enumerate(places):
        if (place < cursor) if reverse else (place > cursor):
            return index
    return len(places)


def _cursor(place: Place) -> str:
    content = json.dumps({"last_id": place[1], "last_value": place[0]}, separators=(",", ":"))
    return base64.b64encode(content.encode()).decode()


def _read(text: str) -> Place:
    try:
        content = json.loads(base64.b64decode(text))
        return content["last_value"], content["last_id"]
    except (ValueError, KeyError, TypeError):
        message = f"Invalid cursor: {text}"
        raise _bad(message) from None


def _bad(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})
