"""What is ready to be sent, what waits for its moment, and whose turn it is."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replenit_destination.engine.diagnosis import Probe
    from replenit_destination.engine.documents import Batch, Item

__all__ = ["KeyOrder", "Work", "Worklist"]


@dataclass(slots=True)
class Work:
    """A batch on its way to an answer, over all its sendings."""

    batch: Batch
    intended: bool = False  # the intent to send these items is on record
    probe: Probe | None = None  # the search this request belongs to
    rest: bool = False  # what was left after a refusal that named documents
    failures: int = 0  # sendings without a usable answer
    timeouts: int = 0
    denials: int = 0  # answers that may be refusals

    def part(self, batch: Batch) -> Work:
        """Return the work of sending a part of this batch."""
        return Work(batch, intended=self.intended, rest=self.rest)


class Worklist:
    """Work in the order of sending: urgent, then what was sent before, then new batches.

    Work that backs off waits until its moment and then goes first among its kind.
    """

    def __init__(self) -> None:
        self._urgent: deque[Work] = deque()
        self._again: deque[Work] = deque()
        self._new: deque[Work] = deque()
        self._later: list[tuple[float, int, Work]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._again) + len(self._new) + len(self._later)

    @property
    def unsent(self) -> int:
        """How many batches may go and have not been sent yet."""
        return len(self._urgent) + len(self._new)

    def add(self, work: Work) -> None:
        """Line up work that may go at once."""
        if work.batch.urgent:
            self._urgent.append(work)
        elif work.intended or work.probe:
            self._again.append(work)
        else:
            self._new.append(work)

    def postpone(self, work: Work, until: float) -> None:
        """Keep work back until a moment of monotonic time."""
        heapq.heappush(self._later, (until, next(self._order), work))

    def peek(self, now: float) -> Work | None:
        """Return what to send next, leaving it in line; None when nothing may go now."""
        while self._later and self._later[0][0] <= now:
            self.add(heapq.heappop(self._later)[2])
        for line in (self._urgent, self._again, self._new):
            if line:
                return line[0]
        return None

    def remove(self, work: Work) -> None:
        """Take what `peek` returned out of the line."""
        for line in (self._urgent, self._again, self._new):
            if line and line[0] is work:
                line.popleft()
                return

    def next_due(self) -> float | None:
        """Return when the first postponed work may go, in monotonic time."""
        return self._later[0][0] if self._later else None

    def drain(self) -> list[Work]:
        """Return and forget everything, in no particular order."""
        everything = [
            *self._urgent,
            *self._again,
            *self._new,
            *(work for _, _, work in self._later),
        ]
        for line in (self._urgent, self._again, self._new, self._later):
            line.clear()
        return everything


class KeyOrder:
    """Keeps what concerns one record in the order in which it came, one at a time.

    A document and the removal of one of its children share a key: the removal waits until the
    document has its outcome.
    """

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, str], deque[Item] | None] = {}
        self.deferred = 0

    def admit(self, item: Item) -> bool:
        """Return whether the item may go; otherwise it is kept until `release` hands it out."""
        key = (item.entity, item.key)
        if key not in self._under_way:
            self._under_way[key] = None
            return True
        waiting = self._under_way[key] or deque()
        waiting.append(item)
        self._under_way[key] = waiting
        self.deferred += 1
        return False

    def release(self, item: Item) -> Item | None:
        """Note that an item has its outcome; return the next one of its key, which may go."""
        key = (item.entity, item.key)
        waiting = self._under_way[key]
        if waiting:
            self.deferred -= 1
            return waiting.popleft()
        del self._under_way[key]
        return None
