"""Small digests of every field, by which one can count in how many documents a field changes.

The ledger keeps one byte per mapped field of each document's row, as it was last let through. Equal
values have equal bytes; different ones share a byte once in 255. Numbers that are written otherwise
(`19.9`, `19.900000000`) are equal. Computed inside DuckDB, for changed rows only; where there are
40,000 documents or more for every second, third, … one: 20,000 speak for the rest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.engine.sql import literal, queries, quote
from replenit_destination.engine.target import Kind

if TYPE_CHECKING:
    import duckdb

    from replenit_destination.engine.bound import BoundEntity
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.target import FieldSpec

__all__ = ["Changes", "Marks", "Shift", "changes"]

_NUMBERS = frozenset({Kind.DECIMAL, Kind.INTEGER})
_HEADER = 3  # bytes: two of the mapping's digest, one of the number of children
SAMPLE = 20_000
"""So many documents tell a share of 10 % to a fifth of a point (one standard deviation)."""

_WORD = 7  # bytes that are packed in one 64-bit number: the eighth could overflow a signed one


@dataclass(frozen=True, slots=True)
class Shift:
    """In how many documents of this run a field changes, in how many of them to nothing."""

    field: str
    changed: int
    emptied: int


@dataclass(frozen=True, slots=True)
class Changes:
    """In how many of some updated documents each field changes; of `unknown` ones nobody knows."""

    fields: dict[str, int]
    unknown: int


class Marks:
    """Makes, compares and keeps the marks of one entity's rows in `pending`.

    Args:
        work: The connection with the temp tables.
        ledger: The account's ledger.
        entity: Bound, so that its fields are known.
        mapping: As written: rows rendered by different mappings are not compared.
        documents: How many there are in all.
    """

    def __init__(
        self,
        work: duckdb.DuckDBPyConnection,
        ledger: Ledger,
        entity: BoundEntity,
        mapping: EntityMapping,
        documents: int,
    ) -> None:
        self._work = work
        self._table = f"{ledger.schema}.source_mark"
        self._where = f"account = {ledger.account} AND entity = {literal(entity.spec.name)}"
        self._account = ledger.account
        self._entity = entity
        spec = entity.spec
        self._roots, self._nested = _marked(entity)
        self._shape = hashlib.md5(repr(mapping).encode(), usedforsecurity=False).hexdigest()[:4]
        self.every = max(1, documents // SAMPLE)
        statement = queries("replenit_destination.engine", "drift.sql")["source_mark"]
        work.execute(statement.replace("{ledger}", ledger.schema))
        work.execute(
            "CREATE OR REPLACE TEMP TABLE marked AS\n"
            f"SELECT key_hash, sent AND NOT resend AS counts, {self._sql()} AS marks\n"
            "FROM (SELECT md5_number_lower(key) AS key_hash, sent, resend,\n"
            f"    json_transform(document, {literal(self._structure())}) AS _values\n"
            f"  FROM pending WHERE entity = {literal(spec.name)}"
            f" AND md5_number_lower(key) % {self.every} = 0)"
        )

    @property
    def names(self) -> list[str]:
        """The fields, as `Phone` or `items.Price`, in the order of their bytes."""
        return _names(self._entity)

    def shifts(self) -> list[Shift]:
        """Return, for every field, in how many documents that the vendor has it changes.

        The counts are estimates where `every` is more than 1. Not counted are documents that only a
        mapping changes, and those last seen through another mapping. A child's field is compared
        only where the number of children is the same.
        """
        counted = []
        for place in range(len(self._roots) + len(self._nested)):
            at = 2 * (_HEADER + place) + 1
            before, now = f"substr(old, {at}, 2)", f"substr(new, {at}, 2)"
            same = "" if place < len(self._roots) else "substr(old, 5, 2) = substr(new, 5, 2) AND "
            counted += [
                f"count(*) FILTER (WHERE {same}{before} <> {now})",
                f"count(*) FILTER (WHERE {same}{before} <> {now} AND {now} = '00')",
            ]
        row = self._work.execute(
            f"SELECT {', '.join(counted)} FROM ({self._compared()})"
        ).fetchone()
        numbers = [int(number) * self.every for number in row or ()]
        return [
            Shift(name, *numbers[2 * place : 2 * place + 2])
            for place, name in enumerate(self.names)
        ]

    def _compared(self) -> str:
        """Return SQL for `old` and `new` marks of every document that counts."""
        return (
            "SELECT hex(kept.marks) AS old, hex(marked.marks) AS new\n"
            f"FROM marked JOIN (SELECT * FROM {self._table} WHERE {self._where}) AS kept\n"
            "  ON kept.key_hash = marked.key_hash\nWHERE marked.counts AND old[:4] = new[:4]"
        )

    def let_through(self) -> None:
        """Keep the marks of every row of `pending`, and forget those of `gone`."""
        name = literal(self._entity.spec.name)
        self._work.execute("BEGIN")
        self._work.execute(
            f"DELETE FROM {self._table} WHERE {self._where} AND key_hash IN (\n"
            "  SELECT key_hash FROM marked UNION ALL\n"
            f"  SELECT md5_number_lower(key) FROM gone WHERE entity = {name})"
        )
        self._work.execute(
            f"INSERT INTO {self._table} SELECT {self._account}, {name}, key_hash, marks FROM marked"
        )
        self._work.execute("COMMIT")

    def _structure(self) -> str:
        shape: dict[str, object] = {one.name: "VARCHAR" for one in self._roots}
        child = self._entity.spec.child
        if child and self._nested:
            shape[child.property] = [{one.name: "VARCHAR" for one in self._nested}]
        return json.dumps(shape)

    def _sql(self) -> str:
        """Return SQL for a row's marks, from its `_values`."""
        child, children = self._entity.spec.child, "0"
        values = [_plain(one, f"_values.{quote(one.name)}") for one in self._roots]
        if child and self._nested:
            listed = f"_values.{quote(child.property)}"
            children = f"coalesce(len({listed}), 0)"
            for one in self._nested:
                each = _plain(one, f"child.{quote(one.name)}")
                texts = f"list_transform({listed}, lambda child: {each})"
                values.append(f"nullif(array_to_string({texts}, chr(31)), '')")
        bytes_ = [f"coalesce(md5_number_lower({value}) % 255 + 1, 0)" for value in values]
        words = [f"{literal(self._shape)}", _hex([f"{children} % 256"])]
        words += [_hex(bytes_[i : i + _WORD]) for i in range(0, len(bytes_), _WORD)]
        return f"unhex(concat({', '.join(words)}))"


def changes(
    work: duckdb.DuckDBPyConnection,
    entity: BoundEntity,
    account: int,
    *,
    keys: str,
    before: str,
    after: str,
) -> Changes:
    """Count the changes between two tables of marks.

    A field of children is compared where their number is the same; where it is not, the block's
    name counts (`items`). Not known are documents without marks in both tables, those last seen
    through another mapping, and those whose fields are all the same.

    Args:
        work: A connection that sees the tables.
        entity: Bound, so that its fields are known.
        account: The account's number in the ledger.
        keys: SQL for the keys of the documents.
        before: The table with the marks as they were.
        after: The table with the marks as they are.
    """
    roots, nested = _marked(entity)
    same_number = "substr(old, 5, 2) = substr(new, 5, 2)"
    differs = []
    for place in range(len(roots) + len(nested)):
        at = 2 * (_HEADER + place) + 1
        differ = f"substr(old, {at}, 2) <> substr(new, {at}, 2)"
        differs.append(differ if place < len(roots) else f"{same_number} AND {differ}")
    names = _names(entity)
    if nested and entity.spec.child:
        names.append(entity.spec.child.block)
        differs.append(f"NOT ({same_number})")
    where = f"account = {account} AND entity = {literal(entity.spec.name)}"
    sides = [
        f"SELECT key_hash, hex(marks) AS marks FROM {table} WHERE {where}"
        for table in (before, after)
    ]
    row = work.execute(
        "WITH asked AS (\n"
        "  SELECT before.marks AS old, after.marks AS new,\n"
        "    coalesce(old <> new AND old[:4] = new[:4], false) AS told\n"
        f"  FROM (SELECT DISTINCT md5_number_lower(key) AS key_hash FROM ({keys})) AS key\n"
        f"  LEFT JOIN ({sides[0]}) AS before USING (key_hash)\n"
        f"  LEFT JOIN ({sides[1]}) AS after USING (key_hash)\n)\n"
        "SELECT count(*) FILTER (WHERE NOT told), "
        + ", ".join(f"count(*) FILTER (WHERE told AND {differ})" for differ in differs)
        + " FROM asked"
    ).fetchone()
    unknown, *counts = [int(number) for number in row or ()]
    return Changes({name: n for name, n in zip(names, counts, strict=True) if n}, unknown)


def _marked(entity: BoundEntity) -> tuple[list[FieldSpec], list[FieldSpec]]:
    """Return the fields of roots and of children that have a byte, in the order of the bytes."""
    spec, child = entity.spec, entity.spec.child
    roots = {name for name, _ in entity.root.fields}
    nested = {name for name, _ in entity.child.fields} if entity.child else set()
    return (
        [one for one in spec.fields if one.name in roots],
        [one for one in child.fields if one.name in nested] if child else [],
    )


def _names(entity: BoundEntity) -> list[str]:
    roots, nested = _marked(entity)
    block = entity.spec.child.block if entity.spec.child else ""
    return [one.name for one in roots] + [f"{block}.{one.name}" for one in nested]


def _plain(spec: FieldSpec, value: str) -> str:
    """Return SQL for the one spelling of a value."""
    if spec.kind not in _NUMBERS:
        return value
    return f"CASE WHEN contains({value}, '.') THEN rtrim(rtrim({value}, '0'), '.') ELSE {value} END"


def _hex(numbers: list[str]) -> str:
    """Return SQL for the bytes, each a number below 256, as hexadecimal digits."""
    count = len(numbers)
    packed = " + ".join(
        f"{number} * {256 ** (count - 1 - place)}" for place, number in enumerate(numbers)
    )
    return f"lpad(to_hex(CAST({packed} AS UBIGINT)), {2 * count}, '0')"
