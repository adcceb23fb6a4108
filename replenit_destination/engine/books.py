"""The delivery's recorder for one run: the ledger, and what the run must know of outcomes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from replenit_destination.engine.documents import Document, Removal, Verdict
from replenit_destination.engine.removals import RETIRED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from replenit_destination.engine.documents import Batch, Item, Outcome
    from replenit_destination.engine.erasures import Erasures
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.lessons import Lessons
    from replenit_destination.engine.target import EntitySpec
    from replenit_destination.engine.validation import Links

__all__ = ["Books"]

_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.UNCONFIRMED})
_REFUSED = frozenset({Verdict.REJECTED, Verdict.QUARANTINED, Verdict.SUSPECT})
_FLUSH_AT = 1000


class Books:
    """Passes intents and outcomes to the ledger, counts them, and tells who links to what.

    Outcomes are gathered and written with the next intent, or when delivery is about to wait: a
    write costs more than what is written.

    Args:
        ledger: The account's ledger.
        links: What documents must know of those they point to.
        specs: The target's entities by name.
        lessons: Keeps what became suspect together.
        erasures: Keeps what became of erasures, apart from the entries.
    """

    def __init__(
        self,
        ledger: Ledger,
        links: Links,
        specs: Mapping[str, EntitySpec],
        lessons: Lessons,
        erasures: Erasures | None = None,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.parents: dict[tuple[str, str], bool] = {}
        self.ended = 0
        self._ledger = ledger
        self._lessons = lessons
        self._erasures = erasures
        self._links = links
        self._gates = {name: spec.gate for name, spec in specs.items()}
        self._unwritten: list[Outcome] = []

    def expect(self, removal: Removal) -> None:
        """Watch what becomes of the document that must have arrived before this removal may go."""
        self.parents.setdefault((removal.entity, removal.after or removal.key), False)

    def settled(self, entity: str, keys: Iterable[str]) -> None:
        """Take in which of the watched documents had arrived before this run."""
        self.parents |= dict.fromkeys([(entity, key) for key in keys], True)

    def arrived(self, item: Item) -> bool:
        """Return whether nothing that must come before this item is missing at the vendor.

        The removal of a child follows today's version of its document; that of a document which
        lives on under another key follows its successor (real-shops.md rule 8).
        """
        if isinstance(item, Removal) and (item.child or item.after):
            return self.parents.get((item.entity, item.after or item.key), False)
        return True

    def intend(self, batch: Batch) -> None:
        """Record that a batch is about to leave; an erasure stands on record already."""
        if _erases(batch.items[0]):
            return
        self._ledger.append(self._unwritten, batch)
        self._unwritten.clear()

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes of requests; those that became suspect together come together."""
        if self._erasures and outcomes and _erases(outcomes[0].item):
            self._erasures.record(outcomes)
            return
        if outcomes and outcomes[0].verdict is Verdict.SUSPECT:
            self._lessons.keep_suspects(outcomes)
        self._unwritten += outcomes
        for outcome in outcomes:
            self._learn(outcome)

    def note(self, outcome: Outcome) -> None:
        """Record an outcome that no request was needed for."""
        self._learn(outcome)
        self._unwritten.append(outcome)
        if len(self._unwritten) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._unwritten:
            self._ledger.append(self._unwritten)
            self._unwritten.clear()

    def _learn(self, outcome: Outcome) -> None:
        item, verdict = outcome.item, outcome.verdict
        self.ended += verdict is not Verdict.BACKLOG
        taken = verdict in _TAKEN
        if isinstance(item, Removal):
            if taken:
                self.counts[item.entity, "children_deleted" if item.child else "deleted"] += 1
            return
        name = (item.entity, item.key)
        if name in self.parents:
            self.parents[name] = taken or verdict is Verdict.UNCHANGED
        if taken:
            self.counts[item.entity, _what(item)] += 1
            self.counts[item.entity, "unconfirmed"] += verdict is Verdict.UNCONFIRMED
            self.counts[item.entity, "children_deleted"] += item.retired
            self._ledger.count_retired(item)
        if taken or verdict is Verdict.UNCHANGED:
            self._links.arrived(item, self._gates.get(item.entity))
        elif verdict in _REFUSED and not item.known:
            self._links.refused.setdefault(name, self._ledger.clock.now())


def _erases(item: Item) -> bool:
    return isinstance(item, Removal) and item.erasure


def _what(document: Document) -> str:
    if document.source_hash == RETIRED:
        return "deleted"
    return "updated" if document.known else "created"
