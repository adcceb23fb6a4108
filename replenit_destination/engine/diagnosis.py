"""Finding the refused documents among good ones, in few requests.

    refused batch ── pointers name documents ──► those are quarantined, the rest is sent at once
         └────────── no usable pointer ────────► a suspect group: searched by halves or by singles

A document is quarantined only for its own sake: named by the vendor, or refused when it travelled
alone. Every request of a search also delivers: the good half of a group is accepted by the very
request that clears it. Large groups go first, because they deliver most. When the budget is used
up, what is left is *suspect*: not sent again in this run, narrowed down in a later one.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING

from replenit_destination.engine.batching import halves

if TYPE_CHECKING:
    from replenit_destination.engine.documents import Batch, Item

__all__ = ["Diagnosis", "DiagnosisSettings", "Group", "Probe", "expected_requests"]


@dataclass(frozen=True, slots=True)
class DiagnosisSettings:
    """What searching may cost.

    `share` is the largest share of the run's requests spent on searching, `floor` what may be spent
    in any case (one bad document among a thousand takes about twenty), `waiting_documents` how many
    may wait for their turn.
    """

    share: float = 0.10
    floor: int = 25
    waiting_documents: int = 20_000


@dataclass(frozen=True, slots=True)
class Probe:
    """A group to send, and the other part of the refused group it was taken from."""

    items: tuple[Item, ...]
    batch: Batch
    words: str
    sibling: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Documents that were refused together, or were left over from such a group."""

    items: tuple[Item, ...]
    batch: Batch  # the refused batch they travelled in first
    words: str
    guilty: bool  # at least one of them is at fault; otherwise that is open


class Diagnosis:
    """The suspect groups of a run and the budget for searching them."""

    def __init__(self, settings: DiagnosisSettings) -> None:
        self._settings = settings
        self._groups: list[tuple[int, int, Group]] = []
        self._order = count()
        self._good = 0
        self._bad = 0
        self._documents = 0
        self.requests = 0

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def overfull(self) -> bool:
        """Whether more documents wait than should be kept in memory."""
        return self._documents > self._settings.waiting_documents

    def suspect(
        self, items: tuple[Item, ...], batch: Batch, words: str, *, guilty: bool = True
    ) -> None:
        """Let a group wait for its search; `guilty` when it was refused, else it is merely open."""
        if items:
            group = Group(items, batch, words, guilty)
            heapq.heappush(self._groups, (-len(items), next(self._order), group))
            self._documents += len(items)

    def learn(self, *, good: int = 0, bad: int = 0) -> None:
        """Note how many documents turned out good or bad; the search is planned by their rate."""
        self._good += good
        self._bad += bad

    def affordable(self, requests: int) -> bool:
        """Return whether one more request may be spent in a run that has made so many."""
        return self.requests < max(self._settings.floor, self._settings.share * requests)

    def take(self) -> Probe:
        """Return what to send next; there must be a group. Counts as one request."""
        self.requests += 1
        while True:
            group = self._pop()
            if not group.guilty or len(group.items) == 1:
                return Probe(group.items, group.batch, group.words)
            if self._by_singles(len(group.items)):
                for item in group.items:
                    self.suspect((item,), group.batch, group.words, guilty=False)
                continue
            first, second = halves(group.items)
            return Probe(first, group.batch, group.words, sibling=second)

    def cleared(self, probe: Probe) -> None:
        """Note that a probe was accepted: then the fault is in its sibling."""
        self.suspect(probe.sibling, probe.batch, probe.words)

    def undecided(self, probe: Probe) -> None:
        """Note that a probe was refused or gave no answer: then its sibling is open."""
        self.suspect(probe.sibling, probe.batch, probe.words, guilty=False)

    def give_up(self) -> Group:
        """Return the largest waiting group, never to be sent in this run."""
        return self._pop()

    def _pop(self) -> Group:
        group = heapq.heappop(self._groups)[2]
        self._documents -= len(group.items)
        return group

    def _by_singles(self, size: int) -> bool:
        seen = self._good + self._bad
        rate = max(1 / size, self._bad / seen if seen else 0.0)
        return size <= expected_requests(size, round(min(rate, 0.99), 3))


@lru_cache(maxsize=4096)
def expected_requests(size: int, rate: float) -> float:
    """Return how many requests a search by halves takes in a refused group.

    `rate` is the share of bad documents.

    The first half is sent. Accepted: the fault is in the second, which is halved without being
    sent. Refused: the first is halved and the second sent. A group of one is sent alone, for its
    own reason.
    """
    if size == 1:
        return 1.0
    first, second = size // 2, size - size // 2
    guilty_first = (1 - (1 - rate) ** first) / (1 - (1 - rate) ** size)
    search_first = expected_requests(first, rate) if first > 1 else 0.0
    guilty_second = 1 - (1 - rate) ** second
    open_second = 1 + (guilty_second * expected_requests(second, rate) if second > 1 else 0.0)
    return (
        1
        + guilty_first * (search_first + open_second)
        + (1 - guilty_first) * expected_requests(second, rate)
    )
