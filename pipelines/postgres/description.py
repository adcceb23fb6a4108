"""A database's tables as a draft of a mapping sees them, and what they tell of their changes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import sqlalchemy as sa
from proposal import FoundColumn, FoundTable, Link, guess_roles

from .snapshot import Snapshot, connect
from .tables import CURSORS, reflect, staged_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["describe"]

_MARKS = ("deleted_at", "deleted", "is_deleted", "removed_at", "deleted_on", "destroyed_at")


def describe(credentials: str, *, schema: str = "public") -> tuple[list[FoundTable], list[str]]:
    """Return every table of a schema, and lines that say how their changes can be found.

    Raises:
        PostgresError: The database cannot be reached.
    """
    with closing(Snapshot(connect(credentials))) as snapshot:
        snapshot.open()
        tables = reflect(snapshot.engine, schema)
    by_own_name = {table.name: name for name, table in tables.items()}
    found = [_found(name, table, by_own_name) for name, table in tables.items()]
    # Of the others nothing will be read.
    return found, _notes(list(guess_roles(found).tables.values()))


def _found(name: str, table: sa.Table, names: Mapping[str, str]) -> FoundTable:
    links = []
    for foreign in table.foreign_key_constraints:
        target = foreign.elements[0].target_fullname.split(".")[-2]
        if target in names:
            own = tuple(staged_name(column.name) for column in foreign.columns)
            theirs = tuple(
                staged_name(one.target_fullname.rpartition(".")[2]) for one in foreign.elements
            )
            links.append(Link(own, names[target], theirs))
    return FoundTable(
        name,
        tuple(FoundColumn(staged_name(one.name), _kind(one.type)) for one in table.columns),
        tuple(staged_name(column.name) for column in table.primary_key),
        tuple(sorted(links, key=lambda link: link.columns)),
    )


def _kind(kind: sa.types.TypeEngine[object]) -> str:
    if isinstance(kind, sa.DateTime):
        return "time" if kind.timezone else "local time"
    kinds = {sa.Boolean: "boolean", sa.Date: "date"}
    kinds |= dict.fromkeys((sa.Numeric, sa.Float, sa.Integer), "number")
    named = next((word for one, word in kinds.items() if isinstance(kind, one)), None)
    return named or ("text" if isinstance(kind, sa.String) else "other")


def _notes(tables: Sequence[FoundTable]) -> list[str]:
    """Say what the tables' columns tell of changes and deletions, as settings to copy."""
    whole = [one.name for one in tables if not any(name in one for name in CURSORS)]
    marked = {
        one.name: mark for one in tables if (mark := next((m for m in _MARKS if m in one), None))
    }
    lines = ["How changes are found, for `.dlt/config.toml`; see docs/postgres.md.", ""]
    if whole:
        lines += [
            "No column by a usual name tells when a row of these was changed, so they are read as",
            "a whole in every run. Where another column tells, name it:",
            "    [sources.postgres.cursors]",
            *(f'    {name} = "…"' for name in whole),
            "",
        ]
    lines.append(
        "Rows that are gone are found by comparing keys, in tables with a time of change once a"
    )
    lines.append("day. Quicker is a column that marks them, or a table that lists deletions:")
    lines.append("    [sources.postgres.removals]")
    lines += [f'    {name} = {{ column = "{mark}" }}' for name, mark in marked.items()]
    lines.append('    some_table = { log = "deletions", key = "row_id", at = "deleted_at" }')
    return lines
