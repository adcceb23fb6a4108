"""Whose turn it is: what was promised first, then a search, then batches not sent yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.batching import halves
from replenit_destination.engine.documents import Outcome, Verdict
from replenit_destination.engine.target import UnaddressableError
from replenit_destination.engine.worklist import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replenit_destination.engine.batching import LearnedLimits, Numbering
    from replenit_destination.engine.diagnosis import Diagnosis
    from replenit_destination.engine.target import Target
    from replenit_destination.engine.worklist import Worklist

__all__ = ["Turns"]


class Turns:
    """Chooses the next work and makes sure that it can be sent as it is.

    Args:
        conclude: Called with the outcomes of items that cannot be sent at all.
    """

    def __init__(
        self,
        target: Target,
        worklist: Worklist,
        diagnosis: Diagnosis,
        limits: LearnedLimits,
        numbering: Numbering,
        *,
        conclude: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self._target = target
        self._worklist = worklist
        self._diagnosis = diagnosis
        self._limits = limits
        self._numbering = numbering
        self._conclude = conclude

    def next(self, now: float, requests: int) -> Work | None:
        """Return the next work in a run that has made so many requests; it stays in line."""
        work = self._worklist.peek(now)
        may_search = work is None or not (work.batch.urgent or work.intended or work.probe)
        if may_search and self._diagnosis and self._diagnosis.affordable(requests):
            probe = self._diagnosis.take()
            batch = self._numbering.batch(probe.items, parent=probe.group.batch)
            self._worklist.add(Work(batch, intended=probe.group.intended, probe=probe))
            work = self._worklist.peek(now)
        while work is not None and not self._sendable(work):
            work = self._worklist.peek(now)
        return work

    def _sendable(self, work: Work) -> bool:
        """Return whether work can go; otherwise it is out of line, split or refused."""
        if self._outgrown(work):
            self._worklist.remove(work)
            for half in halves(work.batch.items):
                self._worklist.add(work.part(self._numbering.batch(half, parent=work.batch)))
            return False
        if not work.batch.is_removal or work.intended:
            return True
        try:
            self._target.request(work.batch)
        except UnaddressableError as error:
            self._worklist.remove(work)
            item = work.batch.items[0]
            self._conclude(
                [Outcome(item, Verdict.QUARANTINED, field=error.field, reason=error.reason)]
            )
            return False
        return True

    def _outgrown(self, work: Work) -> bool:
        """Whether a smaller limit was learned since this batch was packed."""
        batch = work.batch
        if work.probe or len(batch.items) == 1 or batch.entity not in self._limits.learned:
            return False
        return batch.size_bytes > self._limits(batch.entity).bytes
