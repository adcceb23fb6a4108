"""Binds a mapping to the tables at hand.

A `Mapping` says names; binding finds the columns behind them, learns every expression's type from
DuckDB's own binder, and chooses how each vendor field is rendered. All faults come back at once. A
table or column that an optional part names and that is not there yet counts as empty, because dlt
creates both when data first shows them; each such case is a notice.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.rendering import RenderingError, render
from replenit_destination.engine.sql import (
    Expression,
    ExpressionError,
    indent,
    nearest,
    parse,
    quote,
    relation,
)
from replenit_destination.exceptions import MappingError, MappingFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Mapping as MappingOf

    from replenit_destination.engine.mapping import ChildMapping, EntityMapping, LookupMapping
    from replenit_destination.engine.target import EntitySpec, FieldSpec

__all__ = ["Block", "BoundEntity", "Lookup", "Notice", "Tables", "bind"]

LOAD_ID = "_dlt_load_id"
_CLOSE = 0.8  # a missing table this similar to an existing one is a typing error, not "not yet"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a mapping names that is not there (yet) and therefore counts as empty."""

    place: str
    text: str


class Tables:
    """The tables of one dataset and their columns, in DuckDB's spelling."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str, schema: str) -> None:
        self.catalog = catalog
        self.schema = schema
        self._columns: dict[str, dict[str, str]] = {}
        rows = connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE database_name = ? AND schema_name = ? ORDER BY table_name, column_index",
            [catalog, schema],
        ).fetchall()
        for table, column, kind in rows:
            self._columns.setdefault(table, {})[column] = kind

    def __contains__(self, table: str) -> bool:
        return table in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def columns(self, table: str) -> dict[str, str]:
        """Return column → DuckDB type; empty for a table that is not there."""
        return self._columns.get(table, {})

    def relation(self, table: str) -> str:
        """Return the table's qualified, quoted name."""
        return relation(self.catalog, self.schema, table)

    def lookalike(self, table: str) -> str | None:
        """Return an existing table whose name is so close that the given one is a typing error."""
        close = difflib.get_close_matches(table, list(self._columns), n=1, cutoff=_CLOSE)
        return close[0] if close else None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A joined table: `on` is joined column → own column, `columns` what expressions take from it."""

    name: str
    table: str
    relation: str | None  # None: the table is not there yet, every column is NULL
    on: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    absent: tuple[str, ...]
    order: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one level (roots or children) and what is computed from each.

    `columns` are the existing columns that are read, `absent` those that count as NULL; `fields`
    are vendor field → rendered SQL, in the target's order.
    """

    alias: str
    relation: str | None
    columns: tuple[str, ...]
    absent: tuple[str, ...]
    lookups: tuple[Lookup, ...]
    fields: tuple[tuple[str, str], ...]
    id: str | None = None
    where: str | None = None
    order: str | None = None
    table: str | None = None
    has_load_ids: bool = False


@dataclass(frozen=True, slots=True)
class BoundEntity:
    """One entity's mapping bound to tables; `assembly` turns it into SQL.

    `key` is the rendered key, `raw_key` its expression as written. `on` joins children to roots
    (child column, root column); `column` is the root's JSON or LIST column with the children,
    `column_is_json` tells which. `identity` is the vendor field that `source_id` is the value of,
    if any. `parent_columns` are what child expressions read of the root. `always_full` says why
    touched rows cannot be known, None when they can.
    """

    spec: EntitySpec
    root: Block
    key: str
    raw_key: str
    source_id: str
    identity: str | None = None
    destroyed_when: str | None = None
    query: str | None = None
    child: Block | None = None
    on: tuple[tuple[str, str], ...] = ()
    column: str | None = None
    column_is_json: bool = False
    parent_columns: tuple[str, ...] = ()
    always_full: str | None = None
    notices: tuple[Notice, ...] = ()
    tables: frozenset[str] = frozenset()


def bind(
    connection: duckdb.DuckDBPyConnection,
    mappings: MappingOf[str, EntityMapping],
    specs: Iterable[EntitySpec],
    tables: Tables,
    *,
    source: str = "the mapping",
) -> dict[str, BoundEntity]:
    """Return the bound mapping of every entity whose root table exists.

    Raises:
        MappingError: Lists every unknown table and column, every expression DuckDB refuses and
            every type that
            cannot fit its field.
    """
    faults: list[MappingFault] = []
    bound: dict[str, BoundEntity] = {}
    by_name = {spec.name: spec for spec in specs}
    for name, mapping in mappings.items():
        binder = _Binder(connection, by_name[name], mapping, tables)
        entity = binder.bind()
        faults += binder.faults
        if entity is not None:
            bound[name] = entity
    if faults:
        raise MappingError(faults, source=source)
    return bound


@dataclass
class _Scope:
    """What the names in one block's expressions can mean, and which of them were used."""

    place: str
    alias: str
    table: str | None
    columns: dict[str, str]
    open_ended: bool = False  # members of a JSON element: any name may be one
    lookups: dict[str, tuple[LookupMapping, dict[str, str], str | None]] = field(
        default_factory=dict
    )
    used: dict[str, None] = field(default_factory=dict)
    absent: dict[str, None] = field(default_factory=dict)
    lookup_used: dict[str, dict[str, None]] = field(default_factory=dict)
    lookup_absent: dict[str, dict[str, None]] = field(default_factory=dict)
    parent: _Scope | None = None

    def column(self, name: str) -> str | None:
        """Return the column's real spelling; SQL names are case-insensitive."""
        return next((c for c in self.columns if c.lower() == name.lower()), None)

    @property
    def named(self) -> str:
        return f"`{self.table}`" if self.table else f"the rows of `{self.place}`"


class _Binder:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        spec: EntitySpec,
        mapping: EntityMapping,
        tables: Tables,
    ) -> None:
        self.connection = connection
        self.spec = spec
        self.mapping = mapping
        self.tables = tables
        self.faults: list[MappingFault] = []
        self.notices: list[Notice] = []
        self.full: str | None = None

    def bind(self) -> BoundEntity | None:
        root = self._root_scope()
        if root is None:
            return None
        child = self._child_scope(root)
        texts = self._field_texts(root, self.mapping.fields, self.spec.fields)
        options = {
            key: self._option(root, key, getattr(self.mapping, key))
            for key in ("id", "order", "where", "destroyed_when")
        }
        child_texts: dict[str, str] = {}
        child_options: dict[str, str | None] = {}
        if child and self.mapping.child and self.spec.child:
            wanted = self.spec.child.fields
            child_texts = self._field_texts(child, self.mapping.child.fields, wanted)
            for key in ("id", "order", "where"):
                child_options[key] = self._option(child, key, getattr(self.mapping.child, key))
        on = self._join_columns(root, child)
        if self.faults:
            return None
        return self._bound(root, child, texts, options, child_texts, child_options, on)

    # -- scopes
    # ---------------------------------------------------------------------------------------------

    def _root_scope(self) -> _Scope | None:
        name, table = self.spec.name, self.mapping.table
        if self.mapping.query is not None:
            self.full = "its root is a query"
            columns = self._describe(f"{name}.query", self.mapping.query)
            if columns is None:
                return None
            scope = _Scope(name, name, None, columns)
        elif self._exists(f"{name}.table", table or ""):
            scope = _Scope(name, name, table, self.tables.columns(table or ""))
            if self.tables.columns(table or "").get(LOAD_ID) is None:
                self.full = f"`{table}` has no load ids"
        else:
            return None
        self._add_lookups(scope, self.mapping.lookups)
        return scope

    def _child_scope(self, root: _Scope) -> _Scope | None:
        mapping = self.mapping.child
        if mapping is None:
            return None
        place = f"{self.spec.name}.{mapping.block}"
        if mapping.column is not None:
            scope = self._column_scope(place, mapping, root)
            if mapping.lookups:
                self.full = self.full or f"`{place}` looks things up for the rows of a column"
        else:
            table = mapping.table or ""
            self._exists(f"{place}.table", table)
            columns = self.tables.columns(table)
            scope = _Scope(place, mapping.block, table, columns)
            if mapping.on and columns and LOAD_ID not in columns:
                self.full = self.full or f"`{table}` has no load ids"
        scope.parent = root
        self._add_lookups(scope, mapping.lookups)
        return scope

    def _column_scope(self, place: str, mapping: ChildMapping, root: _Scope) -> _Scope:
        column = root.column(mapping.column or "")
        scope = _Scope(place, mapping.block, None, {"item": "JSON"}, open_ended=True)
        if column is None:
            self._absent(root, f"{place}.column", mapping.column or "", required=False)
            return scope
        root.used[column] = None
        kind = root.columns[column]
        if kind.endswith("[]"):
            inner = f"SELECT unnest({quote(column)}) AS item FROM {self._from(root)}"
            columns = self._describe(f"{place}.column", f"SELECT item, unnest(item) FROM ({inner})")
            scope = _Scope(place, mapping.block, None, columns or {})
        elif kind not in {"JSON", "VARCHAR"}:
            cause = f"`{column}` is {kind}; children come from a JSON or LIST column"
            self.faults.append(MappingFault(f"{place}.column", cause))
        return scope

    def _add_lookups(self, scope: _Scope, lookups: Iterable[LookupMapping]) -> None:
        for lookup in lookups:
            place = f"{scope.place}.lookups.{lookup.name}"
            columns = self.tables.columns(lookup.table)
            self._exists(f"{place}.table", lookup.table)
            if scope.column(lookup.name):
                cause = f"{scope.named} has a column of this name; call the look-up otherwise"
                self.faults.append(MappingFault(place, cause))
            for joined, own in self._lookup_on(lookup).items():
                if columns and joined not in columns:
                    cause = f"no column `{joined}` in `{lookup.table}`"
                    self.faults.append(MappingFault(f"{place}.on", cause, nearest(joined, columns)))
                self._use(scope, f"{place}.on", own, required=True)
            if columns and LOAD_ID not in columns and lookup.on:
                self.full = self.full or f"the look-up `{lookup.table}` has no load ids"
            scope.lookups[lookup.name] = (lookup, columns, lookup.order)
            scope.lookup_used[lookup.name] = {}
            scope.lookup_absent[lookup.name] = {}

    @staticmethod
    def _lookup_on(lookup: LookupMapping) -> dict[str, str]:
        return dict(lookup.on) or {"_dlt_parent_id": "_dlt_id"}

    def _exists(self, place: str, table: str) -> bool:
        if table in self.tables:
            return True
        near = self.tables.lookalike(table)
        if near:
            cause = f"no table `{table}` in `{self.tables.schema}`"
            self.faults.append(MappingFault(place, cause, near))
        else:
            self.notices.append(Notice(place, f"no table `{table}` yet"))
        return False

    def _describe(self, place: str, query: str) -> dict[str, str] | None:
        try:
            rows = self.connection.execute(f"DESCRIBE {query}").fetchall()
        except duckdb.Error as error:
            self.faults.append(MappingFault(place, _first_line(error)))
            return None
        return {row[0]: row[1] for row in rows}

    # -- names
    # ----------------------------------------------------------------------------------------------

    def _field_texts(
        self, scope: _Scope, fields: MappingOf[str, str], specs: Iterable[FieldSpec]
    ) -> dict[str, str]:
        texts = {}
        for spec in specs:
            if spec.name in fields:
                place = f"{scope.place}.fields.{spec.name}"
                text = self._resolve(scope, place, fields[spec.name], required=spec.required)
                if text is not None:
                    texts[spec.name] = text
        return texts

    def _option(self, scope: _Scope, key: str, text: str | None) -> str | None:
        if text is None:
            return None
        place = f"{scope.place}.{key}"
        if key != "order":
            return self._resolve(scope, place, text, required=key != "destroyed_when")
        parts = []
        for part in text.split(","):
            words = part.split()
            tail = [w for w in words if w.upper() in {"ASC", "DESC", "NULLS", "FIRST", "LAST"}]
            head = " ".join(words[: len(words) - len(tail)])
            resolved = self._resolve(scope, place, head, required=True)
            parts.append(" ".join([resolved or "NULL", *tail]))
        return ", ".join(parts)

    def _resolve(self, scope: _Scope, place: str, text: str, *, required: bool) -> str | None:
        try:
            expression = parse(self.connection, text)
        except ExpressionError as error:
            self.faults.append(
                MappingFault(place, f"{error}; write a column or one SQL expression")
            )
            return None
        if expression.has_subquery:
            self.full = self.full or f"`{place}` holds a sub-query"
        for names in sorted(expression.references):
            self._reference(scope, place, names, required=required)
        return _inline(expression)

    def _reference(
        self, scope: _Scope, place: str, names: tuple[str, ...], *, required: bool
    ) -> None:
        head = names[0]
        if len(names) > 1 and head.lower() == scope.alias.lower():
            self._use(scope, place, names[1], required=required)
        elif len(names) > 1 and head in scope.lookups:
            self._use_lookup(scope, place, head, names[1], required=required)
        elif (
            len(names) > 1
            and scope.parent
            and head.lower() == scope.parent.alias.lower()
            and not scope.column(head)
        ):
            self._use(scope.parent, place, names[1], required=required)
        elif len(names) > 1 and not scope.column(head) and not scope.open_ended:
            known = [*scope.columns, *scope.lookups, scope.alias]
            cause = f"`{head}` is no column of {scope.named} and no declared look-up"
            self.faults.append(MappingFault(place, cause, nearest(head, known)))
        elif head not in scope.lookups:
            self._use(scope, place, head, required=required)

    def _use(self, scope: _Scope, place: str, name: str, *, required: bool) -> None:
        column = scope.column(name)
        if column is not None:
            scope.used[column] = None
        elif scope.open_ended:
            scope.used[name] = None
        elif not scope.columns:
            scope.absent[name] = None  # the table itself is not there yet
        else:
            self._absent(scope, place, name, required=required)

    def _absent(self, scope: _Scope, place: str, name: str, *, required: bool) -> None:
        near = nearest(name, scope.columns)
        cause = f"no column `{name}` in {scope.named}"
        if required:
            self.faults.append(MappingFault(place, f"{cause}; a constant is written `'…'`", near))
            return
        hint = f" (did you mean `{near}`?)" if near else ""
        self.notices.append(Notice(place, f"{cause} yet, counts as NULL{hint}"))
        scope.absent[name] = None

    def _use_lookup(
        self, scope: _Scope, place: str, lookup: str, name: str, *, required: bool
    ) -> None:
        declared, columns, _ = scope.lookups[lookup]
        real = next((c for c in columns if c.lower() == name.lower()), None)
        if real is not None:
            scope.lookup_used[lookup][real] = None
            return
        near = nearest(name, columns)
        cause = f"no column `{name}` in `{declared.table}`"
        if required and columns:
            self.faults.append(MappingFault(place, cause, near))
            return
        scope.lookup_absent[lookup][name] = None
        if columns:
            hint = f" (did you mean `{near}`?)" if near else ""
            self.notices.append(Notice(place, f"{cause} yet, counts as NULL{hint}"))

    def _join_columns(self, root: _Scope, child: _Scope | None) -> tuple[tuple[str, str], ...]:
        mapping = self.mapping.child
        if child is None or mapping is None or mapping.column is not None:
            return ()
        place = f"{child.place}.on"
        pairs = dict(mapping.on) or {"_dlt_parent_id": "_dlt_id"}
        for joined, own in pairs.items():
            if not mapping.on and child.columns and child.column(joined) is None:
                cause = f"`{child.table}` is no dlt child table; say which columns join it"
                self.faults.append(MappingFault(place, cause))
                continue
            self._use(child, place, joined, required=True)
            self._use(root, place, own, required=True)
        return tuple(pairs.items())

    # -- types
    # ----------------------------------------------------------------------------------------------

    def _bound(
        self,
        root: _Scope,
        child: _Scope | None,
        texts: dict[str, str],
        options: dict[str, str | None],
        child_texts: dict[str, str],
        child_options: dict[str, str | None],
        on: tuple[tuple[str, str], ...],
    ) -> BoundEntity | None:
        fields = self._render(root, texts, self.spec.fields)
        child_fields = (
            self._render(child, child_texts, self.spec.child.fields)
            if child and self.spec.child
            else ()
        )
        self._check_types(root, options)
        if child:
            self._check_types(child, child_options)
        rendered = dict(fields)
        if self.faults or self.spec.key not in rendered:
            return None
        mapping = self.mapping.child
        if child and mapping and mapping.table and child_options.get("order") is None:
            listed = child.column("_dlt_list_idx")
            if listed:
                child.used[listed] = None
                child_options["order"] = quote(listed)
        return BoundEntity(
            spec=self.spec,
            root=self._block(root, fields, options),
            key=rendered[self.spec.key],
            raw_key=texts[self.spec.key],
            source_id=self._source_id(rendered, options["id"]),
            identity=self._identity(rendered, texts, options["id"]),
            destroyed_when=options["destroyed_when"],
            query=self.mapping.query,
            child=self._block(child, child_fields, child_options) if child else None,
            on=on,
            column=root.column(mapping.column) if mapping and mapping.column else None,
            column_is_json=bool(child and child.open_ended),
            parent_columns=self._parent_columns(child, child_texts, child_options),
            always_full=self.full,
            notices=tuple(dict.fromkeys(self.notices)),
            tables=self._tables(root, child),
        )

    def _source_id(self, rendered: dict[str, str], written: str | None) -> str:
        """Return the row's identity at the source: as written, or another identifier than the key."""
        if written:
            return f"CAST({written} AS VARCHAR)"
        named = [rendered[name] for name in self.spec.identity if name in rendered]
        return f"coalesce({', '.join([*named, rendered[self.spec.key]])})"

    def _identity(
        self, rendered: dict[str, str], texts: dict[str, str], written: str | None
    ) -> str | None:
        """Return the vendor field whose value the source identity is, None when it is no field's."""
        for name in (*self.spec.identity, self.spec.key):
            if name in rendered and written in {None, texts[name]}:
                return name
        return None

    def _block(
        self, scope: _Scope, fields: tuple[tuple[str, str], ...], options: dict[str, str | None]
    ) -> Block:
        exists = scope.table is not None and scope.table in self.tables
        return Block(
            alias=scope.alias,
            relation=self.tables.relation(scope.table) if exists and scope.table else None,
            columns=tuple(scope.used),
            absent=tuple(scope.absent),
            lookups=tuple(self._lookup(scope, name) for name in scope.lookups),
            fields=fields,
            id=options.get("id"),
            where=options.get("where"),
            order=options.get("order"),
            table=scope.table,
            has_load_ids=LOAD_ID in scope.columns,
        )

    def _lookup(self, scope: _Scope, name: str) -> Lookup:
        declared, columns, order = scope.lookups[name]
        return Lookup(
            name=name,
            table=declared.table,
            relation=self.tables.relation(declared.table) if columns else None,
            on=tuple(self._lookup_on(declared).items()),
            columns=tuple(scope.lookup_used[name]),
            absent=tuple(scope.lookup_absent[name]),
            order=order,
        )

    def _parent_columns(
        self, child: _Scope | None, texts: dict[str, str], options: dict[str, str | None]
    ) -> tuple[str, ...]:
        if child is None or child.parent is None:
            return ()
        parent = child.parent
        found: dict[str, None] = {}
        for text in (*texts.values(), *(option for option in options.values() if option)):
            for names in _references_of(self.connection, text):
                if len(names) > 1 and names[0].lower() == parent.alias.lower():
                    found[parent.column(names[1]) or names[1]] = None
        return tuple(found)

    def _tables(self, root: _Scope, child: _Scope | None) -> frozenset[str]:
        scopes = [root, *([child] if child else [])]
        named = {scope.table for scope in scopes if scope.table}
        return frozenset(named | {lk[0].table for scope in scopes for lk in scope.lookups.values()})

    def _render(
        self, scope: _Scope, texts: dict[str, str], specs: Iterable[FieldSpec]
    ) -> tuple[tuple[str, str], ...]:
        types = self._types(scope, texts)
        rendered = []
        for spec in specs:
            if spec.name in types:
                try:
                    sql = render(spec, texts[spec.name], types[spec.name], self.mapping.timezone)
                except RenderingError as error:
                    place = f"{scope.place}.fields.{spec.name}"
                    self.faults.append(MappingFault(place, str(error)))
                else:
                    rendered.append((spec.name, sql))
        return tuple(rendered)

    def _check_types(self, scope: _Scope, options: dict[str, str | None]) -> None:
        texts = {key: text for key, text in options.items() if text and key != "order"}
        for key, kind in self._types(scope, texts, fields=False).items():
            if key in {"where", "destroyed_when"} and kind not in {"BOOLEAN", "INTEGER", '"NULL"'}:
                place = f"{scope.place}.{key}"
                self.faults.append(MappingFault(place, f"must be true or false, is {kind}"))

    def _types(
        self, scope: _Scope, texts: dict[str, str], *, fields: bool = True
    ) -> dict[str, str]:
        """Ask DuckDB's binder for each expression's type; a refusal becomes a fault."""
        if not texts:
            return {}
        source = self._from(scope)
        try:
            listed = ", ".join(f"{text} AS {quote(name)}" for name, text in texts.items())
            rows = self.connection.execute(f"DESCRIBE SELECT {listed} FROM {source}").fetchall()
            return {row[0]: row[1] for row in rows}
        except duckdb.Error:
            types = {}
            for name, text in texts.items():
                middle = ".fields" if fields else ""
                query = f"SELECT {text} AS x FROM {source}"
                described = self._describe(f"{scope.place}{middle}.{name}", query)
                if described:
                    types[name] = described["x"]
            return types

    def _from(self, scope: _Scope) -> str:
        """Return a FROM item with the scope's columns, for asking types; it is never executed."""
        parts = [f"{quote(name)} := NULL" for name in ()]
        if scope.open_ended:
            names = {name: None for name in scope.used if name != "item"}
            parts = [f"NULL::VARCHAR AS {quote(name)}" for name in names]
            inner = "SELECT " + ", ".join(["NULL::JSON AS item", *parts])
        else:
            typed = [f"NULL::{kind} AS {quote(name)}" for name, kind in scope.columns.items()]
            typed += [f"NULL AS {quote(name)}" for name in scope.absent]
            inner = "SELECT " + ", ".join(typed or ["NULL AS nothing"])
        for name, (_, columns, _order) in scope.lookups.items():
            members = [f"{quote(c)} := NULL::{columns[c]}" for c in scope.lookup_used[name]]
            members += [f"{quote(c)} := NULL" for c in scope.lookup_absent[name]]
            if members:
                inner += f", struct_pack({', '.join(members)}) AS {quote(name)}"
        if scope.parent:
            typed = [f"{quote(n)} := NULL::{k}" for n, k in scope.parent.columns.items()]
            typed += [f"{quote(name)} := NULL" for name in scope.parent.absent]
            inner += f", struct_pack({', '.join(typed)}) AS {quote(scope.parent.alias)}"
        return f"({indent(inner)}) AS {quote(scope.alias)}"


def _references_of(connection: duckdb.DuckDBPyConnection, text: str) -> frozenset[tuple[str, ...]]:
    try:
        return parse(connection, text).references
    except ExpressionError:  # an ORDER BY list: take its parts
        parts = [part.split()[0] for part in text.split(",") if part.split()]
        return frozenset().union(*(parse(connection, part).references for part in parts))


def _inline(expression: Expression) -> str:
    """Return the expression so that it can stand inside a longer one."""
    if "--" in expression.text:
        return f"({expression.text}\n)"
    return expression.text


def _first_line(error: duckdb.Error) -> str:
    """Return DuckDB's complaint without the query excerpt that follows it."""
    return str(error).splitlines()[0].strip()
