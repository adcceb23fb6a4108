"""Turns a bound mapping into the SQL that assembles documents.

    root ─┬─ look-ups ──> source ──> keyed        one row per root row: row, key, source_id
          └─ children (and theirs) ──> documents  one row per root row: … + source_rows, document

Nothing here executes: the statements run inside DuckDB, in portions of root rows (`rowid` ranges)
so that the nesting of lines stays small. `document` is a JSON object with the vendor's field names,
values in the forms of `target.Kind`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.engine.scopes import ITEM
from replenit_destination.engine.sql import indent, literal, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replenit_destination.engine.bound import Block, BoundEntity, Lookup

__all__ = ["LINE", "Assembly"]

LINE = "_line"
"""The member of a child row that holds its source identity; it is never sent."""

_ROW = "_row"


@dataclass(frozen=True, slots=True)
class Assembly:
    """The SQL of one entity.

    Args:
        entity: The bound mapping.
        root: Qualified name to read roots from instead of the entity's own table: the materialised
            query, or the
            staging dataset's table when asked for hard-deleted rows.
    """

    entity: BoundEntity
    root: str | None = None

    def keyed(self, scope: str = "true") -> str:
        """Return SQL for one row per root row in scope: `_row`, `key`, `source_id`, `destroyed`.

        Args:
            scope: A condition on `{row}`, the root's rowid.
        """
        entity = self.entity
        where = f"\nWHERE {entity.root.where}" if entity.root.where else ""
        return (
            f"{self._with(self._keys(scope))}\n"
            f"SELECT\n  {_ROW},\n  {entity.key} AS key,\n  {entity.source_id} AS source_id,\n"
            f"  {self._destroyed()} AS destroyed\n"
            f"FROM source AS {quote(entity.root.alias)}{where}"
        )

    def documents(self, scope: str = "true") -> str:
        """Return SQL for one row per root row in scope, with its `document`.

        Columns: `_row`, `key`, `source_id`, `source_rows` (child rows at the source), `document`
            (JSON text).
        """
        entity = self.entity
        parts = self._source(scope)
        root = quote(entity.root.alias)
        members = list(entity.root.fields)
        rows, join = "0", ""
        if entity.child and entity.spec.child:
            parts += self._children()
            members.append((entity.spec.child.property, "coalesce(_nested._children, [])"))
            rows = "coalesce(_nested._child_rows, 0)"
            join = f"\nLEFT JOIN children AS _nested ON _nested.{_ROW} = {root}.{_ROW}"
        where = self._where()
        return (
            f"{self._with(parts)}\n"
            f"SELECT\n  {root}.{_ROW},\n  {entity.key} AS key,\n"
            f"  {entity.source_id} AS source_id,\n  {rows} AS source_rows,\n"
            f"  CAST(to_json({indent(_struct(members))}) AS VARCHAR) AS document\n"
            f"FROM source AS {root}{join}{where}"
        )

    def source_ids(self, scope: str) -> str:
        """Return SQL for the `source_id` of every root row in scope, filtered out or not."""
        return (
            f"{self._with(self._keys(scope))}\n"
            f"SELECT {self.entity.source_id} AS source_id FROM source AS "
            f"{quote(self.entity.root.alias)}"
        )

    def values(self, fields: Iterable[str]) -> str:
        """Return SQL for `_row`, `source_id`, `key` and a list `names` of every root row.

        Args:
            fields: Whose rendered values `names` holds, in this order; NULL for one not mapped.
                Rows that the mapping leaves out are there too.
        """
        entity = self.entity
        rendered = dict(entity.root.fields)
        names = ", ".join(f"CAST({rendered.get(name, 'NULL')} AS VARCHAR)" for name in fields)
        return (
            f"{self._with(self._source('true'))}\n"
            f"SELECT\n  {_ROW},\n  {entity.source_id} AS source_id,\n  {entity.key} AS key,\n"
            f"  [{names}] AS names\nFROM source AS {quote(entity.root.alias)}"
        )

    def ranked(self, scope: str) -> str:
        """Return SQL for the rows in scope with the place of each among those of its key.

        Columns: `_row`, `key`, `source_id`, `place` (1 wins), `identities`: how many different
            values the rows of the key have in the entity's identity fields.
        """
        entity = self.entity
        rendered = dict(entity.root.fields)
        identity = ", ".join(rendered[name] for name in entity.spec.identity if name in rendered)
        order = f"{entity.root.order}, " if entity.root.order else ""
        where = self._where()
        inner = (
            f"SELECT\n  {_ROW},\n  {entity.key} AS key,\n  {entity.source_id} AS source_id,\n"
            f"  row_number() OVER (PARTITION BY {entity.key} ORDER BY {order}{_ROW} DESC)"
            " AS place,\n"
            f"  nullif(concat_ws(',', {identity or 'NULL'}), '') AS identity\n"
            f"FROM source AS {quote(entity.root.alias)}{where}"
        )
        return (
            f"{self._with([*self._source(scope), ('ranked', inner)])}\n"
            "SELECT ranked._row, key, source_id, place, identities\nFROM ranked\n"
            "JOIN (SELECT key, count(DISTINCT identity) AS identities FROM ranked GROUP BY key)"
            " USING (key)"
        )

    def child_rows(self) -> str | None:
        """Return SQL for `key`, `source_rows` of every root with children in a table of their own.

        None where children cannot lose a row without their root being written: nested ones.
        """
        entity = self.entity
        if entity.child is None or entity.child.relation is None or not entity.on:
            return None
        if entity.on == (("_dlt_parent_id", "_dlt_id"),):
            return None
        root, child = quote("root_row"), quote("child_row")
        joined = " AND ".join(f"{child}.{quote(c)} = {root}.{quote(r)}" for c, r in entity.on)
        return (
            f"{self._with(self._keys('true'))},\nkeyed AS (\n"
            f"  SELECT *, {entity.key} AS key\n  FROM source AS {quote(entity.root.alias)}\n)\n"
            f"SELECT {root}.key, count({child}.{quote(entity.on[0][0])}) AS source_rows\n"
            f"FROM keyed AS {root}\nLEFT JOIN {entity.child.relation} AS {child} ON {joined}\n"
            f"GROUP BY {root}.key"
        )

    @property
    def relation(self) -> str:
        """The qualified name roots are read from."""
        return self.root or self.entity.root.relation or ""

    def _destroyed(self) -> str:
        """Return whether a row counts as destroyed.

        Where an order decides between versions of a row, the newest one speaks for all: a tombstone
        ends what was appended before it, and a later version ends the tombstone.
        """
        entity = self.entity
        if entity.destroyed_when is None:
            return "false"
        destroyed = f"coalesce({entity.destroyed_when}, false)"
        if entity.root.order is None:
            return destroyed
        return (
            f"first_value({destroyed}) OVER (PARTITION BY {entity.key}, {entity.source_id}"
            f" ORDER BY {entity.root.order}, {_ROW} DESC)"
        )

    def _where(self) -> str:
        """Return the clause that keeps rows that are neither left out nor destroyed."""
        destroyed = self.entity.destroyed_when
        alive = f"NOT coalesce({destroyed}, false)" if destroyed else None
        kept = [f"({text})" for text in (self.entity.root.where, alive) if text]
        return f"\nWHERE {' AND '.join(kept)}" if kept else ""

    @staticmethod
    def _with(parts: list[tuple[str, str]]) -> str:
        listed = ",\n".join(f"{name} AS (\n  {indent(body)}\n)" for name, body in parts)
        return f"WITH {listed}"

    def _source(self, scope: str, block: Block | None = None) -> list[tuple[str, str]]:
        block = block or self.entity.root
        rows = scope.replace("{row}", "rowid")
        where = "" if rows == "true" else f"\nWHERE {rows}"
        base = f"SELECT {_selected(block, 'rowid')}\nFROM {self.relation}{where}"
        return _with_lookups(block, "root", base, "source")

    def _keys(self, scope: str) -> list[tuple[str, str]]:
        return self._source(scope, self.entity.keyed)

    def _children(self) -> list[tuple[str, str]]:
        entity = self.entity
        assert entity.child is not None  # noqa: S101 - for the type checker
        block = entity.child
        if entity.listed:
            base = self._unnested(block, entity.listed)
        elif block.relation:
            base = self._joined(block)
        else:
            base = f"SELECT {_ROW}{_absent(block)}{self._parent()}\nFROM source\nWHERE false"
        fields = list(block.fields)
        if block.id:
            fields.append((LINE, f"CAST({block.id} AS VARCHAR)"))
        # Equal places, and lists without a declared order, must come out the same every time.
        ranks = block.ranks or block.order == block.id
        order = block.order if ranks else f"{block.order}, {block.id or '_child'}"
        listed = f"list(_child ORDER BY {order})" if block.order else "list(_child)"
        listed += f" FILTER (WHERE {block.where})" if block.where else ""
        if not block.order:
            listed = f"list_sort({listed})"
        alias = quote(block.alias)
        rendered = f"SELECT *, {_struct(fields)} AS _child\nFROM child_source AS {alias}"
        grouped = (
            f"SELECT\n  {_ROW},\n  count(*) AS _child_rows,\n  {indent(listed)} AS _children\n"
            f"FROM (\n  {indent(rendered)}\n) AS {alias}\nGROUP BY {_ROW}"
        )
        sources = _with_lookups(block, "child_root", base, "child_source")
        return [*sources, ("children", grouped)]

    def _joined(self, block: Block) -> str:
        child, parent = quote("child_row"), quote("root_row")
        on = " AND ".join(f"{child}.{quote(c)} = {parent}.{quote(r)}" for c, r in self.entity.on)
        columns = "".join(f", {child}.{quote(name)}" for name in block.columns)
        return (
            f"SELECT {parent}.{_ROW}{columns}{_absent(block)}{self._parent('root_row')}\n"
            f"FROM {block.relation} AS {child}\nJOIN source AS {parent} ON {on}"
        )

    def _unnested(self, block: Block, listed: str) -> str:
        names = [name for name in block.columns if name != ITEM]
        members = ""
        for name in names:
            path = literal('$."' + name.replace('"', '\\"') + '"')
            member = f"_item ->> {path}" if self.entity.column_is_json else f"_item.{quote(name)}"
            members += f", {member} AS {quote(name)}"
        if ITEM in block.columns:
            members += f", _item AS {ITEM}"
        owner = quote(self.entity.root.alias)
        parent = f", {owner}" if self.entity.parent_columns else ""
        lists = f"SELECT {_ROW}{self._parent('source')}, {indent(listed)} AS _list\nFROM source"
        items = (
            f"SELECT {_ROW}{parent}, unnest(_list) AS _item,"
            f" generate_subscripts(_list, 1) AS _position\nFROM (\n  {indent(lists)}\n)"
        )
        return (
            f"SELECT {_ROW}, _position{members}{_absent(block)}{parent}\n"
            f"FROM (\n  {indent(items)}\n)"
        )

    def _parent(self, source: str = "source") -> str:
        """Return the root's columns that children read, as a struct called like the root."""
        if not self.entity.parent_columns:
            return ""
        members = [(name, f"{source}.{quote(name)}") for name in self.entity.parent_columns]
        return f", {_struct(members)} AS {quote(self.entity.root.alias)}"


def _with_lookups(block: Block, name: str, base: str, result: str) -> list[tuple[str, str]]:
    """Return the CTEs of a block's rows and look-ups; the last one is called `result`."""
    joined = [lookup for lookup in block.lookups if lookup.columns or lookup.absent]
    if not joined:
        return [(result, base)]
    parts = [(name, base)]
    select, joins = "", ""
    for lookup in joined:
        cte = f"{result}_{lookup.name}"
        if lookup.relation is None or not lookup.columns:
            nothing = _struct([(column, "NULL") for column in (*lookup.columns, *lookup.absent)])
            select += f",\n  {nothing} AS {quote(lookup.name)}"
            continue
        parts.append((quote(cte), _lookup(lookup, name)))
        select += f",\n  {quote(cte)}.found AS {quote(lookup.name)}"
        on = " AND ".join(f"{quote(cte)}.{quote(j)} = {name}.{quote(o)}" for j, o in lookup.on)
        joins += f"\nLEFT JOIN {quote(cte)} ON {on}"
    return [*parts, (result, f"SELECT\n  {name}.*{select}\nFROM {name}{joins}")]


def _lookup(lookup: Lookup, rows: str) -> str:
    """Return SQL for at most one row per joined key, chosen the same way every time."""
    members = [(column, quote(column)) for column in lookup.columns]
    members += [(column, "NULL") for column in lookup.absent]
    keys = ", ".join(quote(joined) for joined, _ in lookup.on)
    found = _struct(members)
    chosen = f"first({found} ORDER BY {lookup.order}, {found})" if lookup.order else f"min({found})"
    needed = " AND ".join(
        f"{quote(joined)} IN (SELECT {quote(own)} FROM {rows})" for joined, own in lookup.on
    )
    return (
        f"SELECT {keys}, {chosen} AS found\nFROM {lookup.relation}\nWHERE {needed}\nGROUP BY {keys}"
    )


def _selected(block: Block, row: str) -> str:
    columns = "".join(f", {quote(name)}" for name in block.columns)
    return f"{row} AS {_ROW}{columns}{_absent(block)}"


def _absent(block: Block) -> str:
    return "".join(f", NULL AS {quote(name)}" for name in block.absent)


def _struct(members: list[tuple[str, str]]) -> str:
    listed = ",\n  ".join(f"{literal(name)}: {sql}" for name, sql in members)
    return f"{{\n  {listed}\n}}"
