"""Large windows: operations started, found again, failed, cut short, and what is staged of them."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from shopify.settings import BulkSettings

from replenit_destination.sandbox.shopify.bulk import BulkJob, Fate
from replenit_destination.sandbox.shopify.shop import Basket

if TYPE_CHECKING:
    from tests.integration.shopify.world import World

ALWAYS = BulkSettings(above=0, busy_seconds=60)
TABLES = ("customers", "orders", "orders__line_items", "products", "products__variants")


@pytest.fixture
def busy(world: World) -> World:
    """A shop whose orders came one an hour."""
    product = next(iter(world.shop.products))
    variants = world.shop.products[product]["variants"]
    buyer = next(iter(world.shop.customers))
    for number in range(12):
        world.pass_time(hours=1)
        lines = [Basket(product, variants[n % 3]["id"], n + 1) for n in range(1 + number % 3)]
        world.shop.place_order(buyer, lines)
    world.pass_time(hours=1)
    return world


def content(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every staged row, without what dlt writes into it."""
    found = {}
    for table in TABLES:
        columns = world.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'shopify' AND "
            f"table_name = '{table}' AND column_name NOT LIKE '\\_dlt%' ESCAPE '\\' ORDER BY 1"
        )
        chosen = ", ".join(f'CAST("{name}" AS VARCHAR)' for (name,) in columns)
        found[table] = world.rows(f"SELECT {chosen} FROM {table} ORDER BY ALL")
    return found


def truth(world: World) -> dict[str, int]:
    orders = world.shop.orders.values()
    products = world.shop.products.values()
    return {
        "customers": len(world.shop.customers),
        "orders": len(orders),
        "orders__line_items": sum(len(order["lines"]) for order in orders),
        "products": len(products),
        "products__variants": sum(len(product["variants"]) for product in products),
    }


def counts(world: World) -> dict[str, int]:
    return {table: world.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def jobs(world: World) -> list[BulkJob]:
    return list(world.sandbox.api.bulk.jobs.values())


def resource(job: BulkJob) -> str:
    return job.query.split()[2].rpartition("/")[2]


def orders_jobs(world: World) -> list[BulkJob]:
    return [job for job in jobs(world) if resource(job) == "orders"]


def windows(world: World) -> list[tuple[str, str]]:
    found = [job.query.split()[3].partition("/") for job in orders_jobs(world)]
    return [(start, end) for start, _, end in found]


def dies(world: World, **settings: Any) -> None:
    with pytest.raises(PipelineStepFailed):
        world.run(bulk=ALWAYS, **settings)
    assert world.dies_when is None, "it died where it was meant to"


def files(world: World) -> list[str]:
    return [path.name for path in world.folder.rglob("*.jsonl*") if "shopify_bulk" in path.parts]


@pytest.mark.parametrize("grouped", [True, False])
def test_bulk_stages_exactly_what_pages_stage(busy: World, grouped: bool) -> None:
    busy.run(bulk=BulkSettings(above=0, grouped=grouped))
    by_bulk = content(busy)
    assert [resource(job) for job in jobs(busy)] == ["customers", "orders", "products"]
    assert not busy.searches("OrdersPage")
    busy.pipeline.drop()
    busy.moment -= timedelta(minutes=5)
    busy.run(bulk=BulkSettings(enabled=False))
    assert content(busy) == by_bulk
    assert counts(busy) == truth(busy)
    assert files(busy) == [], "results hold personal data: nothing is left behind"


def test_few_objects_are_read_by_pages(busy: World) -> None:
    busy.run(bulk=BulkSettings(above=100))
    assert not jobs(busy)
    assert counts(busy) == truth(busy)


def test_large_window_is_cut_into_parts_that_join_without_gap(busy: World) -> None:
    busy.run(bulk=BulkSettings(above=2, rows=4, most_rows=4))
    bounds = windows(busy)
    assert len(bounds) > 2
    assert bounds[0][0] == "-"
    for earlier, later in pairwise(bounds):
        assert earlier[1] <= later[0], "what lies between was read by pages"
    assert counts(busy) == truth(busy)


def test_running_operation_of_a_run_that_died_is_taken_over(busy: World) -> None:
    busy.dies_when = lambda: any(job.status == "RUNNING" for job in orders_jobs(busy))
    dies(busy)
    busy.pass_time(minutes=30)
    busy.shop.edit_order(next(iter(busy.shop.orders)), line=0, quantity=1)
    busy.pass_time(minutes=30)
    busy.run(bulk=ALWAYS)
    found = sorted(resource(job) for job in jobs(busy))
    assert found == ["customers", "orders", "orders", "products"], "only what came since is new"
    assert windows(busy)[1][0] == windows(busy)[0][1]
    assert counts(busy) == truth(busy)
    assert busy.rows("SELECT count(*) FROM orders WHERE edited") == [(1,)]


def test_download_that_died_goes_on_where_it_stopped(busy: World) -> None:
    downloads = busy.sandbox.api.downloads
    busy.dies_when = lambda: len(downloads.ranges) == 2
    downloads.cuts = [None, 100]
    dies(busy)
    assert files(busy)
    busy.run(bulk=ALWAYS)
    assert "bytes=100-" in downloads.ranges
    assert len(orders_jobs(busy)) == 1
    assert counts(busy) == truth(busy)
    assert files(busy) == []


def test_connection_that_breaks_in_a_download_costs_only_the_rest(busy: World) -> None:
    busy.sandbox.api.downloads.cuts = [80, 90]
    busy.run(bulk=ALWAYS)
    assert busy.sandbox.api.downloads.ranges[:3] == [None, "bytes=80-", "bytes=170-"]
    assert counts(busy) == truth(busy)


@pytest.mark.parametrize(
    "fate",
    [
        Fate("FAILED", "INTERNAL_SERVER_ERROR", after_roots=3),
        Fate("FAILED", "TIMEOUT", after_roots=3),
        Fate("CANCELED", after_roots=3),
        Fate("EXPIRED"),
        Fate(stalls=True),
        Fate(lost_lines=2),
        Fate(ungrouped=True),
    ],
    ids=lambda fate: f"{fate.status}-{fate.error_code}-{fate.stalls}-{fate.lost_lines}",
)
def test_nothing_is_lost_whatever_becomes_of_an_operation(busy: World, fate: Fate) -> None:
    busy.sandbox.api.bulk.fates.extend([Fate(), fate])
    busy.run(bulk=BulkSettings(above=2, rows=50))
    assert orders_jobs(busy)
    assert counts(busy) == truth(busy)


def test_result_that_never_is_what_was_counted_is_an_error(busy: World) -> None:
    busy.sandbox.api.bulk.fates.extend([Fate(), *[Fate(lost_lines=1)] * 4])
    with pytest.raises(PipelineStepFailed, match="not what it counted"):
        busy.run(bulk=ALWAYS)


def test_expired_address_is_asked_for_again(busy: World) -> None:
    bulk = busy.sandbox.api.bulk
    busy.sandbox.api.downloads.before_first = bulk.expire_urls
    busy.run(bulk=ALWAYS)
    assert len(jobs(busy)) == 3
    assert counts(busy) == truth(busy)


def test_operation_whose_result_is_gone_runs_again(busy: World) -> None:
    busy.dies_when = lambda: any(job.status == "RUNNING" for job in orders_jobs(busy))
    dies(busy)
    for job in jobs(busy):
        busy.sandbox.api.bulk.expire(job)
    busy.run(bulk=ALWAYS)
    assert len(orders_jobs(busy)) == 2
    assert counts(busy) == truth(busy)


def test_taken_slots_are_waited_for_then_pages_are_read(busy: World) -> None:
    foreign = [busy.sandbox.api.bulk.start_foreign() for _ in range(5)]
    busy.run(bulk=ALWAYS)
    assert busy.seconds >= 60
    assert busy.searches("OrdersPage")
    assert counts(busy) == truth(busy)
    assert {job.status for job in foreign} == {"CREATED"}, "they are not ours to cancel"
    assert "BulkCancel" not in {call.operation for call in busy.sandbox.api.calls}


def test_app_that_may_not_run_operations_reads_pages(
    busy: World, caplog: pytest.LogCaptureFixture
) -> None:
    busy.sandbox.api.bulk.enabled = False
    busy.run(bulk=ALWAYS)
    assert counts(busy) == truth(busy)
    assert caplog.text.count("no bulk operations") == 1


def test_operation_for_a_window_nobody_asks_for_is_cancelled(busy: World) -> None:
    busy.sandbox.api.bulk.fates.extend([Fate(), Fate(stalls=True)])
    busy.dies_when = lambda: any(job.status == "RUNNING" for job in orders_jobs(busy))
    dies(busy)
    busy.run(asked={"read_since": busy.moment - timedelta(hours=3)}, bulk=ALWAYS)
    busy.seconds += 60
    assert busy.sandbox.api.bulk.live() == []
    assert [job.status for job in orders_jobs(busy)] == ["CANCELED", "COMPLETED"]


def test_used_operations_are_not_taken_over_by_a_full_run(busy: World) -> None:
    busy.run(bulk=ALWAYS)
    busy.pass_time(hours=1)
    busy.run(asked={"full": True}, bulk=ALWAYS)
    assert [start for start, _ in windows(busy)] == ["-", "-"]
    assert counts(busy) == truth(busy)


def test_start_that_got_no_answer_is_looked_for_before_it_is_sent_again(busy: World) -> None:
    """The service may have begun it: the list says."""
    busy.sandbox.api.lost_answers = {"BulkRun"}
    busy.run(bulk=ALWAYS)
    assert [resource(job) for job in jobs(busy)] == ["customers", "orders", "products"]
    assert counts(busy) == truth(busy)
