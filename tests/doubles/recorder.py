"""A ledger in memory that refuses to be told the same thing twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.documents import (
        Batch,
        Item,
        Outcome,
        Verdict,
    )


class MemoryRecorder:
    """Keeps intents and outcomes in order."""

    def __init__(self) -> None:
        self.intended: list[Item] = []
        self._intended_ids: set[int] = set()
        self.outcomes: list[Outcome] = []
        self.flushed = 0

    def intend(self, batch: Batch) -> None:
        for item in batch.items:
            assert id(item) not in self._intended_ids, "an item is intended once"
            self._intended_ids.add(id(item))
        self.intended.extend(batch.items)

    def record(self, outcomes: Sequence[Outcome]) -> None:
        assert outcomes, "nothing to record"
        self.outcomes.extend(outcomes)

    def flush(self) -> None:
        self.flushed = len(self.outcomes)

    def keys(self, verdict: Verdict) -> list[str]:
        """Return the keys of documents and whole removals with this verdict, sorted."""
        return sorted(o.item.key for o in self.outcomes if o.verdict is verdict)

    def counts(self) -> dict[str, int]:
        """Return how many items ended in each verdict."""
        return dict(Counter(str(o.verdict) for o in self.outcomes))

    def assert_one_outcome_each(self, items: Sequence[Item]) -> None:
        """Check that these very items, and no others, have exactly one outcome."""
        assert sorted(map(id, items)) == sorted(id(o.item) for o in self.outcomes)
