"""Old orders leave the database through real loads, and Replenit keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination.destinations.forget import forget
from replenit_destination.destinations.job_files import delete_job_files
from replenit_destination.destinations.plan import verify
from replenit_destination.destinations.purge import purge

from .shop import first_shop, mapping, put_order
from .traces import places_of

if TYPE_CHECKING:
    from .conftest import Delivery
    from .shop import Shop

WORD = "Leave it at Krähenwinkel 7"


@pytest.fixture
def shop(delivery: Delivery) -> Shop:
    """A delivered shop; its orders are old, and were accepted long ago."""
    return aged(delivery, "merge")


def aged(delivery: Delivery, strategy: str) -> Shop:
    """Deliver a shop and let time pass."""
    shop = first_shop()
    put_order(shop, 5, note=WORD)
    delivery.settings["mapping"] = mapping("nested")
    delivery.run(shop.source("nested", strategy))
    age(delivery)
    delivery.calls()
    return shop


def age(delivery: Delivery) -> None:
    """Let everything have been accepted and loaded 40 days earlier."""
    with duckdb.connect(str(next(delivery.here.rglob("*.ledger.duckdb")))) as ledger:
        ledger.execute("UPDATE entry SET accepted_at = accepted_at - INTERVAL 40 DAY")
    for package in (Path(delivery.pipeline().working_dir) / "load" / "loaded").glob("*"):
        package.rename(package.with_name(f"{float(package.name) - 40 * 24 * 3600:.6f}"))


def staged(delivery: Delivery, table: str = "orders") -> list[Any]:
    with delivery.pipeline().sql_client() as client:
        return sorted(row[0] for row in client.execute_sql(f"SELECT id FROM {table}") or ())


@pytest.mark.parametrize("strategy", ["merge", "upsert"])
def test_old_orders_are_purged_at_the_end_of_a_load_and_stay_at_replenit(
    delivery: Delivery, strategy: str
) -> None:
    shop = aged(delivery, strategy)
    delivery.settings["retention_days"] = 30
    expected = shop.expected()
    put_order(shop, 6, total=30.5)
    report = delivery.run(shop.source("nested", strategy))
    assert delivery.calls() == [("POST", "/orders", ("6",))]
    assert report["exit_code"] == 0
    assert staged(delivery) == [6], "it was accepted just now"
    assert staged(delivery, "orders__lines") == [610, 621]
    assert len(staged(delivery, "customers")) == 3

    for options in ({}, {"full": True}, {"retry": True}, {"confirm": True}):
        assert delivery.push(**options).requests == 0
    expected["orders"]["6"]["TotalRevenue"] = 30.5
    assert delivery.held() == expected
    found = verify(delivery.pipeline())
    assert found.exit_code == 0
    assert (found.entities["orders"].same, found.entities["orders"].purged) == (1, 5)

    for number in (1, 2):  # both come again, one has changed
        put_order(shop, number, cancelled=number == 1)
    shop.destroy("orders", 3)
    delivery.run(shop.source("nested", strategy))
    assert delivery.calls() == [("POST", "/orders", ("1",)), ("DELETE", "/orders/3", ())]
    assert delivery.held() == shop.expected()


def test_purged_words_are_nowhere_at_home(delivery: Delivery, shop: Shop) -> None:
    assert any("completed_jobs" in place for place in places_of([WORD], delivery.here))
    put_order(shop, 6, total=30.5)
    delivery.run(shop.source("nested", "merge"))  # dlt's staging dataset has the last load's rows
    found = purge(delivery.pipeline(), days=30, rewrite=True)
    assert (found.documents, found.rows["orders"]) == ({"orders": 5}, 5)
    assert found.job_files > 0
    assert places_of([WORD], delivery.here) == set()
    assert staged(delivery) == [6]
    assert delivery.push(full=True).requests == 0
    assert delivery.held() == shop.expected()


def test_zero_rows_left_withhold_nothing_and_remove_nothing(delivery: Delivery, shop: Shop) -> None:
    purge(delivery.pipeline(), days=30)
    report = delivery.push(full=True, allow_removals=["orders"])
    assert (report.requests, report.withheld, report.exit_code) == (0, [], 0)
    assert delivery.held() == shop.expected()


def test_purged_orders_go_with_their_person(delivery: Delivery, shop: Shop) -> None:
    purge(delivery.pipeline(), days=30)
    assert forget(delivery.pipeline(), email="person2@example.com").exit_code == 0
    assert delivery.held()["orders"].keys() == {"1", "3", "4", "6"}


def test_an_age_below_a_day_is_refused_before_anything_happens(delivery: Delivery) -> None:
    with pytest.raises(PipelineStepFailed, match="retention_days: must be at least 1"):
        delivery.run(first_shop().source("nested", "merge"), retention_days=0.5)
    assert delivery.calls() == []


def test_job_files_go_by_the_age_of_their_package(tmp_path: Path) -> None:
    for name in ("1700000000.5", "1800000000.25"):
        jobs = tmp_path / "load" / "loaded" / name / "completed_jobs"
        jobs.mkdir(parents=True)
        (jobs / "orders.parquet").write_bytes(b"")
    assert delete_job_files(tmp_path, before=1_750_000_000) == 1
    assert [file.parts[-3] for file in tmp_path.rglob("*.parquet")] == ["1800000000.25"]
    assert delete_job_files(tmp_path) == 1
