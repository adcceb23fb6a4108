"""Which tables are read, by what their changes are found, and what shows that a row is gone."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dlt.common.normalizers.naming.snake_case import NamingConvention

from .errors import PostgresError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Engine

__all__ = [
    "CURSORS",
    "DELETED",
    "DeletionLog",
    "Plan",
    "found_tables",
    "plans",
    "reflect",
    "staged_name",
]

logger = logging.getLogger(__name__)

CURSORS = (
    *("updated_at", "modified_at", "changed_at", "last_modified_at", "last_updated_at"),
    *("updated", "modified", "last_modified", "last_updated", "updated_on", "modified_on"),
    *("date_modified", "date_updated", "modified_date", "updated_date", "write_date", "date_upd"),
)
"""Columns that by their name say when a row was last changed, where no other is chosen."""

DELETED = "_deleted"
"""The staged column by which dlt takes a row out: true for a row that is gone at the source."""

_REMOVAL_KEYS = {"column", "log", "key", "at", "where", "sweep"}


@dataclass(frozen=True)
class DeletionLog:
    """A table that the shop writes a row into for every row it deletes."""

    table: str
    key: tuple[str, ...]
    at: str
    where: str | None = None


@dataclass(frozen=True)
class Plan:
    """How one table is read.

    `name` is the staged table's, `cursor` the column that tells when a row was changed (None: the
    table is read as a whole), `deleted` the column that marks a row as deleted, `log` where
    deletions are written, `sweep` whether keys that are not there any more count as deletions.
    """

    table: sa.Table
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    cursor: str | None = None
    deleted: sa.Column[Any] | None = None
    log: DeletionLog | None = None
    sweep: bool = True


@dataclass(frozen=True)
class Choices:
    """What the settings say per table, by the table's own or its staged name."""

    cursors: Mapping[str, str] = field(default_factory=dict)
    primary_keys: Mapping[str, str] = field(default_factory=dict)
    removals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def check(self, names: Iterable[str]) -> None:
        """Refuse settings for tables that are not there.

        Raises:
            PostgresError: Names one.
        """
        known = set(names)
        for setting in ("cursors", "primary_keys", "removals"):
            for name in getattr(self, setting):
                if name not in known:
                    message = f"sources.postgres.{setting}.{name}: no such table"
                    raise PostgresError(message)


def staged_name(name: str) -> str:
    """Return what dlt calls a table or column: `OrderItems` becomes `order_items`."""
    return str(NamingConvention().normalize_identifier(name))


def found_tables(engine: Engine, schema: str) -> dict[str, str]:
    """Return staged name → own name of every table and view of a schema."""
    inspector = sa.inspect(engine)
    views = [*inspector.get_view_names(schema), *inspector.get_materialized_view_names(schema)]
    return {staged_name(name): name for name in [*inspector.get_table_names(schema), *views]}


def reflect(engine: Engine, schema: str, names: Iterable[str] | None = None) -> dict[str, sa.Table]:
    """Return staged name → table, as the database describes it; default every table and view.

    Raises:
        PostgresError: A table is not there.
    """
    found = found_tables(engine, schema)
    wanted = [staged_name(name) for name in names] if names else list(found)
    if missing := [name for name in wanted if name not in found]:
        message = f"sources.postgres.tables: schema `{schema}` has no table {', '.join(missing)}"
        raise PostgresError(message)
    metadata = sa.MetaData(schema=schema)
    metadata.reflect(engine, only=[found[name] for name in wanted], views=True, resolve_fks=False)
    return {name: metadata.tables[f"{schema}.{found[name]}"] for name in wanted}


def plans(
    tables: Mapping[str, sa.Table],
    columns: Mapping[str, Iterable[str]],
    choices: Choices,
) -> list[Plan]:
    """Return how each table is read, in the order given.

    Args:
        tables: Staged name → the reflected table.
        columns: Staged name → the columns wanted, by their staged names; default all.
        choices: What the settings say.

    Raises:
        PostgresError: A setting names a table or column that is not there, or cannot be used.
    """
    return [_plan(name, tables[name], columns.get(name), choices) for name in tables]


def _plan(name: str, table: sa.Table, wanted: Iterable[str] | None, choices: Choices) -> Plan:
    def chosen(setting: Mapping[str, Any]) -> Any:
        return setting.get(name, setting.get(table.name))

    place = f"sources.postgres.{{}}.{name}"
    written = chosen(choices.primary_keys)
    key = (
        tuple(_column(table, one, place.format("primary_keys")) for one in written.split(","))
        if written
        else tuple(column.name for column in table.primary_key)
    )
    cursor = _cursor(table, chosen(choices.cursors), place.format("cursors"))
    removal = chosen(choices.removals) or {}
    where = place.format("removals")
    if unknown := sorted(set(removal) - _REMOVAL_KEYS):
        message = f"{where}: unknown {', '.join(unknown)}; known are {', '.join(_REMOVAL_KEYS)}"
        raise PostgresError(message)
    marker = removal.get("column")
    names = {staged_name(column.name): column.name for column in table.columns}
    read = set(names.values()) if wanted is None else {names[one] for one in wanted}
    read |= {*key, *([cursor] if cursor else [])}
    if not key and (marker or "log" in removal):
        message = (
            f"{where}: `{table.name}` has no primary key; say sources.postgres.primary_keys.{name}"
        )
        raise PostgresError(message)
    return Plan(
        table=table,
        name=name,
        columns=tuple(column.name for column in table.columns if column.name in read),
        key=key,
        cursor=cursor if key else None,
        deleted=table.columns[_column(table, marker, where)] if marker else None,
        log=_log(removal, key, where),
        sweep=bool(removal.get("sweep", True)) and bool(key),
    )


def _column(table: sa.Table, name: str, place: str) -> str:
    own = {staged_name(column.name): column.name for column in table.columns}
    found = name.strip() if name.strip() in table.columns else own.get(staged_name(name))
    if found is None:
        message = f"{place}: `{table.name}` has no column `{name.strip()}`"
        raise PostgresError(message)
    return found


def _cursor(table: sa.Table, written: str | None, place: str) -> str | None:
    if written == "":
        return None
    if written is None:
        by_name = {staged_name(column.name): column for column in table.columns}
        found = [by_name[name] for name in CURSORS if name in by_name]
        cursor = next((one for one in found if isinstance(one.type, sa.DateTime)), None)
        if cursor is None:
            return None
    else:
        cursor = table.columns[_column(table, written, place)]
        if not isinstance(cursor.type, sa.DateTime):
            message = f"{place}: `{cursor.name}` is {cursor.type}; it must be a timestamp"
            raise PostgresError(message)
    name: str = cursor.name
    leading = {next(iter(index.columns.keys()), None) for index in table.indexes}
    first_of_key = next(iter(table.primary_key.columns.keys()), None)
    if name not in leading | {first_of_key}:
        logger.warning(
            "`%s.%s` has no index, so every run reads the whole table; create one: "
            'CREATE INDEX CONCURRENTLY ON "%s" ("%s")',
            *(table.name, name, table.name, name),
        )
    return name


def _log(removal: Mapping[str, Any], key: tuple[str, ...], place: str) -> DeletionLog | None:
    if "log" not in removal:
        return None
    if missing := [name for name in ("key", "at") if not removal.get(name)]:
        message = (
            f"{place}: say {' and '.join(missing)} too: the log's column with the deleted row's "
            "key, and the one with the time of the deletion"
        )
        raise PostgresError(message)
    columns = tuple(one.strip() for one in str(removal["key"]).split(","))
    if len(columns) != len(key):
        message = (
            f"{place}: the key of the table has {len(key)} columns, `key` names {len(columns)}"
        )
        raise PostgresError(message)
    return DeletionLog(str(removal["log"]), columns, str(removal["at"]), removal.get("where"))
