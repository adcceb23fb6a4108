"""What to do about documents that no source row makes any more.

Evidence decides (real-shops.md rules 8 and 10), the guard limits (rule 11), and the target says
whether the removed is deleted or re-sent altered, for instance as unavailable.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.canonical import canonical
from replenit_destination.engine.documents import Document, Removal, key_hash
from replenit_destination.engine.guards import WEEK_SECONDS, RemovalGuard, Withheld
from replenit_destination.engine.sql import literal
from replenit_destination.engine.validation import content_hash

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import duckdb

    from replenit_destination.engine.binding import BoundEntity
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import ChildSpec, EntitySpec

__all__ = ["RETIRED", "Removals"]

RETIRED = 0
"""The source hash of a document that was re-sent as gone: no row renders to it, and it is no news.
"""

_SAMPLES = 3


@dataclass
class Removals:
    """Decides removals, entity by entity and child by child.

    Args:
        work: The connection with the temp table `gone`.
        ledger: The account's ledger.
        allow: Entities whose removals may go this once, whatever the guards say.
        held: Entity → what the vendor holds: `sent` documents and `children`.
    """

    work: duckdb.DuckDBPyConnection
    ledger: Ledger
    allow: Collection[str]
    held: dict[str, dict[str, int]]
    guard: RemovalGuard = field(default_factory=RemovalGuard)

    def decide(
        self, bound: Mapping[str, BoundEntity], source_rows: Mapping[str, int]
    ) -> tuple[dict[str, list[Document | Removal]], list[Withheld], frozenset[str]]:
        """Return what may go per entity, what is withheld, and whose lost children must stay."""
        decided: dict[str, list[Document | Removal]] = {}
        withheld: list[Withheld] = []
        kept = {}
        for name, entity in bound.items():
            decided[name], refused = self.documents(entity, source_rows[name])
            withheld += refused
            if reason := self.retirements(entity, source_rows[name]):
                kept[name] = reason
                withheld.append(reason)
        return decided, withheld, frozenset(kept)

    def documents(
        self, entity: BoundEntity, source_rows: int
    ) -> tuple[list[Document | Removal], list[Withheld]]:
        """Return the removals of one entity that may go, and those withheld."""
        name, withheld = entity.spec.name, []
        if self._count(name, "true") == 0:
            return [], []
        if not entity.spec.vanished_is_gone and name not in self.allow:
            reason = "they are not in the source any more, but nothing shows they were destroyed"
            withheld += self._withhold(name, "cause = 'vanished'", reason)
        wanted = self._count(name, "true")
        if name not in self.allow:
            refusal = self._refused(name, wanted, source_rows)
            if refusal:
                return [], [*withheld, *self._withhold(name, "true", refusal)]
        rows = self.work.execute(
            "SELECT key, source_id, alive_as, body FROM gone WHERE entity = ? ORDER BY key", [name]
        ).fetchall()
        return [self._removal(entity, *row) for row in rows], withheld

    def retirements(self, entity: BoundEntity, source_rows: int) -> Withheld | None:
        """Return what withholds the children that pending documents would call gone, if anything.

        Where the gone are re-sent altered, a filtered child table would alter every document.
        """
        spec = entity.spec
        if not spec.retire or spec.child is None or spec.name in self.allow:
            return None
        rows = self.work.execute(
            f"WITH lost AS (SELECT key, len({_lost(spec.child, spec.retire)}) AS children"
            " FROM pending WHERE entity = ?)"
            " SELECT key, children FROM lost WHERE children > 0 ORDER BY key",
            [spec.name],
        ).fetchall()
        if not rows:
            return None
        wanted = sum(children for _, children in rows)
        _, done = self.ledger.removed_since(spec.name, self.ledger.clock.now() - WEEK_SECONDS)
        held = self.held.get(spec.name, {}).get("children", 0)
        reason = self.guard.refuses(wanted=wanted, done=done, held=held, source_rows=source_rows)
        if reason is None:
            return None
        samples = tuple(key_hash(spec.name, key) for key, _ in rows[:_SAMPLES])
        return Withheld(spec.name, wanted, reason, samples, children=True)

    def children(
        self, removals: Sequence[Removal], source_rows: dict[str, int]
    ) -> tuple[list[Removal], list[Withheld], list[Removal]]:
        """Split child removals: those that may go, the withheld ones in words, and as they are."""
        allowed: list[Removal] = []
        withheld: list[Withheld] = []
        kept: list[Removal] = []
        for name in dict.fromkeys(removal.entity for removal in removals):
            mine = [removal for removal in removals if removal.entity == name]
            _, done = self.ledger.removed_since(name, self.ledger.clock.now() - WEEK_SECONDS)
            reason = self.guard.refuses(
                wanted=len(mine),
                done=done,
                held=self.held.get(name, {}).get("children", 0),
                source_rows=source_rows.get(name, 0),
            )
            if reason is None or name in self.allow:
                allowed += mine
            else:
                kept += mine
                samples = tuple(dict.fromkeys(key_hash(name, r.key) for r in mine))[:_SAMPLES]
                withheld.append(Withheld(name, len(mine), reason, samples, children=True))
        return allowed, withheld, kept

    def _refused(self, name: str, wanted: int, source_rows: int) -> str | None:
        done, _ = self.ledger.removed_since(name, self.ledger.clock.now() - WEEK_SECONDS)
        sent = self.held.get(name, {}).get("sent", 0)
        return self.guard.refuses(wanted=wanted, done=done, held=sent, source_rows=source_rows)

    def _withhold(self, name: str, condition: str, reason: str) -> list[Withheld]:
        """Take rows out of `gone`, so that they stay at the vendor and are looked at again."""
        count = self._count(name, condition)
        if count == 0:
            return []
        samples = self.work.execute(
            f"SELECT key FROM gone WHERE entity = ? AND {condition} ORDER BY key LIMIT {_SAMPLES}",
            [name],
        ).fetchall()
        self.work.execute(
            f"UPDATE {self.ledger.schema}.entry SET backlog = 'withheld'"
            " WHERE account = ? AND entity = ?"
            f" AND key IN (SELECT key FROM gone WHERE entity = ? AND {condition})",
            [self.ledger.account, name, name],
        )
        self.work.execute(f"DELETE FROM gone WHERE entity = ? AND {condition}", [name])
        return [Withheld(name, count, reason, tuple(key_hash(name, row[0]) for row in samples))]

    def _count(self, name: str, condition: str) -> int:
        row = self.work.execute(
            f"SELECT count(*) FROM gone WHERE entity = ? AND {condition}", [name]
        ).fetchone()
        return int(row[0]) if row else 0

    def _removal(
        self,
        entity: BoundEntity,
        key: str,
        source_id: str | None,
        alive_as: str | None,
        body: str | None,
    ) -> Document | Removal:
        spec = entity.spec
        if spec.retire and spec.child and body:
            return _retired(spec, spec.retire, key, source_id or "", body)
        identifiers = [(spec.key, key)]
        # An identifier that a live document still holds would delete that one (rule 8).
        if entity.identity and source_id and not alive_as:
            identifiers.append((entity.identity, source_id))
        return Removal(
            spec.name,
            key,
            urgent=bool(spec.consents),
            identifiers=tuple(identifiers),
            after=alive_as or "",
        )


def _lost(spec: ChildSpec, flag: str) -> str:
    """Return SQL for the child keys a row of `pending` has lost and whose flag is still set."""
    path = literal(f'$."{spec.property}"')
    members = ", ".join(f"coalesce(one ->> {literal(name)}, '')" for name in spec.key)

    def keys(document: str, condition: str = "true") -> str:
        listed = f"""coalesce(from_json({document} -> {path}, '["JSON"]'), [])"""
        kept = f"list_filter({listed}, lambda one: {condition})"
        return f"list_transform({kept}, lambda one: CAST(to_json([{members}]) AS VARCHAR))"

    withdrawn = keys("body", f"one ->> {literal(flag)} = 'false'")
    return (
        "list_filter(coalesce(children, []), lambda child: body IS NOT NULL"
        f" AND NOT list_contains({keys('document')}, child)"
        f" AND NOT list_contains({withdrawn}, child))"
    )


def _retired(spec: EntitySpec, flag: str, key: str, source_id: str, body: str) -> Document:
    assert spec.child is not None  # noqa: S101 - for the type checker
    payload: dict[str, Any] = json.loads(body, parse_float=Decimal)
    children = [{**child, flag: False} for child in payload[spec.child.property]]
    altered = canonical({**payload, spec.child.property: children})
    return Document(
        entity=spec.name,
        key=key,
        body=altered,
        content_hash=content_hash(altered),
        source_hash=RETIRED,
        children=(),
        source_id=source_id,
        known=True,
    )
