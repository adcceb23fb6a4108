"""A copy of the staging database with nothing but what documents are made of.

Every row of a mapped table may be needed again: by an order whose customer changes, by a line whose
siblings come later, by what waits in the backlog, by the search for removed and doubled rows. So a
copy keeps these rows and leaves out what no mapping reads: the other columns become NULL, the other
tables empty. What was left out is written into the copy, because a mapping that comes to read it
later must not take "left out" for "empty".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.binding import Tables, bind
from replenit_destination.engine.sql import literal, quote, relation
from replenit_destination.engine.tables import LOAD_ID
from replenit_destination.exceptions import MappingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from replenit_destination.engine.binding import BoundEntity
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.target import EntitySpec

__all__ = ["left_out", "slim"]

_RECORD = "replenit_state"  # a schema of the copy
_TABLE = "columns_left_out"
_SPARED = "_dlt"  # dlt's own tables and columns, and its state among them
_VARIANT = "__v_"  # dlt's name of a column that changed its type


def slim(
    database: Path,
    copy: Path,
    *,
    dataset: str,
    mapping: Mapping[str, EntityMapping],
    specs: Iterable[EntitySpec],
) -> bool:
    """Write the copy; return false, with nothing written, when all of it is or may be needed.

    Args:
        database: The staging database, which nobody has open.
        copy: The file to write; it must not exist.
        dataset: The schema with the mapped tables; all others are copied whole.
        mapping: Entity → how its documents are made.
        specs: The target's entities.
    """
    with duckdb.connect(str(database)) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        catalog = str(row[0]) if row else ""
        tables = Tables(connection, catalog, dataset)
        if any(tables):
            connection.execute(f"USE {relation(catalog, dataset)}")
        try:
            bound = bind(connection, mapping, specs, tables)
        except MappingError:
            return False  # the run has told what is wrong
        if bound.keys() != mapping.keys() or any(one.query for one in bound.values()):
            return False
        wanted = _wanted(bound.values(), tables)
        connection.execute(f"ATTACH {literal(str(copy))} AS slimmed")
        connection.execute(f"COPY FROM DATABASE {quote(catalog)} TO slimmed (SCHEMA)")
        left = _copy(connection, catalog, dataset, wanted)
        _record(connection, catalog, dataset, left)
        connection.execute("DETACH slimmed")
    return True


def left_out(
    connection: duckdb.DuckDBPyConnection, tables: Tables, entity: BoundEntity
) -> list[str]:
    """Return the columns an entity reads that a slim copy left out of rows still there.

    Args:
        connection: Of the staging database.
        tables: Its dataset.
        entity: The bound mapping.
    """
    if not _recorded(connection, tables.catalog):
        return []
    rows = connection.execute(
        "SELECT table_name, column_name, load_id"
        f" FROM {relation(tables.catalog, _RECORD, _TABLE)} WHERE dataset = ? ORDER BY ALL",
        [tables.schema],
    ).fetchall()
    wanted = _wanted([entity], tables)
    return [
        f"{table}.{column}"
        for table, column, last in rows
        if column in wanted.get(table, ()) and _has_rows(connection, tables, entity, table, last)
    ]


def _recorded(connection: duckdb.DuckDBPyConnection, catalog: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?",
        [catalog, _RECORD],
    ).fetchall()
    return bool(found)


def _has_rows(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    entity: BoundEntity,
    table: str,
    last: float,
) -> bool:
    """Return whether a table has rows of the loads that the copy was made after."""
    nested = LOAD_ID not in tables.columns(table) and entity.child and entity.child.table == table
    dated = entity.root.table if nested and entity.root.table else table
    old = f" WHERE TRY_CAST({LOAD_ID} AS DOUBLE) <= {last}"
    where = old if LOAD_ID in tables.columns(dated) else ""
    rows = connection.execute(f"SELECT 1 FROM {tables.relation(dated)}{where} LIMIT 1").fetchall()
    return bool(rows)


def _wanted(entities: Iterable[BoundEntity], tables: Tables) -> dict[str, set[str]]:
    """Return table → the columns that the entities read."""
    wanted: dict[str, set[str]] = {}
    for entity in entities:
        for block in (entity.root, *([entity.child] if entity.child else [])):
            if block.table:
                wanted.setdefault(block.table, set()).update(block.columns)
            for lookup in block.lookups:
                needed = wanted.setdefault(lookup.table, set())
                needed.update(lookup.columns, (joined for joined, _ in lookup.on))
                if lookup.order:  # an expression over columns of its own
                    needed.update(tables.columns(lookup.table))
        if entity.root.table:
            own = {*entity.keyed.columns, *entity.parent_columns, *(own for _, own in entity.on)}
            wanted[entity.root.table] |= own | ({entity.column} if entity.column else set())
        if entity.child and entity.child.table:
            wanted[entity.child.table] |= {joined for joined, _ in entity.on}
    return wanted


def _copy(
    connection: duckdb.DuckDBPyConnection,
    catalog: str,
    dataset: str,
    wanted: Mapping[str, set[str]],
) -> list[tuple[str, str]]:
    """Fill the copy's tables; return what was left out of the dataset, as table and column."""
    listed = connection.execute(
        "SELECT schema_name, table_name, list(struct_pack(name := column_name, bare := is_nullable)"
        " ORDER BY column_index) FROM duckdb_columns() JOIN duckdb_tables()"
        " USING (database_name, schema_name, table_name) WHERE database_name = ? GROUP BY ALL",
        [catalog],
    ).fetchall()
    left: list[tuple[str, str]] = []
    for schema, table, columns in listed:
        names = [one["name"] for one in columns]
        mapped = schema == dataset and not table.startswith(_SPARED)
        gone = {
            one["name"]
            for one in columns
            if mapped and one["bare"] and not _kept(one["name"], wanted.get(table, set()))
        }
        left += [
            (table, name) for name in names if name in gone or (mapped and table not in wanted)
        ]
        if schema == _RECORD or (mapped and table not in wanted):
            continue
        values = ", ".join("NULL" if name in gone else quote(name) for name in names)
        connection.execute(
            f"INSERT INTO {relation('slimmed', schema, table)}"
            f" SELECT {values} FROM {relation(catalog, schema, table)}"
        )
    return left


def _kept(column: str, wanted: set[str]) -> bool:
    return (
        column in wanted
        or column.startswith(_SPARED)
        or column.partition(_VARIANT)[0] in wanted  # the sign of a source that changed its shape
    )


def _record(
    connection: duckdb.DuckDBPyConnection,
    catalog: str,
    dataset: str,
    left: list[tuple[str, str]],
) -> None:
    """Write what was left out, with the last load it was left out of.

    What an earlier copy left out stays on record when the mapping reads it today.
    """
    row = connection.execute(
        f"SELECT coalesce(max(TRY_CAST(load_id AS DOUBLE)), 0)"
        f" FROM {relation(catalog, dataset, '_dlt_loads')}"
    ).fetchone()
    last = float(row[0]) if row else 0.0
    old = relation(catalog, _RECORD, _TABLE)
    new = relation("slimmed", _RECORD, _TABLE)
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS slimmed.{_RECORD}")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {new}"
        " (dataset VARCHAR, table_name VARCHAR, column_name VARCHAR, load_id DOUBLE)"
    )
    for table, column in left:
        connection.execute(f"INSERT INTO {new} VALUES (?, ?, ?, ?)", [dataset, table, column, last])
    if _recorded(connection, catalog):
        connection.execute(
            f"INSERT INTO {new} FROM {old} AS earlier WHERE NOT EXISTS (FROM {new} AS now"
            " WHERE now.dataset = earlier.dataset AND now.table_name = earlier.table_name"
            " AND now.column_name = earlier.column_name)"
        )
