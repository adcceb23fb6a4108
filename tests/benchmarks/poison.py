"""What refused documents cost: 10,000 orders with 1, 10 and 100 bad ones, in every error style.

    python -m tests.benchmarks.poison [--orders 10000] [--seeds 3] [--spread]

Prints the table of docs/delivery.md: requests beyond the run without bad documents, next to the
bound that was stated before, first with the whole search in one run, then (`--spread`) with the
default search budget, run after run. Fails when the bad ones are not exactly those quarantined,
when a good one was taken twice or not at all, or when a bound is broken.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.acceptance.orders import WORDS, Orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from replenit_destination.engine.report import Report
    from replenit_destination.engine.target import Answer, Request

BATCH = 200


@dataclass(frozen=True)
class Style:
    """One way in which a service says no.

    `error_style` and `error_paths` are the sandbox's switches, `field` what a refusal points to.
    `told`, `words` and `identified` (whether it carries a trace id) are what ends up in quarantine,
    `names` how many culprits a refusal names: all,
    first, none, or in turns.
    """

    name: str
    error_style: str
    names: str
    error_paths: str = "indexed"
    field: str = "Currency"
    told: str = "Currency"
    words: str = "One or more validation errors occurred."
    identified: bool = False

    def bound(self, culprits: int, batches: int) -> int:
        """Return how many requests `culprits` may cost beyond the run without them.

        A refusal that names all: the rest of each refused batch is sent again. One that names the
        first: every refusal finds one, and what is left is sent again. One that names none: a
        search by halves per culprit, the request that makes sure, and the rest.
        """
        if self.names == "all":
            return min(culprits, batches)
        if self.names == "first":
            return culprits
        return culprits * (math.ceil(math.log2(BATCH)) + 2)


STYLES = (
    Style("problem details (F2)", "problem", "all", identified=True),
    Style(
        "F2, nested path",
        "problem",
        "all",
        field="OrderItems[0].Sku",
        told="OrderItems[0].Sku",
        identified=True,
    ),
    Style("F2, serializer's path", "problem", "all", "serializer", identified=True),
    Style("envelope (F1)", "envelope", "all", words="Validation failed"),
    Style("F2, first culprit only", "problem", "first", identified=True),
    Style("no pointer (F3)", "minimal", "none", told="", words=""),
    Style("field without index (F4)", "bare", "none"),
    Style("each in turn", "mixed", "none"),
)


def first_only(inner: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """Return a transport to a service that stops reading at the first bad document."""

    def transport(request: Request) -> Answer:
        answer = inner(request)
        if answer.status != 400:
            return answer
        body = json.loads(answer.body)
        body["errors"] = dict(list(body["errors"].items())[:1])
        return replace(answer, body=json.dumps(body).encode())

    return transport


class Poisoned(Orders):
    """Orders of which some are refused in one style, and the reports of their runs."""

    def __init__(self, folder: Path, orders: int, culprits: int, style: Style, seed: int) -> None:
        super().__init__(
            folder,
            orders,
            per_request=BATCH,
            error_style=style.error_style,
            switches={"error_paths": style.error_paths},
        )
        if style.names == "first":
            self.transport = first_only(self.transport)
        self.style = style
        self.reports: list[Report] = []
        self.bad = self.poison(culprits, seed, style.field)

    @property
    def extra(self) -> int:
        """Requests beyond those of a run without bad documents."""
        return sum(report.requests for report in self.reports) - math.ceil(self.orders / BATCH)

    def deliver(self, **options: Any) -> Report:
        """Run once and keep the report."""
        self.reports.append(self.push(**options))
        return self.reports[-1]

    def check(self) -> None:
        """Check that exactly the bad ones are quarantined, with their reasons, all others once."""
        quarantined = self.entries("refusal = 'quarantined'")
        assert {row[0] for row in quarantined} == self.bad
        for _, field, reason, words, request_id in quarantined:
            if self.style.error_style != "mixed":
                told = (self.style.told, self.style.words, self.style.identified)
                assert (field, words or "", bool(request_id)) == told
            assert reason == WORDS
        stored = self.held()
        assert stored.keys() == self.source().keys() - self.bad
        taken = sum(entry.stored for entry in self.service.journal.requests())
        assert taken == len(stored), "a good document travels until it is accepted, once"
        assert not self.entries("refusal IS NULL AND NOT (sent AND confirmed)")
        assert self.reports[-1].entities["orders"].quarantined == len(self.bad)
        assert self.reports[-1].exit_code == 1


def at_once(folder: Path, style: Style, orders: int, culprits: int, seed: int) -> Poisoned:
    """Deliver with the whole search in one run."""
    shop = Poisoned(folder, orders, culprits, style, seed)
    shop.deliver(diagnosis_share=1.0)
    shop.check()
    bound = style.bound(culprits, math.ceil(orders / BATCH))
    assert shop.extra <= bound, (style.name, culprits, shop.extra)
    return shop


def spread(folder: Path, style: Style, orders: int, culprits: int, seed: int) -> Poisoned:
    """Deliver with the default search budget until nothing is suspect any more."""
    shop = Poisoned(folder, orders, culprits, style, seed)
    shop.deliver()
    while shop.suspects:
        tally = shop.deliver().tally
        assert tally is not None
        assert 0 < tally.requests == tally.diagnosis_requests, "nothing but the search travels"
    shop.check()
    return shop


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--spread", action="store_true")
    options = parser.parse_args(arguments)
    head = "| Style | k | Bound | Extra requests, mean | Most |"
    if options.spread:
        head = "| Style | k | Runs | Requests in all | Extra | Accepted in the first run |"
    print(head)
    print("| --- |" + " --- |" * (head.count("|") - 2))
    for style in STYLES:
        for culprits in (1, 10, 100):
            rows = []
            for seed in range(options.seeds):
                with tempfile.TemporaryDirectory() as folder:
                    deliver = spread if options.spread else at_once
                    shop = deliver(Path(folder), style, options.orders, culprits, seed)
                    first = shop.reports[0].entities["orders"].created
                    requests = sum(report.requests for report in shop.reports)
                    rows.append((shop.extra, len(shop.reports), requests, first))
            extra, runs, requests, first = (
                statistics.mean(column) for column in zip(*rows, strict=True)
            )
            most = max(row[0] for row in rows)
            cells: list[object] = [style.name, culprits]
            if options.spread:
                cells += [f"{runs:.0f}", f"{requests:.0f}", f"{extra:.0f}", f"{first:,.0f}"]
            else:
                bound = style.bound(culprits, math.ceil(options.orders / BATCH))
                cells += [bound, f"{extra:.0f}", most]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
