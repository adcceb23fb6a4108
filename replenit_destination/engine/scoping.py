"""Finds the tables and columns that a mapping's blocks read, and makes a `Scope` of each block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.expressions import ExpressionError, Parser
from replenit_destination.engine.scopes import ITEM, Findings, LookupScope, Scope
from replenit_destination.engine.sql import nearest, quote
from replenit_destination.engine.tables import LOAD_ID, PARENT_ID, ROW_ID, Tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as MappingOf

    from replenit_destination.engine.mapping import ChildMapping, EntityMapping, LookupMapping

__all__ = ["Scoping", "first_line"]

_DLT_JOIN = {PARENT_ID: ROW_ID}
_TEXTS = frozenset({"VARCHAR", "ENUM"})


@dataclass
class Scoping:
    """Makes the scopes of one entity.

    `meant` are the tables that any part of the mapping names. `full` says afterwards why touched
    rows cannot be known; `query` is the root's with its tables qualified, `listed` SQL for the list
    of children that a column holds, `on` the columns that join a table of children.
    """

    connection: duckdb.DuckDBPyConnection
    parser: Parser
    mapping: EntityMapping
    tables: Tables
    findings: Findings
    meant: frozenset[str]
    full: str | None = None
    query: str | None = None
    listed: str | None = None
    on: tuple[tuple[str, str], ...] = ()

    def root(self) -> Scope:
        """Return the scope of the entity's own rows."""
        name = self.mapping.entity
        if self.mapping.query is not None:
            self.full = "its root is a query"
            columns = self._query_columns(f"{name}.query", self.mapping.query)
            scope = Scope(name, name, None, columns, self.findings)
        else:
            table = self._table(f"{name}.table", self.mapping.table or "")
            columns = self.tables.columns(table)
            scope = Scope(name, name, table, columns, self.findings)
            if LOAD_ID not in columns:
                self.full = f"`{table}` has no load ids"
            if scope.column("rowid"):
                cause = f"`{table}` has a column called rowid, which hides DuckDB's; rename it"
                self.findings.fault(f"{name}.table", cause)
        self._add_lookups(scope, self.mapping.lookups)
        return scope

    def child(self, root: Scope) -> Scope | None:
        """Return the scope of the children, None where the entity has none."""
        mapping = self.mapping.child
        if mapping is None:
            return None
        place = f"{self.mapping.entity}.{mapping.block}"
        if mapping.column is None:
            table = self._table(f"{place}.table", mapping.table or "")
            columns = self.tables.columns(table)
            scope = Scope(place, mapping.block, table, columns, self.findings)
            if mapping.on and columns and LOAD_ID not in columns:
                self.full = self.full or f"`{table}` has no load ids"
        else:
            scope = self._column_scope(place, mapping, root)
            if mapping.lookups:
                self.full = self.full or f"`{place}` looks things up for the rows of a column"
        scope.parent = root
        if mapping.column is None:
            self.on = self._join(root, scope, mapping)
        self._add_lookups(scope, mapping.lookups)
        return scope

    def _column_scope(self, place: str, mapping: ChildMapping, root: Scope) -> Scope:
        json = Scope(place, mapping.block, None, {ITEM: "JSON"}, self.findings, open_ended=True)
        column = root.use(f"{place}.column", mapping.column or "", required=False)
        if column is None:
            self.listed = "CAST([] AS JSON[])"
            return json
        kind = root.columns[column]
        if kind in {"JSON", "VARCHAR"}:
            self.listed = _json_elements(quote(column))
            return json
        if not kind.endswith("[]"):
            cause = f"`{column}` is {kind}; children come from a JSON or LIST column"
            self.findings.fault(f"{place}.column", cause)
            return json
        self.listed = quote(column)
        if kind == "JSON[]":
            return json
        columns = {ITEM: kind[:-2]}
        if kind.startswith("STRUCT"):
            null = f"SELECT unnest(NULL::{kind[:-2]})"
            members = self.connection.execute(f"DESCRIBE {null}").fetchall()
            columns = {row[0]: row[1] for row in members} | columns
        return Scope(place, mapping.block, None, columns, self.findings)

    def _add_lookups(self, scope: Scope, lookups: Iterable[LookupMapping]) -> None:
        for mapping in lookups:
            place = f"{scope.place}.lookups.{mapping.name}"
            table = self._table(f"{place}.table", mapping.table)
            theirs = Scope(place, mapping.name, table, self.tables.columns(table), self.findings)
            if not self._is_free(place, scope, mapping.name):
                continue
            lookup = LookupScope(mapping.name, table, theirs.columns, ())
            if scope.columns:
                lookup.on = self._pairs(f"{place}.on", mapping.on, theirs, scope)
            if theirs.columns and LOAD_ID not in theirs.columns and mapping.on:
                self.full = self.full or f"the look-up `{table}` has no load ids"
            if mapping.order:
                lookup.order = theirs.sql(
                    self.parser, f"{place}.order", mapping.order, required=True
                )
            scope.lookups[mapping.name.lower()] = lookup

    def _is_free(self, place: str, scope: Scope, name: str) -> bool:
        taken = [scope.alias, ITEM, *([scope.parent.alias] if scope.parent else [])]
        cause = ""
        if scope.column(name):
            cause = f"{scope.named} has a column of this name; call the look-up otherwise"
        elif name.lower() in taken or scope.lookup(name):
            cause = f"`{name}` means something else here; call it otherwise"
        if cause:
            self.findings.fault(place, cause)
        return not cause

    def _join(
        self, root: Scope, child: Scope, mapping: ChildMapping
    ) -> tuple[tuple[str, str], ...]:
        pairs = self._pairs(f"{child.place}.on", mapping.on, child, root)
        for joined, _ in pairs:
            child.use(f"{child.place}.on", joined, required=False)
        return pairs

    def _pairs(
        self, place: str, on: MappingOf[str, str], theirs: Scope, ours: Scope
    ) -> tuple[tuple[str, str], ...]:
        """Return joined column → own column, checked; without `on` they are dlt's."""
        if not on and theirs.columns and theirs.column(PARENT_ID) is None:
            cause = f"`{theirs.table}` is no dlt child table; say on = {{ its_column = "
            self.findings.fault(place, cause + '"our_column" }')
            return ()
        pairs = []
        for joined, own in (on or _DLT_JOIN).items():
            real = theirs.column(joined)
            if theirs.columns and real is None:
                cause = f"no column `{joined}` in {theirs.named}"
                self.findings.fault(place, cause, nearest(joined, theirs.columns))
            mine = ours.use(place, own, required=True)
            self._check_types(place, theirs, real, ours, mine)
            pairs.append((real or joined, mine or own))
        return tuple(pairs)

    def _check_types(
        self, place: str, theirs: Scope, joined: str | None, ours: Scope, own: str | None
    ) -> None:
        """Refuse to compare a text with something else: DuckDB would stumble over a stray text."""
        if joined is None or own is None:
            return
        their_kind, our_kind = theirs.columns[joined], ours.columns.get(own, "VARCHAR")
        if _is_text(their_kind) != _is_text(our_kind):
            cause = (
                f"`{joined}` of {theirs.named} is {their_kind} and `{own}` of {ours.named} is "
                f"{our_kind}; load both with one data type"
            )
            self.findings.fault(place, cause)

    def _table(self, place: str, written: str) -> str:
        """Return the table's real name, or the written one where it is not there."""
        table = self.tables.find(written)
        if table is not None:
            return table
        near = self.tables.lookalike(written, self.meant)
        if near:
            self.findings.fault(place, f"no table `{written}` in `{self.tables.schema}`", near)
        else:
            self.findings.notice(place, f"no table `{written}` yet")
        return written

    def _query_columns(self, place: str, written: str) -> dict[str, str]:
        def relation(name: str) -> str | None:
            table = self.tables.find(name)
            return self.tables.relation(table) if table else None

        try:
            self.query = self.parser.query(written, relation)
            rows = self.connection.execute(f"DESCRIBE {self.query}").fetchall()
        except (ExpressionError, duckdb.Error) as error:
            self.findings.fault(place, first_line(error))
            return {}
        return {row[0]: row[1] for row in rows}


def _json_elements(column: str) -> str:
    """Return SQL for the list of a JSON column's elements.

    One object counts as a list of it. What is no JSON becomes one empty element, so that the
    target refuses the document instead of taking it for one without children.
    """
    json = f"TRY_CAST({column} AS JSON)"
    return (
        f"CASE\n  WHEN {column} IS NULL OR json_type({json}) = 'NULL' THEN CAST([] AS JSON[])\n"
        f"  WHEN json_type({json}) = 'ARRAY' THEN json_extract({json}, '$[*]')\n"
        f"  ELSE [coalesce({json}, CAST('null' AS JSON))]\nEND"
    )


def _is_text(kind: str) -> bool:
    return kind.partition("(")[0] in _TEXTS


def first_line(error: Exception) -> str:
    """Return DuckDB's complaint without its kind and without the query excerpt that follows it."""
    return str(error).strip().splitlines()[0].removeprefix("Binder Error: ")
