"""Finding the refused documents among good ones, in few requests.

    refused batch ── pointers name documents ──► those are quarantined, the rest is sent at once
         └────────── no usable pointer ────────► a guilty group: a part of it is sent alone
                       ├─ part accepted ─► the fault is in the other part
                       └─ part refused ──► the fault is in this one; the other part is *open*

A document is quarantined only for its own sake: named by the vendor, or refused when it travelled
alone. Every request of a search also delivers: the good part of a group is accepted by the very
request that clears it. A part is chosen so that its refusal is an even bet: half of a group with
one culprit, a single document where every other one is bad. Open parts wait until they fill a
request together or nothing else is left to search. When the budget is used up, what is left is
*suspect*: not sent again in this run, narrowed down in a later one from where this one stopped.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from replenit_destination.engine.documents import Batch, Item
    from replenit_destination.engine.target import BatchLimits

__all__ = ["Diagnosis", "DiagnosisSettings", "Group", "Probe"]

FEW_FOUND = 3  # with so many found, their share among the documents searched says something
MOSTLY = 4  # accepted parts per refused one that tell of a service that changed its mind
SEVERAL = 2.0  # expected culprits from which a part smaller than half is the even bet


@dataclass(frozen=True, slots=True)
class DiagnosisSettings:
    """What searching may cost.

    `share` is the largest share of the run's requests spent on searching, `floor` what may be spent
    in any case (one bad document among a thousand takes about twelve), `waiting_documents` how many
    may wait for their turn.
    """

    share: float = 0.10
    floor: int = 25
    waiting_documents: int = 20_000


@dataclass(frozen=True, slots=True)
class Group:
    """Documents that were refused together, or were left over from such a group.

    `guilty`: at least one of them is at fault; otherwise that is open. `named`: refusals of this
    group name documents. `intended`: the intent to send them is on record in this run. `earlier`:
    an earlier run knew it, so the service may have changed its mind since.
    """

    items: tuple[Item, ...]
    batch: Batch  # the refused batch they travelled in
    words: str
    guilty: bool = True
    named: bool = False
    intended: bool = True
    earlier: bool = False

    @property
    def urgent(self) -> bool:
        """Whether a withdrawal of consent is among them."""
        return any(item.urgent for item in self.items)


@dataclass(frozen=True, slots=True)
class Probe:
    """What to send of a group, and the other part of it when the group is guilty."""

    group: Group
    sibling: tuple[Item, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """The documents to send."""
        return self.group.items


class Diagnosis:
    """The groups a run must search and the budget for it.

    Args:
        settings: What it may cost.
        limits: How much one request of an entity may hold; open groups are sent together.
    """

    def __init__(self, settings: DiagnosisSettings, limits: Callable[[str], BatchLimits]) -> None:
        self._settings = settings
        self._limits = limits
        self._guilty: list[tuple[bool, int, int, Group]] = []
        self._open: dict[tuple[bool, str, bool, bool, bool], list[Group]] = {}
        self._order = count()
        self._good = 0
        self._bad = 0
        self._documents = 0
        self._taken_now = self._refused_again = 0  # parts of groups of earlier runs
        self.requests = 0

    def __len__(self) -> int:
        return len(self._guilty) + sum(map(len, self._open.values()))

    @property
    def overfull(self) -> bool:
        """Whether more documents wait than should be kept in memory."""
        return self._documents > self._settings.waiting_documents

    def suspect(self, group: Group) -> None:
        """Let a group wait for its search."""
        if not group.items:
            return
        self._documents += len(group.items)
        if group.guilty:
            place = (not group.urgent, -len(group.items), next(self._order), group)
            heapq.heappush(self._guilty, place)
        else:
            entity = group.items[0].entity
            pool = (not group.urgent, entity, group.named, group.intended, group.earlier)
            self._open.setdefault(pool, []).append(group)

    def learn(self, *, good: int = 0, bad: int = 0) -> None:
        """Note how many searched documents turned out good or bad; parts are chosen by it."""
        self._good += good
        self._bad += bad

    def affordable(self, requests: int) -> bool:
        """Return whether one more may be spent in a run that has made so many requests.

        A withdrawal of consent is searched for whatever it costs.
        """
        spent = self.requests < max(self._settings.floor, self._settings.share * requests)
        return (
            spent
            or bool(self._guilty and not self._guilty[0][0])
            or not all(pool[0] for pool in self._open)
        )

    def take(self) -> Probe:
        """Return what to send next; there must be a group. Counts as one request."""
        self.requests += 1
        pool = min(self._open, key=lambda pool: (pool[0], -self._waiting(pool)), default=None)
        if pool is None or (
            self._guilty and self._guilty[0][0] <= pool[0] and not self._full(pool)
        ):
            return self._part()
        return Probe(self._together(pool))

    def answered(self, probe: Probe, *, accepted: bool) -> None:
        """Note what became of a probe; its own documents, if refused, come back as a group.

        The sibling of an accepted part is guilty, that of a refused one is open. Where hardly any
        part of what earlier runs found guilty is refused again, the service has changed its mind:
        then the sibling is open too, and what is accepted has cost nothing.
        """
        group = replace(probe.group, items=probe.sibling)
        guilty = accepted
        if group.earlier:
            self._taken_now += accepted and group.guilty
            self._refused_again += not accepted and group.guilty
            changed = self._taken_now > 0 and self._refused_again * MOSTLY <= self._taken_now
            if accepted and changed:
                guilty = False
                self.requests -= 1
        self.suspect(replace(group, guilty=guilty, earlier=group.earlier and accepted))

    def returned(self, probe: Probe) -> None:
        """Put a probe that got no answer back with its sibling, as the group it was taken from."""
        items = probe.items + probe.sibling
        self.suspect(replace(probe.group, items=items, guilty=bool(probe.sibling)))

    def give_up(self) -> Group:
        """Return a waiting group, the largest guilty one first, never to be sent in this run."""
        if self._guilty:
            return self._pop_guilty()
        pool = next(iter(self._open))
        return self._pop_open(pool)

    def _part(self) -> Probe:
        """Take the largest guilty group and split it."""
        rate = self._rate()
        group = self._pop_guilty()
        size = len(group.items)
        first = 1
        if size > 1:
            first = size // 2
            if rate * size >= SEVERAL:
                either = 1 - (1 - rate) ** size
                first = max(1, min(first, _even(either / 2, rate)))
        part = replace(group, items=group.items[:first])
        return Probe(part, sibling=group.items[first:])

    def _together(self, pool: tuple[bool, str, bool, bool, bool]) -> Group:
        """Take open groups that fill a request, or less where a culprit among them is likely."""
        rate = self._rate()
        limits = self._limits(pool[1])
        first = self._pop_open(pool)
        items, size = list(first.items), sum(len(item.body) + 1 for item in first.items) + 1
        while groups := self._open.get(pool):
            more = sum(len(item.body) + 1 for item in groups[-1].items)
            if len(items) + len(groups[-1].items) > limits.documents or size + more > limits.bytes:
                break
            items += self._pop_open(pool).items
            size += more
        if not first.named and rate * len(items) > 1:
            most = max(1, min(len(items), _even(0.5, rate)))
            self.suspect(replace(first, items=tuple(items[most:])))
            items = items[:most]
        return replace(first, items=tuple(items))

    def _rate(self) -> float:
        """Return the likely share of bad ones among the documents that wait.

        Every guilty group holds one at least. The one to be searched next is known to, so it says
        nothing about how many more there are.
        """
        seen = self._good + self._bad
        known = self._bad + max(0, len(self._guilty) - 1)
        settled = (self._bad - 1) / seen if self._bad >= FEW_FOUND else 0.0
        return min(0.99, max(settled, known / max(1, seen + self._documents)))

    def _waiting(self, pool: tuple[bool, str, bool, bool, bool]) -> int:
        return sum(len(group.items) for group in self._open[pool])

    def _full(self, pool: tuple[bool, str, bool, bool, bool]) -> bool:
        return self._waiting(pool) >= self._limits(pool[1]).documents

    def _pop_guilty(self) -> Group:
        group = heapq.heappop(self._guilty)[3]
        self._documents -= len(group.items)
        return group

    def _pop_open(self, pool: tuple[bool, str, bool, bool, bool]) -> Group:
        group = self._open[pool].pop()
        self._documents -= len(group.items)
        if not self._open[pool]:
            del self._open[pool]
        return group


def _even(chance: float, rate: float) -> int:
    """Return how many documents hold a bad one with this chance."""
    return math.ceil(math.log(1 - chance) / math.log(1 - rate))
