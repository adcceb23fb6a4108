"""Which columns of which tables a mapping reads, and for what.

Found from the text of the mapping alone, so that it is known also when the tables do not fit it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replenit_destination.engine.expressions import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replenit_destination.engine.expressions import Parser
    from replenit_destination.engine.mapping import ChildMapping, EntityMapping, LookupMapping

__all__ = ["Reading", "readings"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One column that is read, by its written names.

    `table` is empty for what an entity's own query returns. `use` is the vendor field it fills
    (`Phone`, `items.Price`), or the key of the mapping that reads it (`customers.where`).
    """

    table: str
    column: str
    use: str


def readings(parser: Parser, mapping: EntityMapping) -> list[Reading]:
    """Return everything an entity reads, without repetition, in the order of the mapping.

    Members of JSON elements are not columns and are left out, so are dlt's own columns.
    """
    root = _Level(parser, mapping.entity, mapping, mapping.table or "", mapping.entity)
    found = list(root.read())
    found += [
        Reading(one.table, one.column, name)
        for name, rule in mapping.rules.items()
        for part in re.findall(r"'[^']*'|\w+", rule)
        if part in mapping.fields
        for one in root.of(mapping.fields[part], name)
    ]
    if mapping.query:
        found += _of_query(parser, mapping)
    child = mapping.child
    if child:
        place = f"{mapping.entity}.{child.block}"
        if child.column:
            found.append(Reading(root.table or "", child.column, f"{place}.column"))
        level = _Level(parser, child.block, child, child.table, place, parent=root)
        found += level.read()
        for joined, own in child.on.items():
            found.append(Reading(child.table or "", joined, f"{place}.on"))
            found.append(Reading(root.table or "", own, f"{place}.on"))
    return list(dict.fromkeys(found))


def _of_query(parser: Parser, mapping: EntityMapping) -> Iterator[Reading]:
    try:
        tables, columns = parser.names(mapping.query or "")
    except ExpressionError:
        return
    for table in tables:
        for column in columns:
            yield Reading(table, column, f"{mapping.entity}.query")


@dataclass
class _Level:
    """The rows of an entity, or of its children; `table` is None for elements of a column."""

    parser: Parser
    alias: str
    mapping: EntityMapping | ChildMapping
    table: str | None
    place: str
    parent: _Level | None = None
    lookups: Mapping[str, LookupMapping] = field(init=False)

    def __post_init__(self) -> None:
        self.lookups = {one.name.lower(): one for one in self.mapping.lookups}

    def read(self) -> Iterator[Reading]:
        """Yield what fields, conditions and joins read."""
        block = f"{self.alias}." if self.parent else ""
        for name, text in self.mapping.fields.items():
            yield from self.of(text, f"{block}{name}")
        for key in ("id", "where", "destroyed_when", "order"):
            written: str | None = getattr(self.mapping, key, None)
            if written:
                yield from self.of(written, f"{self.place}.{key}")
        for lookup in self.mapping.lookups:
            place = f"{self.place}.lookups.{lookup.name}"
            yield from self._joined(lookup, f"{place}.on")
            if lookup.order:
                for names in self._references(lookup.order, f"{place}.order"):
                    yield Reading(lookup.table, names[-1], f"{place}.order")

    def of(self, text: str, use: str) -> Iterator[Reading]:
        """Yield what an expression reads, with what its look-ups are joined by."""
        for head, *members in self._references(text, use):
            lookup = self.lookups.get(head.lower())
            if members and lookup:
                yield Reading(lookup.table, members[0], use)
                yield from self._joined(lookup, use)
            elif members and self.parent and head.lower() == self.parent.alias.lower():
                yield Reading(self.parent.table or "", members[0], use)
            elif self.table is not None:
                own = members[0] if members and head.lower() == self.alias.lower() else head
                yield Reading(self.table, own, use)

    def _joined(self, lookup: LookupMapping, use: str) -> Iterator[Reading]:
        for joined, own in lookup.on.items():
            yield Reading(lookup.table, joined, use)
            if self.table is not None:
                yield Reading(self.table, own, use)

    def _references(self, text: str, place: str) -> tuple[tuple[str, ...], ...]:
        read = self.parser.order if place.endswith(".order") else self.parser.expression
        try:
            return read(text).references
        except ExpressionError:
            return ()  # binding reports it
