"""From pending rows to documents: verdict, canonical JSON, and what else the change asks for.

One row at a time, streamed from DuckDB: a row is ready, refused, the very document the vendor
already has, or waits. A child that was accepted and is not in the document any more is retired
inside it (where the target wants that) or becomes a removal of its own that follows the document.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from replenit_destination.engine.assembly import LINE
from replenit_destination.engine.canonical import canonical
from replenit_destination.engine.documents import (
    Document,
    Outcome,
    Removal,
    Verdict,
    child_key,
)
from replenit_destination.engine.emptied import emptied, field_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import duckdb

    from replenit_destination.engine.books import Books
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import ChildSpec, EntitySpec, Judgement, Target

__all__ = ["Links", "Notes", "Row", "Validation", "content_hash", "read_pending"]

LONGEST_WAIT_SECONDS = 24 * 3600
"""An order waits so long for its quarantined customer or product, then goes (real-shops.md rule
18).
"""

_STALE = "stays withdrawn: this consent is not newer than the withdrawal"
_CHUNK = 1000
_PLACE = re.compile(r"\[\d+\]")
_EMPTIED = "became empty; a vendor that keeps omitted fields still shows the old value"
_COLUMNS = (
    "entity, key, source_id, source_hash, source_rows, document, urgent, sent, content_hash,"
    " children, lines, fields, body, grants, withdrawn_at"
)


class Row(NamedTuple):
    """One row of `pending`."""

    entity: str
    key: str
    source_id: str
    source_hash: int
    source_rows: int
    document: str
    urgent: bool
    sent: bool
    content_hash: int | None
    children: list[str] | None
    lines: str | None
    fields: str | None
    body: str | None
    grants: list[str] | None
    withdrawn_at: str | None


def read_pending(
    work: duckdb.DuckDBPyConnection, *, urgent: bool, stage: int | None = None, where: str = "true"
) -> Iterator[Row]:
    """Yield pending rows in sending order: live changes before backlog, newest first.

    They are sorted into a table first: a result that is read while batches are recorded would keep
    the memory it was sorted in. One iterator at a time.
    """
    conditions = [where, "urgent" if urgent else "NOT urgent"]
    if stage is not None:
        conditions.append(f"stage = {stage}")
    work.execute(
        f"CREATE OR REPLACE TEMP TABLE sending AS SELECT {_COLUMNS} FROM pending"
        f" WHERE {' AND '.join(conditions)} ORDER BY stage, backlog, newest DESC NULLS LAST"
    )
    first = 0
    while rows := work.execute(
        f"FROM sending WHERE rowid >= {first} AND rowid < {first + _CHUNK} ORDER BY rowid"
    ).fetchall():
        yield from map(Row._make, rows)
        first += _CHUNK


@dataclass
class Links:
    """What documents that point to others must know of them.

    `refused` is (entity, key) → when, for documents the vendor has never taken; `gated` is entity →
    keys whose consent is given, for entities behind a gate.
    """

    refused: dict[tuple[str, str], float] = field(default_factory=dict)
    gated: dict[str, set[str]] = field(default_factory=dict)

    def read(self, ledger: Ledger, specs: Iterable[EntitySpec]) -> None:
        """Take in what a ledger says."""
        for spec in specs:
            refused = ledger.never_accepted(spec.name)
            self.refused.update({(spec.name, key): at for key, at in refused.items()})
            if spec.gate:
                self.gated[spec.name] = ledger.granted(spec.name, spec.gate)

    def arrived(self, document: Document, gate: str | None) -> None:
        """Take in that the vendor has a document now."""
        self.refused.pop((document.entity, document.key), None)
        if gate is not None:
            keys = self.gated.setdefault(document.entity, set())
            (keys.add if gate in document.grants else keys.discard)(document.key)


@dataclass
class Notes:
    """What documents travelled without: (entity, what, field, reason) → count."""

    counts: dict[tuple[str, str, str, str], int] = field(default_factory=dict)

    def add(self, entity: str, what: str, notes: tuple[tuple[str, str], ...]) -> None:
        """Count notes of one document; which of its children it was makes no difference."""
        for name, reason in notes:
            key = (entity, what, _PLACE.sub("[]", name), reason)
            self.counts[key] = self.counts.get(key, 0) + 1


class Validation:
    """Judges rows.

    Args:
        target: Whose rules.
        books: Takes the outcome of every row that does not travel, and watches documents that lost
            a child.
        links: Shared with whoever learns of outcomes.
        now: The wall clock in seconds.
        force: Send also what the vendor already has.
        keep_children: Entities whose lost children stay as they were accepted: a guard withholds.
    """

    def __init__(
        self,
        target: Target,
        books: Books,
        links: Links,
        *,
        now: float,
        force: bool = False,
        keep_children: Collection[str] = (),
    ) -> None:
        self._target = target
        self._specs = {spec.name: spec for spec in target.entities}
        self._books = books
        self._links = links
        self._now = now
        self._force = force
        self._keep_children = keep_children
        self.notes = Notes()
        self.removals: list[Removal] = []

    def documents(self, rows: Iterator[Row]) -> Iterator[Document]:
        """Yield what must be sent; everything else gets its outcome at once."""
        for row in rows:
            document = self._document(row)
            if document is not None:
                yield document

    def _document(self, row: Row) -> Document | None:
        spec = self._specs[row.entity]
        values = orjson.loads(row.document)
        lines = self._remember_lines(spec, values, row.lines)
        stale = _take_back_stale_consents(spec, row, values)
        if stale:
            self.notes.add(row.entity, "warnings", tuple((name, _STALE) for name in stale))
        judgement = self._target.judge(row.entity, values)
        for what in ("omitted", "dropped", "warnings"):
            if notes := getattr(judgement, what):
                self.notes.add(row.entity, what, notes)
        withdrawn_at = _withdrawn_at(spec, values)
        if judgement.skipped:
            name, reason = judgement.skipped
            refused = _unfinished(row, lines, withdrawn_at)
            self._books.note(Outcome(refused, Verdict.SKIPPED, field=name, reason=reason))
            return None
        if judgement.rejected:
            name, reason = judgement.refusals[0]
            if judgement.refusals[1:]:
                reason += f" (and {len(judgement.refusals) - 1} more)"
            refused = _unfinished(row, lines, withdrawn_at)
            self._books.note(Outcome(refused, Verdict.REJECTED, field=name, reason=reason))
            return None
        return self._finished(spec, row, judgement, lines, withdrawn_at)

    def _finished(
        self, spec: EntitySpec, row: Row, judgement: Judgement, lines: str, withdrawn_at: str
    ) -> Document | None:
        payload = judgement.payload
        children = judgement.children
        newly_retired = 0
        lost = [child for child in row.children or () if child not in children]
        if lost and spec.child and spec.retire:
            kept = row.entity in self._keep_children
            retired = _retired(spec.child, None if kept else spec.retire, row.body, lost)
            payload = {
                **payload,
                spec.child.property: [*payload[spec.child.property], *retired.values()],
            }
            children = (*children, *retired)
            lost = [child for child in lost if child not in retired]
            newly_retired = 0 if kept else _news(spec, row.body, retired)
        body = canonical(payload)
        document = Document(
            entity=row.entity,
            key=row.key,
            body=body,
            content_hash=content_hash(body),
            source_hash=row.source_hash,
            children=children,
            grants=tuple([name for name in spec.consents if payload.get(name) is True]),
            links=_links(spec, payload),
            lane=judgement.lane,
            solo_class=judgement.solo_class,
            urgent=row.urgent,
            source_id=row.source_id,
            source_rows=row.source_rows,
            lines=lines,
            fields=field_names(spec, payload),
            withdrawn_at=withdrawn_at,
            known=row.sent,
            retired=newly_retired,
        )
        held = self._held(spec, document)
        if held is not None:
            self._books.note(held)
            return None
        for child in lost:
            self.removals.append(Removal(row.entity, row.key, child))
            self._books.expect(self.removals[-1])
        self._note_withheld(spec, row, judgement.children)
        if document.content_hash == row.content_hash and not self._force:
            self._books.note(Outcome(document, Verdict.UNCHANGED))
            return None
        if row.fields:
            lost_values = emptied(spec, row.fields, row.children or (), payload)
            self.notes.add(row.entity, "emptied", tuple((name, _EMPTIED) for name in lost_values))
        return document

    def _note_withheld(self, spec: EntitySpec, row: Row, children: tuple[str, ...]) -> None:
        """Have the children that a guard keeps looked at again by the next run."""
        if spec.retire and row.entity in self._keep_children:
            for child in set(row.children or ()) - set(children):
                kept = Removal(row.entity, row.key, child)
                self._books.note(Outcome(kept, Verdict.BACKLOG, reason="withheld"))

    def _held(self, spec: EntitySpec, document: Document) -> Outcome | None:
        """Return why a document must not travel now although it is sound."""
        if spec.gate and spec.gate not in document.grants and not document.known:
            reason = "has not consented; only consented people are sent"
            return Outcome(document, Verdict.SKIPPED, field=spec.gate, reason=reason)
        for entity, key in document.links:
            gate = self._specs[entity].gate
            if gate and key not in self._links.gated.get(entity, ()):
                reason = f"belongs to someone in {entity} who has not consented"
                return Outcome(document, Verdict.SKIPPED, field=gate, reason=reason)
            since = self._links.refused.get((entity, key))
            if since is not None and self._now - since < LONGEST_WAIT_SECONDS:
                return Outcome(document, Verdict.BACKLOG, reason=f"waits for its refused {entity}")
        return None

    @staticmethod
    def _remember_lines(spec: EntitySpec, values: dict[str, Any], known: str | None) -> str:
        """Give child rows that lost an identifier the one they had; return all identifiers.

        A product deleted at the source leaves its order lines without it; that must not look like a
        removed line (real-shops.md rule 14).
        """
        if spec.child is None:
            return ""
        before: dict[str, str] = orjson.loads(known) if known else {}
        now: dict[str, str] = {}
        for child in values.get(spec.child.property) or ():
            line = child.get(LINE)
            if line is None:
                continue
            if line in before:
                _restore(child, spec.child.key, orjson.loads(before[line]))
            key = _child_key(spec.child, child)
            if key is not None:
                now[line] = key
        return orjson.dumps(now).decode() if now else ""


def _unfinished(row: Row, lines: str, withdrawn_at: str) -> Document:
    """Return the document of a row that does not travel."""
    return Document(
        entity=row.entity,
        key=row.key,
        body=b"",
        content_hash=0,
        source_hash=row.source_hash,
        urgent=row.urgent,
        source_id=row.source_id,
        source_rows=row.source_rows,
        lines=lines,
        withdrawn_at=withdrawn_at,
        known=row.sent,
    )


def _restore(child: dict[str, Any], names: tuple[str, ...], values: list[str]) -> None:
    mine = [child.get(name) for name in names]
    if None in mine and all(m in {None, v} for m, v in zip(mine, values, strict=True)):
        child.update(zip(names, values, strict=True))


def _child_key(spec: ChildSpec, child: Mapping[str, Any]) -> str | None:
    values = [child.get(name) for name in spec.key]
    return None if None in values else child_key(*values)


def _retired(
    spec: ChildSpec, flag: str | None, body: str | None, lost: list[str]
) -> dict[str, dict[str, Any]]:
    """Return the lost children as they were last accepted, with their flag, if any, false."""
    if body is None:
        return {}
    accepted = json.loads(body, parse_float=Decimal).get(spec.property, [])
    by_key = {_child_key(spec, child): child for child in accepted}
    altered: dict[str, Any] = {flag: False} if flag else {}
    return {key: {**by_key[key], **altered} for key in lost if key in by_key}


def _news(spec: EntitySpec, body: str | None, retired: Mapping[str, Mapping[str, Any]]) -> int:
    """Return how many of the retired children the accepted document did not call gone yet."""
    if body is None or spec.child is None:
        return 0
    accepted = json.loads(body, parse_float=Decimal).get(spec.child.property, [])
    gone = {_child_key(spec.child, one) for one in accepted if one.get(spec.retire) is False}
    return len(retired.keys() - gone)


def _take_back_stale_consents(spec: EntitySpec, row: Row, values: dict[str, Any]) -> list[str]:
    """Set consents to false that are older than the person's withdrawal; return their names.

    A row of yesterday that arrives today must not undo an opt-out (real-shops.md rule 3).
    """
    given_at = values.get(spec.consent_time) if spec.consent_time else None
    if not (row.sent and given_at and row.withdrawn_at) or given_at > row.withdrawn_at:
        return []
    stale = [c for c in spec.consents if values.get(c) is True and c not in (row.grants or ())]
    values.update(dict.fromkeys(stale, False))
    return stale


def _withdrawn_at(spec: EntitySpec, values: Mapping[str, Any]) -> str:
    if spec.consent_time is None or all(values.get(c) is not False for c in spec.consents):
        return ""
    return values.get(spec.consent_time) or ""


def _links(spec: EntitySpec, payload: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    links = [(entity, payload[name]) for name, entity in spec.link.items() if name in payload]
    if spec.child is not None:
        children = payload.get(spec.child.property, ())
        for name, entity in spec.child_link.items():
            links += [(entity, child[name]) for child in children if name in child]
    return tuple(dict.fromkeys(links))


def content_hash(body: bytes) -> int:
    """Return the 64-bit hash of a canonical document; two share one once in 1.8e19."""
    return int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "big")
