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
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import PushOptions, Staged, push
from replenit_destination.sandbox.faults import Poison
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.doubles.clock import FakeClock
from tests.doubles.sandboxed import ServiceTransport

if TYPE_CHECKING:
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.target import Answer, Request

BATCH = 200
WORDS = "The value is not acceptable."
MAPPING: dict[str, Any] = {
    "orders": {
        "table": "orders",
        "fields": {
            "OrderId": "id",
            "CustomerId": "customer",
            "Email": "email",
            "OrderDate": "placed_at",
            "TotalRevenue": "total",
            "Currency": "'EUR'",
        },
        "items": {
            "table": "lines",
            "on": {"order_id": "id"},
            "fields": {
                "ProductId": "product",
                "Sku": "sku",
                "Quantity": "1",
                "Price": "total",
            },
        },
    }
}


@dataclass(frozen=True)
class Style:
    """One way in which a service says no.

    `error_style` and `error_paths` are the sandbox's switches, `field` what a refusal points to.
    `told` is the field that ends up in quarantine, `names` how many culprits a refusal names: all,
    first, none, or in turns.
    """

    name: str
    error_style: str
    names: str
    error_paths: str = "indexed"
    field: str = "Currency"
    told: str = "Currency"
    words: str = "One or more validation errors occurred."

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
    Style("problem details (F2)", "problem", "all"),
    Style("F2, nested path", "problem", "all", field="OrderItems[0].Sku", told="OrderItems[0].Sku"),
    Style("F2, serializer's path", "problem", "all", "serializer"),
    Style("envelope (F1)", "envelope", "all", words="Validation failed"),
    Style("F2, first culprit only", "problem", "first"),
    Style("no pointer (F3)", "minimal", "none", told="", words=""),
    Style("field without index (F4)", "bare", "none"),
    Style("each in turn", "mixed", "none"),
)


class FirstOnly(ServiceTransport):
    """The sandbox as a service that stops reading at the first bad document."""

    def __call__(self, request: Request) -> Answer:
        answer = super().__call__(request)
        if answer.status != 400:
            return answer
        body = json.loads(answer.body)
        body["errors"] = dict(list(body["errors"].items())[:1])
        return replace(answer, body=json.dumps(body).encode())


class Orders:
    """Staged orders of one line each, a ledger, and the sandbox without sockets."""

    def __init__(self, folder: Path, orders: int, style: Style) -> None:
        self.orders = orders
        self.style = style
        self.ledger = folder / "orders.ledger.duckdb"
        self.service = ReplenitService(
            limits=None,
            switches={"error_style": style.error_style, "error_paths": style.error_paths},
        )
        transport = FirstOnly if style.names == "first" else ServiceTransport
        self.transport = transport(self.service, API_KEY)
        self.clock = FakeClock()
        self.reports: list[Report] = []
        self.connection = duckdb.connect()
        self.connection.execute(
            "CREATE SCHEMA shop; CREATE TABLE shop.orders AS SELECT 'o' || i AS id,"
            " 'c' || i AS customer, 'p' || i || '@example.com' AS email, 9.90::DECIMAL(9, 2) AS"
            " total, TIMESTAMPTZ '2026-01-01' + to_seconds(hash(i) % 8_000_000) AS placed_at,"
            f" 'load-0' AS _dlt_load_id, 'r' || i AS _dlt_id FROM range({orders}) t(i);"
            "CREATE TABLE shop.lines AS SELECT id AS order_id, 'p1' AS product, 's1' AS sku, total,"
            " 'load-0' AS _dlt_load_id, 'l' || id AS _dlt_id FROM shop.orders"
        )

    @property
    def batches(self) -> int:
        """The requests of a run without bad documents."""
        return math.ceil(self.orders / BATCH)

    def poison(self, culprits: int, seed: int) -> set[str]:
        """Make random orders bad and return their keys."""
        chosen = random.Random(seed).sample(range(self.orders), culprits)
        keys = {f"o{n}" for n in chosen}
        self.service.faults.add(Poison("orders", keys=keys, field=self.style.field, message=WORDS))
        return keys

    def push(self, mapping: dict[str, Any] = MAPPING, **options: Any) -> Report:
        """Run once."""
        target = ReplenitTarget(
            ReplenitSettings(
                api_key=API_KEY,
                tenant_id=TENANT_ID,
                base_url="http://127.0.0.1:1",
                customer_identifier_priority="email",
            )
        )
        report = push(
            Staged(self.ledger, "shop", connection=self.connection),
            target,
            Mapping.load(mapping).entities(target.entities),
            transport=self.transport,
            ledger=self.ledger,
            clock=self.clock,
            random=random.Random(1),
            options=PushOptions(workers=0, **options),
            quota=UnlimitedQuota(),
        )
        self.reports.append(report)
        return report

    def entries(self, where: str) -> list[tuple[Any, ...]]:
        """Return key, field, reason, words and request id of entries in the ledger."""
        with duckdb.connect(str(self.ledger)) as ledger:
            return ledger.execute(
                "SELECT key, field, reason, words, request_id FROM entry"
                f" WHERE {where} ORDER BY ALL"
            ).fetchall()

    @property
    def suspects(self) -> int:
        """How many orders an earlier run could not tell apart from the culprit."""
        return len(self.entries("refusal = 'suspect'"))

    @property
    def requests(self) -> int:
        """Requests of all runs."""
        return sum(report.requests for report in self.reports)

    @property
    def extra(self) -> int:
        """Requests beyond those of a run without bad documents."""
        return self.requests - self.batches

    def check(self, bad: set[str]) -> None:
        """Check that exactly the bad ones are quarantined, with their reasons, all others once."""
        quarantined = self.entries("refusal = 'quarantined'")
        assert {row[0] for row in quarantined} == bad
        for _, field, reason, words, _ in quarantined:
            if self.style.error_style != "mixed":
                assert (field, words or "") == (self.style.told, self.style.words)
            assert reason == WORDS
        stored = self.service.state()["orders"]
        assert len(stored) == self.orders - len(bad)
        assert not bad & stored.keys()
        taken = sum(entry.stored for entry in self.service.journal.requests())
        assert taken == self.orders - len(bad), "a good document travels until it is accepted, once"
        assert not self.entries("refusal IS NULL AND NOT (sent AND confirmed)")
        assert self.reports[-1].entities["orders"].quarantined == len(bad)
        assert self.reports[-1].exit_code == 1


def at_once(folder: Path, style: Style, orders: int, culprits: int, seed: int) -> Orders:
    """Deliver with the whole search in one run."""
    shop = Orders(folder, orders, style)
    bad = shop.poison(culprits, seed)
    shop.push(diagnosis_share=1.0)
    shop.check(bad)
    assert shop.extra <= style.bound(culprits, shop.batches), (style.name, culprits, shop.extra)
    return shop


def spread(folder: Path, style: Style, orders: int, culprits: int, seed: int) -> Orders:
    """Deliver with the default search budget until nothing is suspect any more.

    Spreading a search over runs may cost one request per run and group that it was left with.
    """
    shop = Orders(folder, orders, style)
    bad = shop.poison(culprits, seed)
    shop.push()
    while shop.suspects:
        report = shop.push()
        tally = report.tally
        assert tally is not None
        assert 0 < tally.requests == tally.diagnosis_requests, "nothing but the search travels"
    shop.check(bad)
    assert all(
        report.tally.diagnosis_requests <= max(25, 0.1 * report.requests) + 25
        for report in shop.reports
        if report.tally
    )
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
                    rows.append((shop.extra, len(shop.reports), shop.requests, first))
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
