"""Which root rows may make another document than the vendor has accepted.

Known from what the loads really wrote, per table: load ids that were not there when the entity was
last compared (a set, never a maximum), children and look-ups that were loaded anew, children that
lost a row without a trace, and the ledger's backlog. Where it cannot be known, everything is
compared, and the reason is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replenit_destination.engine.binding import LOAD_ID
from replenit_destination.engine.ledger import Processed
from replenit_destination.engine.sql import literal, quote

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from replenit_destination.engine.assembly import Assembly
    from replenit_destination.engine.binding import Block, BoundEntity, Lookup, Tables
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.named import Named

__all__ = ["Scope", "Touch"]

_TOUCHED = "{row} IN (SELECT _row FROM touched)"
_LIVE = "_row IN (SELECT _row FROM touched WHERE live)"


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows an entity's comparison looks at.

    `condition` is SQL on `{row}`; `reason` says why everything is compared, None when only touched
    rows are; `rows` is their number. `source_changed` is false when no table of the entity was
    written since last time, so that nothing can have vanished either; `backlog` tells whether the
    ledger wants anything looked at again. `tables` is what to remember as processed. `live` is SQL
    on `_row` for rows that the source wrote since the last comparison, as opposed to rows that only
    a new mapping or setting touches. `reshaped` tells that mapping or settings changed, so that
    equal rows may make other documents.
    """

    condition: str
    reason: str | None
    rows: int
    source_changed: bool
    backlog: bool = False
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    live: str = "true"
    reshaped: bool = False


class Touch:
    """Finds the touched rows of one entity.

    Args:
        work: A connection whose temp table `touched` may be replaced.
        ledger: The account's ledger.
        tables: The staged dataset.
        fingerprint: Of everything that shapes the entity's documents; a new one touches everything.
    """

    def __init__(
        self,
        work: duckdb.DuckDBPyConnection,
        ledger: Ledger,
        tables: Tables,
        assembly: Assembly,
        fingerprint: str,
    ) -> None:
        self.work = work
        self.ledger = ledger
        self.tables = tables
        self.assembly = assembly
        self.entity: BoundEntity = assembly.entity
        self.fingerprint = fingerprint

    def scope(self, *, full: str) -> Scope:
        """Return the rows to compare.

        Args:
            full: Why everything is to be compared whatever the load ids say.
        """
        known = self.ledger.processed(self.tables.schema, self.entity.spec.name)
        current = self._load_ids()
        changed = any(
            loads != (known[table].rows if table in known else None)
            for table, loads in current.items()
        )
        reason = self._full_reason(known, full=full)
        reshaped = any(seen.fingerprint != self.fingerprint for seen in known.values())
        if reason and not (reshaped and self._can_tell):
            rows = self._count(self.assembly.relation)
            return Scope("true", reason, rows, True, tables=current, reshaped=reshaped)
        live = [
            *self._by_loads(known, current),
            *self._by_lost_children(known, current),
            *self._by_lost_lookups(known, current),
        ]
        backlog = [self._by_key(self._backlog_keys())] if self._has_backlog() else []
        if not (live or backlog or reason):
            return Scope("false", None, 0, changed, tables=current)
        rows = self._materialise(live, backlog)
        if reason:
            rows = self._count(self.assembly.relation)
            return Scope("true", reason, rows, True, bool(backlog), current, _LIVE, reshaped=True)
        return Scope(_TOUCHED, None, rows, changed, bool(backlog), current, _LIVE)

    def named(self, named: Named) -> Scope:
        """Return the rows of the documents that a person names, whatever the load ids say."""
        loaded = "SELECT NULL"
        if named.since is not None:
            # Taken for known is what was there before; the rest is found as if it were new.
            current = self._load_ids()
            before = {
                table: Processed("", {i: n for i, n in loads.items() if _began(i) < named.since})
                for table, loads in current.items()
            }
            loaded = "\nUNION ALL\n".join(self._by_loads(before, current)) or loaded
        entries = (
            f"FROM {self.ledger.schema}.entry WHERE account = {self.ledger.account}"
            f" AND entity = {literal(self._name)}"
        )
        condition = named.condition(entries, loaded)
        chosen = f"SELECT _row FROM ({self.assembly.keyed()}) WHERE {condition}"
        rows = self._materialise([chosen], [])
        return Scope(_TOUCHED, "named documents only", rows, False, reshaped=True)

    @property
    def _can_tell(self) -> bool:
        """Whether load ids tell rows that the source wrote from all others."""
        return self.entity.always_full is None

    def _full_reason(self, known: dict[str, Processed], *, full: str) -> str | None:
        if full:
            return full
        if self.entity.always_full:
            return self.entity.always_full
        if not known:
            return "first comparison"
        if any(seen.fingerprint != self.fingerprint for seen in known.values()):
            return "mapping or settings changed"
        return None

    def _load_ids(self) -> dict[str, dict[str, int]]:
        """Return table → load id → rows for every table that has load ids."""
        found = {}
        for table in sorted(self.entity.tables):
            if LOAD_ID in self.tables.columns(table):
                rows = self.work.execute(
                    f"SELECT {LOAD_ID}, count(*) FROM {self.tables.relation(table)} GROUP BY 1"
                ).fetchall()
                found[table] = {str(load_id): count for load_id, count in rows}
        return found

    def _by_loads(
        self, known: dict[str, Processed], current: dict[str, dict[str, int]]
    ) -> list[str]:
        """Return one selection of root rows per table that was loaded anew."""
        new = {
            table: [
                load_id
                for load_id, count in loads.items()
                if count > (known[table].rows.get(load_id, 0) if table in known else 0)
            ]
            for table, loads in current.items()
        }
        fresh = {table: _among(loads) for table, loads in new.items() if loads}
        entity, found = self.entity, []
        if entity.root.table in fresh:
            found.append(
                f"SELECT rowid AS _row FROM {self.assembly.relation}"
                f" WHERE {fresh[entity.root.table]}"
            )
        found += self._by_lookups(entity.root, fresh, self._root_rows)
        child = entity.child
        if child and child.relation and child.table in fresh:
            loaded = f"SELECT * FROM {child.relation} WHERE {fresh[child.table]}"
            found.append(self._child_rows(loaded))
        if child and child.relation:
            found += self._by_lookups(child, fresh, self._child_rows)
        return found

    def _by_lookups(
        self, block: Block, fresh: dict[str, str], rows: Callable[[str], str]
    ) -> list[str]:
        return [
            rows(_looking_up(block, lookup, fresh[lookup.table]))
            for lookup in block.lookups
            if lookup.relation and lookup.table in fresh
        ]

    def _root_rows(self, rows: str) -> str:
        return f"SELECT _row FROM ({rows})"

    def _child_rows(self, children: str) -> str:
        """Return the roots of the children a query selects."""
        on = " AND ".join(f"c.{quote(c)} = r.{quote(r)}" for c, r in self.entity.on)
        roots = f"SELECT r.rowid AS _row FROM {self.assembly.relation} AS r"
        return f"{roots} JOIN ({children}) AS c ON {on}"

    def _by_lost_children(
        self, known: dict[str, Processed], current: dict[str, dict[str, int]]
    ) -> list[str]:
        """Return the roots whose number of children differs from the accepted one.

        A hard-deleted or moved row of an item table of its own leaves no load id behind; it only
        lowers the count of an old one (real-shops.md rule 20).
        """
        child = self.entity.child
        counts = self.assembly.child_rows()
        if child is None or counts is None or child.table not in known:
            return []
        before, now = known[child.table].rows, current.get(child.table, {})
        if all(now.get(load_id, 0) >= count for load_id, count in before.items()):
            return []
        lost = (
            f"SELECT counted.key FROM ({counts}) AS counted"
            f" JOIN {self.ledger.schema}.entry AS entry ON entry.key = counted.key"
            f" AND entry.account = {self.ledger.account} AND entry.entity = {literal(self._name)}"
            " WHERE entry.source_rows IS DISTINCT FROM counted.source_rows"
        )
        return [self._by_key(lost)]

    def _by_lost_lookups(
        self, known: dict[str, Processed], current: dict[str, dict[str, int]]
    ) -> list[str]:
        """Return the roots that look up a row in vain, where a look-up table lost or moved rows.

        A row that vanished leaves no load id behind, and those that found it must be made anew.
        """
        found = []
        child = self.entity.child
        blocks: list[tuple[Block, Callable[[str], str]]] = [(self.entity.root, self._root_rows)]
        if child and child.relation:
            blocks.append((child, self._child_rows))
        for block, rows in blocks:
            for lookup in block.lookups:
                before = known[lookup.table].rows if lookup.table in known else {}
                now = current.get(lookup.table, {})
                if lookup.relation and any(now.get(id_, 0) < n for id_, n in before.items()):
                    found.append(rows(_looking_up(block, lookup, None)))
        return found

    def _has_backlog(self) -> bool:
        row = self.work.execute(f"SELECT count(*) FROM ({self._backlog_keys()})").fetchone()
        return row != (0,)

    def _backlog_keys(self) -> str:
        return (
            f"SELECT key FROM {self.ledger.schema}.entry WHERE account = {self.ledger.account}"
            f" AND entity = {literal(self._name)} AND backlog IS NOT NULL"
        )

    def _by_key(self, keys: str) -> str:
        return f"SELECT _row FROM ({self.assembly.keyed()}) WHERE key IN ({keys})"

    def _materialise(self, live: list[str], backlog: list[str]) -> int:
        """Store the selected rows, and every other row that has the key of one of them."""
        selections = [f"SELECT _row, true AS live FROM ({one})" for one in live]
        selections += [f"SELECT _row, false AS live FROM ({one})" for one in backlog]
        union = "\nUNION ALL\n".join(selections or ["SELECT NULL::BIGINT AS _row, false AS live"])
        self.work.execute(
            "CREATE OR REPLACE TEMP TABLE touched AS"
            f" SELECT _row, bool_or(live) AS live FROM ({union}) WHERE _row IS NOT NULL GROUP BY 1"
        )
        keys = f"SELECT key FROM ({self.assembly.keyed(_TOUCHED)})"
        self.work.execute(
            f"INSERT INTO touched SELECT _row, true FROM ({self.assembly.keyed()})"
            f" WHERE key IN ({keys}) AND _row NOT IN (SELECT _row FROM touched)"
        )
        return self._count("touched")

    def _count(self, name: str) -> int:
        row = self.work.execute(f"SELECT count(*) FROM {name}").fetchone()
        return int(row[0]) if row else 0

    @property
    def _name(self) -> str:
        return self.entity.spec.name


def _began(load_id: str) -> float:
    """Return when a load began: its id is that moment. Any other id counts as of today."""
    try:
        return float(load_id)
    except ValueError:
        return math.inf


def _among(load_ids: list[str]) -> str:
    return f"{LOAD_ID} IN ({', '.join(literal(load_id) for load_id in load_ids)})"


def _looking_up(block: Block, lookup: Lookup, fresh: str | None) -> str:
    """Return the block's rows (with `_row`, their rowid) whose look-up row was loaded anew.

    Without `fresh`: those that have none although they name one.
    """
    joined = ", ".join(quote(name) for name, _ in lookup.on)
    on = " AND ".join(f"l.{quote(j)} = b.{quote(o)}" for j, o in lookup.on)
    where = f" WHERE {fresh}" if fresh else ""
    named = " AND ".join(f"b.{quote(own)} IS NOT NULL" for _, own in lookup.on)
    return (
        f"SELECT b.*, b.rowid AS _row FROM {block.relation} AS b {'SEMI' if fresh else 'ANTI'} JOIN"
        f" (SELECT {joined} FROM {lookup.relation}{where}) AS l ON {on}"
        + ("" if fresh else f" WHERE {named}")
    )
