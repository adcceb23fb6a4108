"""Finds all that is kept of one person: the names they go by, their rows, their documents.

An id names one person; an address may be shared. So all rows of an id that has the address are the
person's, whatever other addresses these rows have, and an address that somebody else holds too
does not name the person, unless it is the one that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replenit_destination.engine.assembly import Assembly
from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.keyed_hash import keyed_hash, plain, plain_sql
from replenit_destination.engine.people import people_of
from replenit_destination.engine.purged import purged_of
from replenit_destination.engine.sql import computed, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from replenit_destination.engine.binding import BoundEntity
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.people import People
    from replenit_destination.engine.target import EntitySpec

__all__ = ["Person", "find_person"]


@dataclass
class Person:
    """What names one person, and what is theirs.

    `names` is vendor field → values in the form in which they are compared; `pairs` are the values
    that stand together in one row or entry, in the order of the fields. `keys` and `source_ids` are
    entity → those of their documents. The rows are in the temp table `doomed` (entity, row).
    """

    people: People
    names: dict[str, set[str]]
    pairs: set[tuple[str | None, ...]] = field(default_factory=set)
    keys: dict[str, set[str]] = field(default_factory=dict)
    source_ids: dict[str, set[str]] = field(default_factory=dict)

    @property
    def values(self) -> set[str]:
        """All names, whatever they are."""
        return {value for values in self.names.values() for value in values}

    @property
    def told_as(self) -> list[str]:
        """What reports call the person's documents."""
        own = self.people.spec.name
        keys = {**self.keys, own: {*self.keys.get(own, ()), *self.values}}
        return [key_hash(entity, key) for entity, values in keys.items() for key in values]


def find_person(
    work: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    specs: Iterable[EntitySpec],
    bound: Mapping[str, BoundEntity],
    given: Mapping[str, str],
) -> Person:
    """Return the person whom the given values name, by what is staged and by the ledger.

    Args:
        work: Where the temp tables `named` and `doomed` are made.
        ledger: Folded.
        specs: The target's entities.
        bound: The mapping, as far as its tables are there.
        given: Vendor field → value.
    """
    people = people_of(specs)[0]
    person = Person(people, {name: {plain(value)} for name, value in given.items()})
    work.execute("CREATE OR REPLACE TEMP TABLE doomed (entity VARCHAR, row BIGINT)")
    _read_names(work, ledger, people, bound.get(people.spec.name))
    _pick(work, person)
    _add_carriers(work, ledger, person, bound)
    return person


def _read_names(
    work: duckdb.DuckDBPyConnection, ledger: Ledger, people: People, entity: BoundEntity | None
) -> None:
    """Fill `named`: the names in every row of people and in every entry of theirs."""
    parts = []
    if entity is not None:
        root = "queried" if entity.query is not None else None
        if entity.query is not None:
            work.execute(f"CREATE OR REPLACE TEMP TABLE queried AS {entity.query}")
        parts.append(
            "SELECT _row AS row, source_id, key, names"
            f" FROM ({Assembly(entity, root=root).values(people.fields)})"
        )
    own = {people.spec.key: "key"} | (
        {entity.identity: "source_id"} if entity and entity.identity else {}
    )
    listed = ", ".join(own.get(name, "NULL") for name in people.fields)
    parts.append(
        f"SELECT NULL AS row, source_id, key, [{listed}] AS names FROM {ledger.schema}.entry"
        f" WHERE entity = {literal(people.spec.name)}"
    )
    union = "\nUNION ALL\n".join(parts)
    plainly = f"list_transform(names, lambda name: {plain_sql('name')})"
    rows = (
        "CREATE OR REPLACE TEMP TABLE named AS\n"
        f"SELECT row, source_id, key, {plainly} AS names, false AS mine FROM (\n{union}\n)"
    )
    computed(f"{people.spec.name}.fields", lambda: work.execute(rows))


def _pick(work: duckdb.DuckDBPyConnection, person: Person) -> None:
    """Mark the person's rows in `named` and take their names."""
    fields = person.people.fields
    for place, name in enumerate(fields, 1):
        work.execute(
            f"UPDATE named SET mine = true WHERE list_contains(?, names[{place}])",
            [sorted(person.names.get(name, ()))],
        )
    for place in range(1, len(fields) + 1):
        work.execute(
            f"UPDATE named SET mine = true WHERE names[{place}] IN (SELECT names[{place}]"
            f" FROM named WHERE mine AND NOT contains(names[{place}], '@'))"
        )
    for place, name in enumerate(fields, 1):
        held = f"SELECT names[{place}] FROM named WHERE NOT mine AND names[{place}] IS NOT NULL"
        rows = work.execute(
            f"SELECT DISTINCT names[{place}] FROM named WHERE mine AND names[{place}] IS NOT NULL"
            f" AND names[{place}] NOT IN ({held})"
        ).fetchall()
        person.names.setdefault(name, set()).update(row[0] for row in rows)
    spec = person.people.spec.name
    for key, source_id, names in work.execute(
        "SELECT DISTINCT key, source_id, names FROM named WHERE mine"
    ).fetchall():
        _note(person, spec, key, source_id)
        person.pairs.add(tuple(names))
    work.execute(
        "INSERT INTO doomed SELECT ?, row FROM named WHERE mine AND row IS NOT NULL", [spec]
    )


def _add_carriers(
    work: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    person: Person,
    bound: Mapping[str, BoundEntity],
) -> None:
    """Take the documents that carry one of the names, or were sent as the person's."""
    for spec, fields in person.people.carriers:
        entity = bound.get(spec.name)
        if entity is not None:
            _add_rows(work, person, entity, fields)
        sent = (
            f"SELECT key_hash FROM {ledger.schema}.delivery_log WHERE person IN"
            f" (SELECT {keyed_hash(ledger.schema, 'value')} FROM (SELECT unnest(?) AS value))"
        )
        for key, source_id in ledger.connection.execute(
            f"SELECT key, source_id FROM {ledger.schema}.entry WHERE entity = ?"
            f" AND {keyed_hash(ledger.schema, 'key')} IN ({sent} AND entity = ?)",
            [spec.name, sorted(person.values), spec.name],
        ).fetchall():
            _note(person, spec.name, key, source_id)
        ids = person.source_ids.get(person.people.spec.name, set())
        for key, source_id in purged_of(ledger, spec.name, person.values | ids):
            _note(person, spec.name, key, source_id)


def _add_rows(
    work: duckdb.DuckDBPyConnection,
    person: Person,
    entity: BoundEntity,
    fields: tuple[str, ...],
) -> None:
    root = None
    if entity.query is not None:
        root = "queried"
        work.execute(f"CREATE OR REPLACE TEMP TABLE queried AS {entity.query}")
    mine = " OR ".join(
        f"list_contains(?, {plain_sql(f'names[{place}]')})" for place in range(1, len(fields) + 1)
    )
    rows = (
        "CREATE OR REPLACE TEMP TABLE carrying AS SELECT _row AS row, key, source_id"
        f" FROM ({Assembly(entity, root=root).values(fields)}) WHERE {mine or 'false'}"
    )
    values = [sorted(person.names.get(name, ())) for name in fields]
    name = entity.spec.name
    computed(f"{name}.fields", lambda: work.execute(rows, values))
    work.execute("INSERT INTO doomed SELECT ?, row FROM carrying", [name])
    for key, source_id in work.execute("SELECT DISTINCT key, source_id FROM carrying").fetchall():
        _note(person, name, key, source_id)


def _note(person: Person, entity: str, key: str | None, source_id: str | None) -> None:
    if key is not None:
        person.keys.setdefault(entity, set()).add(key)
    if source_id is not None:
        person.source_ids.setdefault(entity, set()).add(source_id)
