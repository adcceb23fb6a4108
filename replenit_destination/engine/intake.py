"""Taking items: which lane each one gets, and when its turn is.

Items are pulled only as far as batches are needed. What concerns one record stays in order: the
next item of a key waits until the one before has its outcome.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from replenit_destination.engine.documents import Document, Removal, Verdict
from replenit_destination.engine.worklist import KeyOrder, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from replenit_destination.engine.batching import Numbering, Packer
    from replenit_destination.engine.delivery_options import DeliveryOptions
    from replenit_destination.engine.diagnosis import Diagnosis, Group
    from replenit_destination.engine.documents import Batch, Item, Outcome
    from replenit_destination.engine.solo import SoloLane
    from replenit_destination.engine.worklist import Worklist

__all__ = ["Intake"]

LOOKAHEAD_BATCHES = 2  # per worker: enough that no worker waits for packing
DEFERRED_AT_MOST = 10_000
OPEN_PARENTS_AT_MOST = 100_000
GROUPS_AT_ONCE = 50  # suspect groups of earlier runs that are searched side by side
SOLO_TRIAL = 200  # so many waiting solo documents start travelling before the stage's end


class Intake:
    """The way of an item from the stage's source to the worklist.

    Args:
        diagnosis: Takes the groups that earlier runs left suspect.
        refuse: Called with items that cannot travel in this run, and the reason.
    """

    def __init__(
        self,
        worklist: Worklist,
        packer: Packer,
        solo: SoloLane,
        numbering: Numbering,
        *,
        diagnosis: Diagnosis,
        options: DeliveryOptions,
        refuse: Callable[[Iterable[Item], str], None],
    ) -> None:
        self._worklist = worklist
        self._packer = packer
        self._solo = solo
        self._numbering = numbering
        self._diagnosis = diagnosis
        self._options = options
        self._refuse = refuse
        self._keys = KeyOrder()
        self._released: deque[Item] = deque()
        self._open_parents: set[tuple[str, str]] = set()
        self._too_many_open: set[str] = set()
        self._source: Iterator[Item] | None = None
        self._suspects: Iterator[Group] | None = None
        self._closed_because = ""
        self.failure: Exception | None = None  # the source's own, raised when all has its outcome

    @property
    def pulling(self) -> bool:
        """Whether the source may have more."""
        return self._source is not None or self._suspects is not None

    @property
    def empty(self) -> bool:
        """Whether nothing taken waits here for its batch."""
        return not (self._packer or self._solo or self._released)

    def open(self, items: Iterable[Item], suspects: Iterable[Group]) -> None:
        """Begin a stage."""
        self._source = iter(items)
        self._suspects = iter(suspects)

    def refill(self, requests: int) -> None:
        """Pull items until enough batches are ready, in a run that has made so many requests."""
        self._place_released()
        workers = max(1, self._options.workers)
        while self._source is not None and self._worklist.unsent < LOOKAHEAD_BATCHES * workers:
            if self._keys.deferred >= DEFERRED_AT_MOST or self._awaits_solo(requests):
                break
            self._pull(self._source)
        self._recall(requests)
        if self._source is None and self._worklist.unsent == 0:
            self._line_up(self._packer.close())
        batches_done = self._source is None and self._worklist.unsent == 0
        tried = len(self._solo) >= SOLO_TRIAL or self._awaits_solo(requests)
        if batches_done or tried:
            self._start_solo(requests)

    def _awaits_solo(self, requests: int) -> bool:
        """Whether the solo lane is full and a few more of its requests may empty it at once."""
        full = len(self._solo) >= self._options.solo_waiting
        return full and self._solo.affordable(requests)

    def release(self, outcomes: Sequence[Outcome]) -> None:
        """Let the next items of these outcomes' keys have their turn."""
        for outcome in outcomes:
            item = outcome.item
            if not self._closed_because and isinstance(item, Document):
                self._note_parent(item, outcome.verdict)
            following = self._keys.release(item)
            if following is not None:
                self._released.append(following)

    def close(self, reason: str) -> None:
        """Take nothing more, and refuse what waits here and what comes out of later releases."""
        self._source = self._suspects = None
        self._closed_because = reason
        for batch in self._packer.close():
            self._refuse(batch.items, reason)
        self.refuse_solo(reason)
        self._place_released()

    def refuse_solo(self, reason: str) -> None:
        """Refuse the documents that wait to travel alone."""
        self._refuse(self._solo.drain(), reason)

    def leave_suspects(self) -> None:
        """Take no more groups of earlier runs; they stay as the ledger has them."""
        self._suspects = None

    def _recall(self, requests: int) -> None:
        """Take up groups of earlier runs while there is room and budget for them."""
        while (
            self._suspects is not None
            and len(self._diagnosis) < GROUPS_AT_ONCE
            and self._diagnosis.affordable(requests)
        ):
            try:
                group = next(self._suspects, None)
            except Exception as error:
                self.failure = error
                group = None
            if group is None:
                self._suspects = None
            else:
                items = tuple(item for item in group.items if self._keys.admit(item))
                self._diagnosis.suspect(replace(group, items=items))

    def _pull(self, source: Iterator[Item]) -> None:
        try:
            item = next(source, None)
        except Exception as error:
            self.failure = error
            item = None
        if item is None:
            self._source = None
        else:
            self._take(item)

    def _take(self, item: Item) -> None:
        if self._keys.admit(item):
            self._place(item)

    def _place_released(self) -> None:
        while self._released:
            self._place(self._released.popleft())

    def _place(self, item: Item) -> None:
        """Give an item whose turn it is its lane."""
        if self._closed_because:
            self._refuse([item], self._closed_because)
        elif isinstance(item, Removal) and item.child and self._parent_is_open(item):
            self._refuse([item], "its parent document is not settled yet")
        elif not self._solo.wants(item):
            self._line_up(self._packer.add(item))
        elif item.urgent:
            self._worklist.add(Work(self._numbering.batch([item])))
        elif len(self._solo) < self._options.solo_waiting:
            self._solo.put(item)
        else:
            self._refuse([item], "too many documents must travel alone")

    def _line_up(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self._worklist.add(Work(batch))

    def _start_solo(self, requests: int) -> None:
        # One at a time: each acceptance may promote the ones that still wait.
        if self._worklist.unsent == 0:
            document = self._solo.take(requests)
            if document is not None:
                self._worklist.add(Work(self._numbering.batch([document])))

    def _parent_is_open(self, item: Removal) -> bool:
        known = (item.entity, item.key) in self._open_parents
        return known or item.entity in self._too_many_open

    def _note_parent(self, item: Item, verdict: Verdict) -> None:
        if verdict in {Verdict.BACKLOG, Verdict.SUSPECT}:
            if len(self._open_parents) < OPEN_PARENTS_AT_MOST:
                self._open_parents.add((item.entity, item.key))
            else:
                self._too_many_open.add(item.entity)  # then no child of this entity may go
        elif self._open_parents:
            self._open_parents.discard((item.entity, item.key))
