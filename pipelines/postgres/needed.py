"""Which tables and columns a mapping needs, so that no other column leaves the database.

The mapping is bound to empty tables that look like the shop's: whatever it names and is not there
is said before anything is read.
"""

from __future__ import annotations

import difflib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from dlt.sources.sql_database.schema_types import table_to_columns
from sqlglot import expressions as exp

import replenit_destination.targets.replenit as replenit_target
from replenit_destination.engine.binding import Tables, bind
from replenit_destination.exceptions import MappingError, MappingFault

from .reading import as_text
from .snapshot import Snapshot, connect
from .tables import found_tables, reflect, staged_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import sqlalchemy as sa

    from replenit_destination.engine.bound import Block, BoundEntity
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.mapping import Mapping as WrittenMapping
    from replenit_destination.engine.target import Target

__all__ = ["needed_by"]

_PRESETS = Path(replenit_target.__file__).with_name("presets")
_SCHEMA = "shop"
_TYPES = {
    "bigint": "BIGINT",
    "binary": "BLOB",
    "bool": "BOOLEAN",
    "date": "DATE",
    "double": "DOUBLE",
    "text": "VARCHAR",
    "time": "TIME",
}


def needed_by(
    mapping: WrittenMapping,
    target: Target,
    credentials: str,
    *,
    schema: str = "public",
    entities: Collection[str] | None = None,
) -> dict[str, list[str]]:
    """Return table → the columns that a mapping uses, all by their staged names.

    Args:
        mapping: As written.
        target: What it is for.
        credentials: The database's address.
        schema: Where its tables are.
        entities: Only these; default all that are mapped.

    Raises:
        MappingError: Lists every fault of form, else every table, else every column that is not
            there and every type that cannot fit.
        PostgresError: The database cannot be reached.
    """
    written = mapping.entities(target.entities, presets=_PRESETS)
    wanted = {name: one for name, one in written.items() if not entities or name in entities}
    with closing(Snapshot(connect(credentials))) as snapshot:
        snapshot.open()
        _check_tables(wanted, found_tables(snapshot.engine, schema), schema, mapping.name)
        named = sorted(set().union(*map(_tables_of, wanted.values())))
        tables = reflect(snapshot.engine, schema, named)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE SCHEMA {_SCHEMA}")
        connection.execute(f"USE {_SCHEMA}")
        for name, table in tables.items():
            connection.execute(_empty(name, table))
        shown = Tables(connection, "memory", _SCHEMA)
        bound = bind(connection, wanted, target.entities, shown, source=mapping.name)
    needed: dict[str, set[str]] = {name: set() for name in tables}
    for entity in bound.values():
        for name, columns in _read(entity, tables):
            needed[name] |= set(columns)
    return {name: sorted(columns) for name, columns in needed.items() if columns}


def _check_tables(
    entities: Mapping[str, EntityMapping], found: Collection[str], schema: str, source: str
) -> None:
    faults = []
    for name, one in entities.items():
        for table in sorted(_tables_of(one) - set(found)):
            near = difflib.get_close_matches(table, found, n=1)
            cause = f"no table `{table}` in schema `{schema}` of the database"
            faults.append(MappingFault(name, cause, near[0] if near else None))
    if faults:
        raise MappingError(faults, source=source)


def _tables_of(mapping: EntityMapping) -> set[str]:
    child = mapping.child
    named = {mapping.table, *(lookup.table for lookup in mapping.lookups)}
    if child:
        named |= {child.table, *(lookup.table for lookup in child.lookups)}
    if mapping.query:
        named |= set(_queried(mapping.query))
    return {staged_name(name) for name in named if name}


def _queried(query: str) -> dict[str, bool]:
    """Return the tables that a query reads; a `WITH` gives names of its own."""
    tree = sqlglot.parse_one(query, dialect="duckdb")
    own = {one.alias_or_name for one in tree.find_all(exp.CTE)}
    return {table.name: True for table in tree.find_all(exp.Table) if table.name not in own}


def _empty(name: str, table: sa.Table) -> str:
    listed = ", ".join(
        f'"{staged_name(column)}" {_duckdb_type(hints)}'
        for column, hints in table_to_columns(table, "full", as_text).items()
    )
    return f'CREATE TABLE "{name}" ({listed})'


def _duckdb_type(hints: Any) -> str:
    kind = hints.get("data_type", "text")
    if kind == "decimal":
        return f"DECIMAL({hints.get('precision', 38)}, {hints.get('scale', 9)})"
    if kind == "timestamp":
        return "TIMESTAMPTZ" if hints.get("timezone") else "TIMESTAMP"
    return _TYPES[kind]


def _read(
    entity: BoundEntity, tables: Mapping[str, sa.Table]
) -> Iterable[tuple[str, Iterable[str]]]:
    """Yield table and columns for everything an entity reads."""
    blocks: list[Block] = [entity.root, entity.keyed, *([entity.child] if entity.child else [])]
    for block in blocks:
        if block.table:
            yield block.table, block.columns
        for lookup in block.lookups:
            yield lookup.table, [*lookup.columns, *(joined for joined, _ in lookup.on)]
            if lookup.order:
                yield lookup.table, _mentioned(lookup.order, tables[lookup.table])
    if entity.child and entity.child.table:
        yield entity.child.table, [column for column, _ in entity.on]
    if entity.query:
        for name in _queried(entity.query):
            table = tables[staged_name(name)]
            yield staged_name(name), _mentioned(entity.query, table)


def _mentioned(sql: str, table: sa.Table) -> list[str]:
    """Return the table's columns that a text of SQL names; all of them where it says `*`."""
    own = [staged_name(column.name) for column in table.columns]
    tree = sqlglot.parse_one(sql if "select" in sql.lower() else f"SELECT 1 ORDER BY {sql}")
    if any(isinstance(star.parent, (exp.Select, exp.Column)) for star in tree.find_all(exp.Star)):
        return own
    named = {node.name.lower() for node in tree.find_all(exp.Identifier)}
    return [column for column in own if column.lower() in named]
