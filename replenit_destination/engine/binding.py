"""Binds a mapping to the tables at hand.

A `Mapping` says names; binding finds the columns behind them, learns every expression's type from
DuckDB's own binder, and chooses how each vendor field is rendered. All faults come back at once. A
table or column that an optional part names and that is not there yet counts as empty, because dlt
creates both when data first shows them; each such case is a notice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.bound import Block, BoundEntity, Lookup, Notice
from replenit_destination.engine.expressions import Parser
from replenit_destination.engine.rendering import RenderingError, render, truth
from replenit_destination.engine.scopes import Findings, Scope
from replenit_destination.engine.scoping import Scoping, first_line
from replenit_destination.engine.sql import nearest, quote
from replenit_destination.engine.tables import LIST_INDEX, LOAD_ID, Tables
from replenit_destination.engine.target import Kind
from replenit_destination.exceptions import MappingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as MappingOf

    from replenit_destination.engine.mapping import ChildMapping, EntityMapping
    from replenit_destination.engine.target import EntitySpec, FieldSpec

__all__ = ["LOAD_ID", "Bindings", "Block", "BoundEntity", "Lookup", "Notice", "Tables", "bind"]

_POSITION = "_position"
_NULL = '"NULL"'  # what DuckDB calls the type of an untyped NULL


class Bindings(dict[str, BoundEntity]):
    """Entity → its bound mapping, for every entity whose root table is there.

    `notices` are all of them, also those of entities that are not.
    """

    notices: tuple[Notice, ...] = ()


def bind(
    connection: duckdb.DuckDBPyConnection,
    mappings: MappingOf[str, EntityMapping],
    specs: Iterable[EntitySpec],
    tables: Tables,
    *,
    source: str = "the mapping",
) -> Bindings:
    """Return the bound mapping of every entity whose root table exists.

    Raises:
        MappingError: Lists every unknown table and column, every expression that cannot be used and
            every type that cannot fit its field.
    """
    findings, parser = Findings(), Parser(connection)
    _check_zones(connection, mappings.values(), findings)
    bound, notices = Bindings(), []
    by_name = {spec.name: spec for spec in specs}
    meant = frozenset(table for one in mappings.values() for table in _tables_of(one))
    for name, mapping in mappings.items():
        mine = Findings()
        scoping = Scoping(connection, parser, mapping, tables, mine, meant)
        entity = _Binder(connection, scoping, by_name[name], mapping).bind()
        findings.faults += mine.faults
        notices += mine.notices
        if entity is not None:
            bound[name] = entity
    if findings.faults:
        raise MappingError(findings.faults, source=source)
    bound.notices = tuple(dict.fromkeys(notices))
    return bound


def _check_zones(
    connection: duckdb.DuckDBPyConnection, mappings: Iterable[EntityMapping], findings: Findings
) -> None:
    for zone in {mapping.timezone for mapping in mappings if mapping.timezone}:
        known = [row[0] for row in connection.execute("FROM pg_timezone_names()").fetchall()]
        if zone.lower() not in {name.lower() for name in known}:
            cause = f"no time zone `{zone}`; write an IANA name such as Europe/Berlin"
            findings.fault("timezone", cause, nearest(zone, known))


def _tables_of(mapping: EntityMapping) -> list[str]:
    children = [mapping.child] if mapping.child else []
    named = [mapping.table, *(child.table for child in children)]
    named += [lookup.table for lookup in mapping.lookups]
    named += [lookup.table for child in children for lookup in child.lookups]
    return [table for table in named if table]


class _Binder:
    """Binds one entity."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        scoping: Scoping,
        spec: EntitySpec,
        mapping: EntityMapping,
    ) -> None:
        self.connection = connection
        self.scoping = scoping
        self.spec = spec
        self.mapping = mapping
        self.tables = scoping.tables
        self.findings = scoping.findings

    def bind(self) -> BoundEntity | None:
        root = self.scoping.root()
        child = self.scoping.child(root)
        # What identifies a row is read first, so that `keyed` is only that.
        names = {self.spec.key, *self.spec.identity}
        texts = self._texts(root, [one for one in self.spec.fields if one.name in names])
        # The order is among it where it decides whether the newest version of a row is destroyed.
        first = (
            "id",
            "where",
            "destroyed_when",
            *(["order"] if self.mapping.destroyed_when else []),
        )
        options = self._options(root, self.mapping, first)
        keyed = root.block(self.tables)
        texts |= self._texts(root, [one for one in self.spec.fields if one.name not in names])
        if "order" not in options:
            options |= self._options(root, self.mapping, ("order",))
        if not root.columns:  # the table is not there; what is written was checked all the same
            if child:
                self._child_block(child)
            return None
        fields = dict(self._rendered(root, texts))
        self._check_conditions(root, options)
        block = self._child_block(child) if child else None
        if self.findings.faults or self.spec.key not in fields:
            return None
        mapping = self.mapping.child
        return BoundEntity(
            spec=self.spec,
            root=root.block(self.tables, tuple(fields.items()), options),
            keyed=keyed,
            key=fields[self.spec.key],
            raw_key=texts[self.spec.key],
            source_id=self._source_id(fields, options["id"]),
            identity=self._identity(fields, texts, options["id"]),
            destroyed_when=options["destroyed_when"],
            query=self.scoping.query,
            child=block,
            on=self.scoping.on,
            column=root.column(mapping.column) if mapping and mapping.column else None,
            column_is_json=bool(child and child.open_ended),
            listed=self.scoping.listed,
            parent_columns=tuple(child.of_parent) if child else (),
            always_full=self.scoping.full,
            notices=tuple(dict.fromkeys(self.findings.notices)),
            tables=_read_tables(root, child),
        )

    # -- expressions ------------------------------------------------------------------------------

    def _texts(self, scope: Scope, specs: Iterable[FieldSpec]) -> dict[str, str]:
        mapping = self.mapping.child if scope.parent else self.mapping
        written = mapping.fields if mapping else {}
        found = {}
        for spec in specs:
            if spec.name in written:
                place = f"{scope.place}.fields.{spec.name}"
                text = scope.sql(
                    self.scoping.parser, place, written[spec.name], required=spec.required
                )
                if text is not None:
                    found[spec.name] = text
        return found

    def _options(
        self, scope: Scope, mapping: EntityMapping | ChildMapping, keys: Iterable[str]
    ) -> dict[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(keys)
        for key in found:
            text, place = getattr(mapping, key), f"{scope.place}.{key}"
            required = key != "destroyed_when"
            if text is not None:
                found[key] = scope.sql(self.scoping.parser, place, text, required=required)
        return found

    def _rendered(self, scope: Scope, texts: dict[str, str]) -> list[tuple[str, str]]:
        """Return field → rendered SQL in the target's order; `texts` gains the rules' fields."""
        types = self._types(scope, texts)
        specs = self.spec.fields
        if scope.parent:
            specs = self.spec.child.fields if self.spec.child else ()
        else:
            self._apply_rules(texts, types)
        found = []
        for spec in specs:
            if spec.name in types:
                try:
                    sql = render(spec, texts[spec.name], types[spec.name], self.mapping.timezone)
                except RenderingError as error:
                    self.findings.fault(f"{scope.place}.fields.{spec.name}", str(error))
                else:
                    found.append((spec.name, sql))
        return found

    def _apply_rules(self, texts: dict[str, str], types: dict[str, str]) -> None:
        """Fill the fields that follow from others by a rule of the target's."""
        by_name = {spec.name: spec for spec in self.spec.fields}

        def value(match: re.Match[str]) -> str:
            spec = by_name.get(match[0])
            if spec is None:
                return match[0]
            if spec.name not in types:
                return "NULL"
            text, kind = texts[spec.name], types[spec.name]
            return f"({truth(text, kind) if spec.kind is Kind.BOOLEAN else text})"

        ruled = {
            name: re.sub(r"'[^']*'|\w+", value, rule) for name, rule in self.mapping.rules.items()
        }
        for name, text in ruled.items():
            texts[name] = text
            types[name] = "BOOLEAN" if by_name[name].kind is Kind.BOOLEAN else "VARCHAR"

    def _check_conditions(self, scope: Scope, options: MappingOf[str, str | None]) -> None:
        texts = {key: text for key, text in options.items() if text and key != "order"}
        for key, kind in self._types(scope, texts, fields=False).items():
            place = f"{scope.place}.{key}"
            if key != "id" and kind not in {"BOOLEAN", _NULL}:
                self.findings.fault(place, f"must be true or false, is {kind}")
            if key == "id" and kind.startswith(("STRUCT", "MAP", "UNION")):
                self.findings.fault(place, f"is {kind}; it must be one value")

    def _types(self, scope: Scope, texts: dict[str, str], *, fields: bool = True) -> dict[str, str]:
        """Ask DuckDB's binder for each expression's type; a refusal becomes a fault.

        It may refuse an expression only because a column is not there yet and so has no type; then
        the whole expression counts as NULL, in `texts` too.
        """
        if not texts:
            return {}
        source = scope.sample()
        try:
            return self._asked(texts, source)
        except duckdb.Error:
            pass
        types: dict[str, str] = {}
        for name, text in list(texts.items()):
            try:
                types |= self._asked({name: text}, source)
            except duckdb.Error as error:
                if text in scope.unsettled:
                    texts[name], types[name] = "NULL", _NULL
                else:
                    place = f"{scope.place}.{'fields.' if fields else ''}{name}"
                    self.findings.fault(place, first_line(error))
        return types

    def _asked(self, texts: MappingOf[str, str], source: str) -> dict[str, str]:
        listed = ", ".join(f"typeof({text})" for text in texts.values())
        row = self.connection.execute(f"SELECT {listed} FROM {source}").fetchone()
        return dict(zip(texts, row or (), strict=True))

    # -- results ----------------------------------------------------------------------------------

    def _child_block(self, child: Scope) -> Block | None:
        mapping = self.mapping.child
        assert mapping is not None  # noqa: S101 - for the type checker
        options = self._options(child, mapping, ("id", "where", "order"))
        texts = self._texts(child, self.spec.child.fields if self.spec.child else ())
        fields = self._rendered(child, texts)
        self._check_conditions(child, options)
        listed = child.column(LIST_INDEX)
        written = options["order"]
        if mapping.column:
            options["order"] = options["order"] or _POSITION
        elif options["order"] is None and listed and not mapping.on:
            options["order"] = quote(child.use(child.place, listed, required=False) or listed)
        ranks = options["order"] != written
        return child.block(self.tables, tuple(fields), options, ranks=ranks)

    def _source_id(self, fields: MappingOf[str, str], written: str | None) -> str:
        """Return the row's identity at the source: as written, or an identifier."""
        if written:
            return f"CAST({written} AS VARCHAR)"
        named = [fields[name] for name in self.spec.identity if name in fields]
        return f"coalesce({', '.join([*named, fields[self.spec.key]])})"

    def _identity(
        self, fields: MappingOf[str, str], texts: MappingOf[str, str], written: str | None
    ) -> str | None:
        """Return the vendor field whose value the source identity is, if it is one's."""
        for name in (*self.spec.identity, self.spec.key):
            if name in fields and written in {None, texts[name]}:
                return name
        return None


def _read_tables(root: Scope, child: Scope | None) -> frozenset[str]:
    scopes = [root, *([child] if child else [])]
    named = {scope.table for scope in scopes if scope.table}
    return frozenset(named | {one.table for scope in scopes for one in scope.lookups.values()})
