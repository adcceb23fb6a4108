"""Deletes what is kept of one person: staged rows, and everything that the ledger has.

A row of the mapping goes with its nested rows, with its rows in a child table of its own, and with
the rows of look-ups that are joined by what identifies it. What is left is searched for the
person's addresses, and the cells that hold one are emptied, in whatever table they are.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.sql import literal, quote
from replenit_destination.engine.tables import PARENT_ID, ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from replenit_destination.engine.binding import BoundEntity, Tables
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.person import Person

__all__ = ["NESTED_ID", "StagedRows", "purge_ledger", "purge_staged"]

NESTED_ID = (("_dlt_parent_id", "_dlt_id"),)
"""How dlt joins nested rows to theirs."""
_REPLACED = "forgotten"
_TEXTUAL = re.compile(r"VARCHAR|JSON|BLOB|\[\]|STRUCT|MAP")


class StagedRows:
    """The staged tables while rows are deleted from them; `counts` is table → rows."""

    def __init__(self, work: duckdb.DuckDBPyConnection, tables: Tables) -> None:
        self.work = work
        self.tables = tables
        self.counts: Counter[str] = Counter()
        self._nested = [
            (table, _parent_of(table, tables))
            for table in tables
            if PARENT_ID in tables.columns(table)
        ]
        # `upsert` makes ids of the primary key alone: rows of two tables may have the same.
        work.execute('CREATE OR REPLACE TEMP TABLE gone_rows ("table" VARCHAR, id VARCHAR)')

    def delete(self, table: str, condition: str) -> None:
        """Delete rows, remembering dlt's ids of them."""
        relation = self.tables.relation(table)
        if ROW_ID in self.tables.columns(table):
            self.work.execute(
                f"INSERT INTO gone_rows SELECT {literal(table)}, {ROW_ID}"
                f" FROM {relation} WHERE {condition}"
            )
        row = self.work.execute(f"DELETE FROM {relation} WHERE {condition}").fetchone()
        self.counts[table] += int(row[0]) if row else 0

    def delete_nested(self) -> None:
        """Delete the rows nested in deleted ones, level by level."""
        before = -1
        while before != sum(self.counts.values()):
            before = sum(self.counts.values())
            for table, parent in self._nested:
                gone = f'SELECT id FROM gone_rows WHERE "table" = {literal(parent)}'
                self.delete(table, f"{PARENT_ID} IN ({gone})")


def _parent_of(nested: str, tables: Tables) -> str:
    """Return the table that dlt nested another in, which its name says in any naming of dlt's."""
    parents = (one for one in tables if nested.startswith((f"{one}__", f"{one}▶")))
    return max(parents, key=len, default="")


def purge_staged(
    work: duckdb.DuckDBPyConnection,
    tables: Tables,
    staging: Tables | None,
    mapping: Mapping[str, EntityMapping],
    bound: Mapping[str, BoundEntity],
    person: Person,
) -> tuple[dict[str, int], dict[str, int]]:
    """Delete a person's staged rows in one transaction; return table → rows, and → emptied cells.

    Args:
        work: The connection with `doomed`.
        tables: The dataset.
        staging: dlt's staging dataset; it is emptied, because dlt fills it anew with each load.
        mapping: As written.
        bound: As bound.
        person: Whose rows.
    """
    work.execute("BEGIN")
    try:
        staged = StagedRows(work, tables)
        for name, entity in bound.items():
            if entity.query is None and entity.root.table:
                _delete_entity(staged, entity, mapping[name])
        staged.delete_nested()
        emptied = _empty_cells(work, tables, [one for one in person.values if "@" in one])
        for table in staging or ():
            if staging and not table.startswith("_dlt_"):
                row = work.execute(f"DELETE FROM {staging.relation(table)}").fetchone()
                staged.counts[f"{staging.schema}.{table}"] += int(row[0]) if row else 0
    except BaseException:
        work.execute("ROLLBACK")
        raise
    work.execute("COMMIT")
    return {table: count for table, count in staged.counts.items() if count}, emptied


def _delete_entity(staged: StagedRows, entity: BoundEntity, mapping: EntityMapping) -> None:
    table = entity.root.table or ""
    doomed = f"rowid IN (SELECT row FROM doomed WHERE entity = {literal(entity.spec.name)})"
    relation = staged.tables.relation(table)
    child = entity.child
    if child and child.table and child.relation and entity.on and entity.on != NESTED_ID:
        joined = ", ".join(quote(name) for name, _ in entity.on)
        own = ", ".join(quote(name) for _, name in entity.on)
        staged.delete(child.table, f"({joined}) IN (SELECT ({own}) FROM {relation} WHERE {doomed})")
    identifying = _identifying(entity, mapping)
    for lookup in mapping.lookups:
        found = staged.tables.find(lookup.table)
        if found and lookup.on and all(own.lower() in identifying for own in lookup.on.values()):
            joined = ", ".join(quote(name) for name in lookup.on)
            own = ", ".join(quote(name) for name in lookup.on.values())
            rows = f"SELECT ({own}) FROM {relation} WHERE {doomed}"
            staged.delete(found, f"({joined}) IN ({rows})")
    staged.delete(table, doomed)


def _identifying(entity: BoundEntity, mapping: EntityMapping) -> set[str]:
    """Return the columns that by themselves are a row's id, key or other identifier.

    Joined by one of them, a look-up's rows are the person's; a country's or a product's are not.
    """
    names = (entity.spec.key, *entity.spec.identity, *entity.spec.link)
    written = [mapping.id, *(mapping.fields.get(name) for name in names)]
    return {text.strip().strip('"').lower() for text in written if text}


def _empty_cells(
    work: duckdb.DuckDBPyConnection, tables: Tables, addresses: Iterable[str]
) -> dict[str, int]:
    """Empty every cell that holds one of the addresses, alone or in a longer text."""
    words = [re.sub(r"(\W)", r"\\\1", address) for address in addresses]
    if not words:
        return {}
    # Part of a longer address it is another one: bad@example.com in notbad@example.com.
    pattern = literal(rf"(^|[^\w.%+-])({'|'.join(words)})($|[^\w.-]|\.($|[^\w-]))")
    found: Counter[str] = Counter()
    for table in tables:
        for column, kind in tables.columns(table).items():
            if not _TEXTUAL.search(kind) or column.startswith("_dlt_"):
                continue
            relation, name = tables.relation(table), quote(column)
            holds = f"regexp_matches(CAST({name} AS VARCHAR), {pattern}, 'i')"
            count = work.execute(f"SELECT count(*) FROM {relation} WHERE {holds}").fetchone()
            if count and count[0]:
                nothing = "NULL" if _nullable(work, tables, table, column) else literal(_REPLACED)
                work.execute(f"UPDATE {relation} SET {name} = {nothing} WHERE {holds}")
                found[f"{table}.{column}"] += int(count[0])
    return dict(found)


def _nullable(work: duckdb.DuckDBPyConnection, tables: Tables, table: str, column: str) -> bool:
    row = work.execute(
        "SELECT is_nullable FROM duckdb_columns() WHERE database_name = ? AND schema_name = ?"
        " AND table_name = ? AND column_name = ?",
        [tables.catalog, tables.schema, table, column],
    ).fetchone()
    return bool(row and row[0])


def purge_ledger(ledger: Ledger, person: Person) -> dict[str, int]:
    """Delete what a folded ledger has of a person, at every account; return table → rows.

    Tombstones, erasures and the delivery log stay: they name nobody. Reports lose the samples that
    name one of the documents.
    """
    connection, schema = ledger.connection, ledger.schema
    counts: Counter[str] = Counter()

    def delete(table: str, condition: str, *values: object) -> None:
        row = connection.execute(
            f"DELETE FROM {schema}.{table} WHERE {condition}", list(values)
        ).fetchone()
        counts[table] += int(row[0]) if row else 0

    connection.execute("BEGIN")
    try:
        tables = {
            row[0]
            for row in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = ?",
                [ledger.file.name],
            ).fetchall()
        }
        for entity, keys, ids in _of_person(person):
            delete(
                "entry",
                "entity = ? AND (list_contains(?, key) OR list_contains(?, source_id))",
                entity,
                keys,
                ids,
            )
            delete("evidence", "entity = ? AND list_contains(?, source_id)", entity, ids)
            if "suspect" in tables:
                delete("suspect", "entity = ? AND list_contains(?, key)", entity, keys)
            if "source_mark" in tables:
                delete(
                    "source_mark",
                    "entity = ? AND key_hash IN"
                    " (SELECT md5_number_lower(key) FROM (SELECT unnest(?) AS key))",
                    entity,
                    keys,
                )
            for key in keys:
                connection.execute(
                    f"UPDATE {schema}.run SET report = replace(report, $1, $2)"
                    " WHERE contains(report, $1)",
                    [key_hash(entity, key), _REPLACED],
                )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    ledger.file.purged = True
    return {table: count for table, count in counts.items() if count}


def _of_person(person: Person) -> Iterable[tuple[str, list[str], list[str]]]:
    """Yield entity, keys and source ids; other accounts may key people by another name."""
    people = person.people.spec.name
    for entity in {people, *person.keys, *person.source_ids}:
        keys = set(person.keys.get(entity, ()))
        ids = set(person.source_ids.get(entity, ()))
        if entity == people:
            keys |= person.values
            ids |= person.values
        keys |= {f"~{one}" for one in ids}  # entries of rows without a key
        yield entity, sorted(keys), sorted(ids)
