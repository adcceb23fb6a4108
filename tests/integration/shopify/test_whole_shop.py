"""A whole shop through the script: first load in bulk, killed on the way, then increments by pages.

The script is a process of its own, the two doubles serve it from here. `REPLENIT_SHOPIFY_ORDERS`
sets how many orders there are (2,000 by default); with `-s` the figures are printed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from replenit_destination.sandbox import ReplenitSandbox
from replenit_destination.sandbox.replenit.limits import Limits
from replenit_destination.sandbox.shopify import ShopifySandbox, sample_shop
from replenit_destination.sandbox.shopify.shop import Basket
from tests.integration.shopify.truth import Truth, differences, seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replenit_destination.sandbox.shopify import Shop

ORDERS = int(os.environ.get("REPLENIT_SHOPIFY_ORDERS", "2000"))
PEOPLE_PER_ORDER = 0.335  # in the sample's history
LONG = ORDERS > 5_000
RUN_SECONDS = 120 if not LONG else 3600


class Scheduled:
    """A shop, a vendor, and the script that somebody schedules."""

    def __init__(
        self, project: Path, folder: Path, shopify: ShopifySandbox, vendor: ReplenitSandbox
    ) -> None:
        self.script = project / "pipelines" / "shopify_to_replenit.py"
        self.folder = folder
        self.shopify = shopify
        self.shop: Shop = shopify.shop
        self.vendor = vendor
        self.truth = Truth(self.shop)
        self.figures: list[str] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        settings = {
            "SOURCES__SHOPIFY__SHOP": self.shopify.url,
            "SOURCES__SHOPIFY__ACCESS_TOKEN": self.shopify.access_token,
            "SOURCES__SHOPIFY__LAG_MINUTES": "0",
            "SOURCES__SHOPIFY__BULK_ABOVE": "500",
            "SOURCES__SHOPIFY__BULK_ROWS": str(max(1_500, ORDERS // 3)),
            "DESTINATION__REPLENIT__API_KEY": self.vendor.api_key,
            "DESTINATION__REPLENIT__TENANT_ID": self.vendor.tenant_id,
            "DESTINATION__REPLENIT__BASE_URL": self.vendor.url,
            # This vendor counts no requests; the quota has tests of its own.
            "DESTINATION__REPLENIT__REQUESTS_PER_MINUTE": "1000000",
            "DESTINATION__REPLENIT__REQUESTS_PER_HOUR": "1000000",
            "DESTINATION__REPLENIT__CUSTOMER_IDENTIFIER_PRIORITY": "email",
            "DESTINATION__REPLENIT__GDPR_OPTIN": "email_or_sms_optin",
            "DLT_DATA_DIR": str(self.folder / "dlt"),
        }
        return subprocess.Popen(
            [sys.executable, str(self.script), *arguments],
            cwd=self.folder,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, what: str, *arguments: str) -> str:
        """Run to the end; a large shop has orders of custom items only, which are refused."""
        began = time.monotonic()
        process = self.start(*arguments)
        with peak_of(process) as peak:
            output, _ = process.communicate(timeout=RUN_SECONDS)
        assert process.returncode in ((0, 1) if LONG else (0,)), output[-3000:]
        assert "backlog" not in output, output[-3000:]
        seconds = time.monotonic() - began
        self.figures.append(f"{what}: {seconds:.1f} s, {peak.megabytes:.0f} MB at most")
        return output

    def killed(self, what: str, when: Callable[[], bool]) -> None:
        """Kill a run as soon as something has come true."""
        process = self.start()
        began = time.monotonic()
        while not when():
            try:
                output, _ = process.communicate(timeout=0.02)
            except subprocess.TimeoutExpired:
                assert time.monotonic() - began < RUN_SECONDS, what
                continue
            pytest.fail(f"{what}: the run was over before\n{output[-3000:]}")
        process.kill()
        process.communicate()

    def jobs(self, resource: str) -> list[Any]:
        jobs = self.shopify.api.bulk.jobs.values()
        return [job for job in jobs if job.query.split()[2].endswith(f"/{resource}")]

    def wrong(self) -> list[Any]:
        """Return what Replenit holds and should not, or should and does not."""
        expected = self.truth.look()
        found = seen(self.vendor.state(), self.shop)
        for entity in ("orders",):
            # A tax on top is rounded by unit or by order; the preset's own test looks at that.
            for key, row in expected[entity].items():
                held = found[entity].get(key)
                if held and abs(row["TotalRevenue"] - held["TotalRevenue"]) * 100 <= 1:
                    held["TotalRevenue"] = row["TotalRevenue"]
        return differences(expected, found)


class Peak:
    """The most memory that a process was seen with."""

    megabytes = 0.0


@contextmanager
def peak_of(process: subprocess.Popen[str]) -> Iterator[Peak]:
    """Look at a process again and again; its own `ru_maxrss` begins with that of its parent."""
    peak, over = Peak(), threading.Event()

    def look() -> None:
        with suppress(psutil.NoSuchProcess):
            watched = psutil.Process(process.pid)
            while not over.wait(0.02):
                peak.megabytes = max(peak.megabytes, watched.memory_info().rss / 2**20)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


@pytest.fixture
def scheduled(project: Path, tmp_path: Path) -> Iterator[Scheduled]:
    shop = sample_shop(customers=round(ORDERS * PEOPLE_PER_ORDER))
    with (
        ShopifySandbox(shop) as shopify,
        # The profile in which guests may order without a customer id, as in the demo.
        ReplenitSandbox(profile="gitbook", limits=Limits.unlimited()) as vendor,
    ):
        shopify.api.bulk.in_background = True
        made = Scheduled(project, tmp_path, shopify, vendor)
        yield made
        sys.stdout.write("\n".join(["", *made.figures, ""]))


def deeds(shop: Shop) -> list[tuple[str, list[Callable[[], Any]]]]:
    """Return what happens in the shop, day by day: a name and what is done."""
    dice = random.Random(1)
    paid = [
        number
        for number, row in shop.orders.items()
        if not row["cancelledAt"]
        and not row["refunds"]
        and not row["edited"]
        and not row["test"]
        and row["customerId"]
        and len(row["lines"]) > 1
        and row["lines"][0]["quantity"] > 1
        and all(line["productId"] in shop.products for line in row["lines"])
    ]
    edited, one, every, money, cancelled, deleted = dice.sample(paid, 6)
    people = [key for key, row in shop.customers.items() if row["email"]]
    subscribed = [key for key in people if shop.customers[key]["emailState"] == "SUBSCRIBED"]
    keep, lose, moving, buyer = dice.sample(people, 4)
    leaving = next(key for key in subscribed if key not in (keep, lose, moving))
    wide = [row["id"] for row in shop.products.values() if len(row["variants"]) > 1]
    gone, narrower, source, target = dice.sample(wide, 4)
    all_lines = {n: line["quantity"] for n, line in enumerate(shop.orders[every]["lines"])}
    variant = shop.products[target]["variants"][0]["id"]
    return [
        ("an edit", [lambda: shop.edit_order(edited, line=0, quantity=1)]),
        ("a refund of one line", [lambda: shop.refund(one, units={0: 1})]),
        ("a refund of all lines", [lambda: shop.refund(every, units=all_lines)]),
        ("a refund of money", [lambda: shop.refund(money, amount="1.50")]),
        ("a cancellation", [lambda: shop.cancel_order(cancelled)]),
        ("a deleted order", [lambda: shop.delete_order(deleted)]),
        ("a new order", [lambda: shop.place_order(buyer, [Basket(target, variant, 3)])]),
        ("a merge", [lambda: shop.merge_customers(keep, lose)]),
        ("an opt-out", [lambda: shop.opt_out(leaving)]),
        ("another address", [lambda: shop.change_email(moving, "moved.away@example.com")]),
        ("a deleted product", [lambda: shop.delete_product(gone)]),
        (
            "a removed variant",
            [lambda: shop.remove_variant(narrower, shop.products[narrower]["variants"][-1]["id"])],
        ),
        (
            "a moved variant",
            [
                lambda: shop.move_variant(
                    source, shop.products[source]["variants"][-1]["id"], target
                )
            ],
        ),
    ]


@pytest.mark.slow
def test_killed_first_load_and_every_kind_of_change_end_in_the_truth(scheduled: Scheduled) -> None:
    bulk, downloads = scheduled.shopify.api.bulk, scheduled.shopify.api.downloads
    bulk.run_seconds = 1.0
    scheduled.killed(
        "killed in a running operation",
        lambda: any(job.status == "RUNNING" for job in scheduled.jobs("orders")),
    )
    downloads.pause_seconds = 0.05
    served = downloads.served
    scheduled.killed("killed in a download", lambda: downloads.served > served + 300_000)
    downloads.pause_seconds = 0.0
    calls = len(scheduled.shopify.api.calls)
    scheduled.killed(
        "killed between two resources",
        lambda: any(call.operation == "Deletions" for call in scheduled.shopify.api.calls[calls:]),
    )
    scheduled.run("first load, after three kills")
    # A marker is `# dlt pipeline/resource start/end selection`.
    markers = [job.query.partition("\n")[0].split() for job in bulk.jobs.values()]
    begun = Counter((what, window.partition("/")[0]) for _, _, what, window, _ in markers)
    assert set(begun.values()) == {1}, "no window was begun twice"
    assert scheduled.jobs("customers")
    assert len(scheduled.jobs("orders")) >= 2
    assert {job.status for job in bulk.all()} == {"COMPLETED"}
    assert scheduled.wrong() == []
    assert len(scheduled.vendor.state()["orders"]) > ORDERS * 0.7

    before = len(bulk.jobs)
    steps = deeds(scheduled.shop)
    at_once = 1 if LONG else 5
    for start in range(0, len(steps), at_once):
        today = steps[start : start + at_once]
        with scheduled.shop.at(scheduled.shop.clock() - timedelta(seconds=2)):
            for _, done in today:
                for deed in done:
                    deed()
        names = ", ".join(name for name, _ in today)
        scheduled.run(names)
        assert scheduled.wrong() == [], names
    assert len(bulk.jobs) == before, "increments are read by pages"
