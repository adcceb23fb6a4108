"""What the names in a block's expressions can mean.

A scope is one level of a mapping, the roots of an entity or their children. It finds what a name
refers to, remembers what was used, so that nothing else is read, and reports what is not there: a
fault, or, where an optional part may name what dlt has not created yet, a notice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replenit_destination.engine.bound import Block, Lookup, Notice
from replenit_destination.engine.expressions import ExpressionError
from replenit_destination.engine.sql import indent, nearest, quote
from replenit_destination.engine.tables import LOAD_ID
from replenit_destination.exceptions import MappingFault

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as MappingOf

    from replenit_destination.engine.expressions import Expression, Parser
    from replenit_destination.engine.tables import Tables

__all__ = ["ITEM", "Findings", "LookupScope", "Scope"]

ITEM = "item"
"""The name of the whole element, for children in a JSON or LIST column."""

_OURS = frozenset({"_row", "_position", "_child", "_children", "_child_rows"})


@dataclass
class Findings:
    """What is wrong with a mapping, and what it names that is not there yet."""

    faults: list[MappingFault] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def fault(self, place: str, cause: str, near: str | None = None) -> None:
        """Note a fault."""
        self.faults.append(MappingFault(place, cause, near))

    def notice(self, place: str, text: str) -> None:
        """Note something that counts as empty."""
        self.notices.append(Notice(place, text))


@dataclass
class LookupScope:
    """A look-up's columns, and which of them were used."""

    name: str
    table: str
    columns: MappingOf[str, str]
    on: tuple[tuple[str, str], ...]
    order: str | None = None
    used: dict[str, None] = field(default_factory=dict)
    absent: dict[str, None] = field(default_factory=dict)

    def bound(self, tables: Tables) -> Lookup:
        """Return the look-up as far as it was used."""
        return Lookup(
            name=self.name,
            table=self.table,
            relation=tables.relation(self.table) if self.columns else None,
            on=self.on,
            columns=tuple(self.used),
            absent=tuple(self.absent),
            order=self.order,
        )

    def members(self) -> list[tuple[str, str]]:
        """Return used column → SQL of its type's NULL."""
        found = [(name, f"NULL::{self.columns[name]}") for name in self.used]
        return found + [(name, "NULL") for name in self.absent]


@dataclass
class Scope:
    """One level of a mapping.

    `columns` is empty where the table is not there yet. `open_ended` means members of a JSON
    element, of which any name may be one. `unsettled` are the expressions that name something that
    is not there yet.
    """

    place: str
    alias: str
    table: str | None
    columns: MappingOf[str, str]
    findings: Findings
    open_ended: bool = False
    parent: Scope | None = None
    lookups: dict[str, LookupScope] = field(default_factory=dict)
    used: dict[str, None] = field(default_factory=dict)
    absent: dict[str, None] = field(default_factory=dict)
    of_parent: dict[str, None] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)

    def column(self, name: str) -> str | None:
        """Return the column's real spelling; SQL names are case-insensitive."""
        return _real(name, self.columns)

    def lookup(self, name: str) -> LookupScope | None:
        """Return the declared look-up of this name."""
        return self.lookups.get(name.lower())

    @property
    def named(self) -> str:
        """How messages call the rows."""
        return f"`{self.table}`" if self.table else f"the rows of `{self.place}`"

    def resolve(self, place: str, expression: Expression, *, required: bool) -> str:
        """Find what the expression refers to and return its SQL.

        Args:
            place: The expression's place in the mapping.
            expression: As parsed.
            required: Whether a column that is not there is a fault.
        """
        there = [self._refer(place, one, required=required) for one in expression.references]
        if not all(there):
            self.unsettled.add(expression.text)
        if not self.columns:
            return "NULL"  # the table is not there yet; there are no rows to compute it for
        return expression.text

    def sql(self, parser: Parser, place: str, text: str, *, required: bool) -> str | None:
        """Return the SQL of an expression as written; a list where the place is an order."""
        read = parser.order if place.endswith(".order") else parser.expression
        try:
            expression = read(text)
        except ExpressionError as error:
            self.findings.fault(place, str(error))
            return None
        return self.resolve(place, expression, required=required)

    def use(self, place: str, name: str, *, required: bool) -> str | None:
        """Note that a column is read; return its real name, None when it counts as NULL."""
        column = self.column(name)
        if name.lower() in _OURS:
            self.findings.fault(place, f"`{name}` is a name of ours; rename the column in a query")
        elif column is not None:
            self.used[column] = None
        elif self.open_ended:
            other = _real(name, self.used)
            if other and other != name:
                cause = f"`{name}` and `{other}` differ only in case; write item ->> '$.{name}'"
                self.findings.fault(place, cause)
            self.used[name] = None
            return name
        else:
            if _real(name, self.absent) is None:
                self.absent[name] = None
            self._missing(place, name, self.columns, self.named, required=required)
        return column

    def block(
        self,
        tables: Tables,
        fields: tuple[tuple[str, str], ...] = (),
        options: MappingOf[str, str | None] | None = None,
        *,
        ranks: bool = False,
    ) -> Block:
        """Return the block as far as its names were used by now."""
        exists = self.table is not None and bool(self.columns)
        options = options or {}
        return Block(
            alias=self.alias,
            relation=tables.relation(self.table) if exists and self.table else None,
            columns=tuple(self.used),
            absent=tuple(self.absent),
            lookups=tuple(one.bound(tables) for one in self.lookups.values()),
            fields=fields,
            id=options.get("id"),
            where=options.get("where"),
            order=options.get("order"),
            ranks=ranks,
            table=self.table,
            has_load_ids=LOAD_ID in self.columns,
        )

    def sample(self) -> str:
        """Return a FROM item with these columns, for asking the types of expressions."""
        if self.open_ended:
            listed = ["NULL::JSON AS item"]
            listed += [f"NULL::VARCHAR AS {quote(name)}" for name in self.used if name != ITEM]
        else:
            listed = [f"NULL::{kind} AS {quote(name)}" for name, kind in self.columns.items()]
            listed += [f"NULL AS {quote(name)}" for name in self.absent]
        for one in self.lookups.values():
            listed += _struct(one.name, one.members())
        if self.parent:
            columns = self.parent.columns
            members = [
                (name, f"NULL::{columns[name]}" if name in columns else "NULL")
                for name in self.of_parent
            ]
            listed += _struct(self.parent.alias, members)
        inner = "SELECT " + ", ".join(listed or ["NULL AS nothing"])
        return f"({indent(inner)}) AS {quote(self.alias)}"

    def _refer(self, place: str, names: tuple[str, ...], *, required: bool) -> bool:
        """Note what the names refer to; return whether it is there."""
        head, *members = names
        lookup = self.lookup(head)
        if not members and lookup is None:
            return self.use(place, head, required=required) is not None
        if not members:
            self.findings.fault(place, f"`{head}` is a look-up; name one of its columns")
            return False
        if head.lower() == self.alias.lower():
            return self.use(place, members[0], required=required) is not None
        if lookup is not None:
            return self._use_lookup(place, lookup, members[0], required=required)
        if self.column(head) is not None:
            return self.use(place, head, required=required) is not None
        if self.parent and head.lower() == self.parent.alias.lower():
            column = self.parent.use(place, members[0], required=required)
            self.of_parent[column or members[0]] = None
            return column is not None
        self._stranger(place, names)
        return False

    def _stranger(self, place: str, names: tuple[str, ...]) -> None:
        """Report a qualified name that means nothing here."""
        if self.open_ended:
            member = ".".join(names)
            self.findings.fault(place, f"reaches into JSON; write item ->> '$.{member}'")
        elif self.columns:
            known = [*self.columns, *self.lookups, self.alias]
            known += [self.parent.alias] if self.parent else []
            cause = f"`{names[0]}` is no column of {self.named} and no declared look-up"
            self.findings.fault(place, cause, nearest(names[0], known))

    def _use_lookup(self, place: str, lookup: LookupScope, name: str, *, required: bool) -> bool:
        real = _real(name, lookup.columns)
        if real is not None:
            lookup.used[real] = None
            return True
        if _real(name, lookup.absent) is None:
            lookup.absent[name] = None
        self._missing(place, name, lookup.columns, f"`{lookup.table}`", required=required)
        return False

    def _missing(
        self, place: str, name: str, columns: MappingOf[str, str], where: str, *, required: bool
    ) -> None:
        if not columns:
            return  # the table itself is not there yet, which has been noted
        near, cause = nearest(name, columns), f"no column `{name}` in {where}"
        if required:
            constant = "; a constant is written \"'…'\"" if ".fields." in place else ""
            self.findings.fault(place, cause + constant, near)
            return
        hint = f" (did you mean `{near}`?)" if near else ""
        self.findings.notice(place, f"{cause} yet, counts as NULL{hint}")


def _real(name: str, columns: Iterable[str]) -> str | None:
    return next((column for column in columns if column.lower() == name.lower()), None)


def _struct(name: str, members: list[tuple[str, str]]) -> list[str]:
    if not members:
        return []
    listed = ", ".join(f"{quote(member)} := {sql}" for member, sql in members)
    return [f"struct_pack({listed}) AS {quote(name)}"]
