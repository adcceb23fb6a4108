"""The scenarios a to l, each with what it shows and how its numbers are to be read."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import product

from tests.benchmarks.rivals.behaviour import Behaviour, Quota
from tests.benchmarks.rivals.measuring import Hold
from tests.benchmarks.rivals.shop import LARGE

__all__ = ["Scenario", "Step", "scenarios"]


@dataclass(frozen=True, slots=True)
class Step:
    """Stage a version of the shop and run the program; the first loads are often not measured."""

    version: str
    measured: bool = True
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table per program."""

    key: str
    title: str
    steps: tuple[Step, ...]
    note: str = ""
    behaviour: Behaviour = field(default_factory=Behaviour)
    processes: int = 1
    waits: bool = False
    """Whether it mostly waits for a window, so that programs can be measured at once."""

    @property
    def letter(self) -> str:
        """`f` of `f10`."""
        return self.key[0]


_COLD = Step("base", measured=False)
_TWICE = (Step("base"), Step("base"))


def scenarios(orders: int) -> list[Scenario]:
    """Return all scenarios for a shop of so many orders."""
    return [
        *_changes(orders),
        *_poison(orders),
        *_quotas(orders),
        _kills(orders),
        Scenario(
            "j",
            "three responses lost after the commit; the run and the next one",
            _TWICE,
            "Three batches are stored and the connection closes instead of answering.",
            Behaviour(lost=frozenset({5, orders // 300, orders // 150})),
        ),
        Scenario(
            "k",
            "413: ten orders have 300 lines and bodies above 64 KiB are refused; two runs",
            (Step("fat"), Step("fat")),
            "Every body fits but those that hold one of the large orders beside others.",
            Behaviour(max_body_bytes=64 * 1024),
        ),
        Scenario(
            "l",
            "decimals, times with a zone, apostrophes, backslashes, emoji, nulls: 200 orders",
            (Step("exotic"),),
            "A number that arrives as a string counts as stale. The common model turns money into "
            "DOUBLE for the others; ours reads the DECIMAL.",
        ),
    ]


def _changes(orders: int) -> list[Scenario]:
    merge = Behaviour(children="merge")
    return [
        Scenario("a", "cold load", (Step("base"),)),
        Scenario("a-large", f"cold load of {orders * LARGE:,} orders", (Step("large"),)),
        Scenario("b", "unchanged, loaded again in full", (_COLD, Step("again"))),
        Scenario(
            "b-touched",
            "unchanged, but every order's `updated_at` moved",
            (_COLD, Step("touched")),
            "Shops do this in bulk edits and migrations. A cursor cannot tell it from a change.",
        ),
        Scenario("c", "1 % of the orders changed", (_COLD, Step("changed"))),
        Scenario(
            "c-lines",
            "1 % of the orders have a line with another price, the order's row is as it was",
            (_COLD, Step("lines")),
            "The order's `updated_at` does not move when only a line changes.",
        ),
        Scenario(
            "d",
            "one order and one line deleted; an upsert replaces the lines",
            (_COLD, Step("deleted")),
            "The order of the deleted line has a new `updated_at`. None of the others' generic "
            "REST or batch sinks sends deletes; what stays at the server counts as stale.",
        ),
        Scenario(
            "d-merge",
            "the same; an upsert merges the lines",
            (_COLD, Step("deleted")),
            "The vendor's pages do not say which of the two its service does.",
            merge,
        ),
        Scenario("e", "A → B → A in two runs", (_COLD, Step("there"), Step("back"))),
    ]


def _poison(orders: int) -> list[Scenario]:
    found = []
    for count in (1, 10, 100):
        poison = _poisoned(orders, count)
        found.append(
            Scenario(
                f"f{count}",
                f"{count} of {orders:,} orders refused (400, the whole batch); two runs",
                _TWICE,
                "The answer names the refused orders as the vendor's does (`[17].Email`).",
                Behaviour(poison=poison),
            )
        )
    ten = _poisoned(orders, 10)
    return [
        *found,
        Scenario(
            "f10-nameless",
            "10 refused by an answer that names none",
            _TWICE,
            "The vendor's third form of a 400. Who wants the other 99 has to search: ours spends "
            "at most a tenth of a run's requests on that and goes on in the next run.",
            Behaviour(poison=ten, poison_answer="nameless"),
        ),
        Scenario(
            "g",
            "per-record 207: 10 refused, the others of the batch stored; two runs",
            _TWICE,
            "The body has `count`, `errors` by index and a list `results`. The vendor documents no "
            "such answer. A program that exits with 0 has not noticed, or does not tell.",
            Behaviour(poison=ten, poison_answer="multi_status"),
        ),
    ]


def _poisoned(orders: int, count: int) -> frozenset[str]:
    chosen = random.Random(count).sample(range(1, orders + 1), min(count, orders // 2))
    return frozenset(map(str, chosen))


def _quotas(orders: int) -> list[Scenario]:
    limit = max(2, orders // 200)  # two windows full
    found = []
    for kind, hints, processes in product(("fixed", "sliding"), (True, False), (1, 2, 8)):
        shards = processes > 1
        name = f"{processes} processes" if shards else "1 process"
        found.append(
            Scenario(
                f"h-{kind}-{'hints' if hints else 'bare'}-{processes}",
                f"{kind} window, {'with' if hints else 'without'} Retry-After, {name}",
                (Step("base"),),
                behaviour=Behaviour(quota=Quota(limit, 10, kind, hints)),
                processes=processes,
                waits=True,
            )
        )
    found.append(
        Scenario(
            "h-minute",
            f"{limit} in a true minute, sliding, without Retry-After, 1 process",
            (Step("base"),),
            "Backoff in fixed seconds that survives ten seconds may not survive a minute.",
            Behaviour(quota=Quota(limit, 60, "sliding", hints=False)),
            waits=True,
        )
    )
    return found


def _kills(orders: int) -> Scenario:
    chance = random.Random(10)
    share = max(2, orders // 100 // 11)
    holds = [
        Hold(chance.randint(max(1, share // 2), share), stored=bool(place % 2))
        for place in range(10)
    ]
    return Scenario(
        "i",
        "kill -9 ten times during one load, started again each time, then left to finish",
        (*(Step("base", hold=hold) for hold in holds), Step("base")),
        "Killed at a random request, in turn before and after it was stored. Requests and seconds "
        "are those of all eleven runs.",
    )
