"""A load whose delivery fails stays pending, and the next run goes on without asking the source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination import (
    CredentialsRefusedError,
    MappingError,
    ServiceUnavailableError,
    TenantNotFoundError,
    push,
)
from replenit_destination.engine import run
from replenit_destination.sandbox import Fault
from tests.doubles.clock import FakeClock

from .shop import Shop, first_shop, mapping, put_order

if TYPE_CHECKING:
    from .conftest import Delivery


class Source:
    """The shop's source, counting how often it is asked."""

    def __init__(self, shop: Shop) -> None:
        self.asked = 0
        self._told = shop.source("nested", "merge")

    def __call__(self) -> Any:
        @dlt.source(name="shop")
        def counted() -> Any:
            self.asked += 1
            return list(self._told.resources.values())

        return counted()


@pytest.fixture
def shop(delivery: Delivery) -> Shop:
    delivery.settings["mapping"] = mapping("nested")
    return first_shop()


def hurried(*given: Any, **named: Any) -> Any:
    """Deliver on a clock of its own, where minutes of waiting for the service pass at once."""
    options = replace(named.pop("options"), workers=0)
    return run.push(*given, **{**named, "clock": FakeClock()}, options=options)


FAILURES: dict[str, tuple[dict[str, Any], list[Fault], type[Exception]]] = {
    "401": ({"api_key": "d3Jvbmc="}, [], CredentialsRefusedError),
    "403": ({}, [Fault("status", status=403)], CredentialsRefusedError),
    "404 tenant": (
        {"tenant_id": "99999999-9999-4999-8999-999999999999"},
        [Fault("status", status=404)],
        TenantNotFoundError,
    ),
    "refused connection": (
        {"base_url": "http://127.0.0.1:9", "engine": hurried},
        [],
        ServiceUnavailableError,
    ),
    "500": ({"engine": hurried}, [Fault("status", status=500)], ServiceUnavailableError),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_stopped_delivery_resumes_without_extracting_again(
    delivery: Delivery, shop: Shop, failure: str
) -> None:
    settings, faults, error = FAILURES[failure]
    delivery.box.faults.add(*faults)
    source = Source(shop)
    with pytest.raises(PipelineStepFailed) as stopped:
        delivery.run(source(), **settings)
    assert isinstance(stopped.value.__cause__, error)
    pipeline = delivery.pipeline()
    assert pipeline.has_pending_data
    assert pipeline.dataset()("SELECT count(*) FROM _dlt_loads").fetchall() == [(0,)]
    assert pipeline.dataset()("SELECT count(*) FROM orders").fetchall() == [(6,)]

    delivery.box.faults.clear()
    delivery.calls()
    asked = source.asked
    report = delivery.run()
    assert source.asked == asked
    assert sorted(path for _, path, _ in delivery.calls()) == ["/customers", "/orders", "/products"]
    assert delivery.held() == shop.expected()
    assert report["exit_code"] == 0
    assert not delivery.pipeline().has_pending_data
    assert pipeline.dataset()("SELECT count(*) FROM _dlt_loads").fetchall() == [(1,)]
    assert delivery.push(full=True).requests == 0


def test_staging_goes_on_while_a_refused_key_parks_the_delivery(
    delivery: Delivery, shop: Shop
) -> None:
    """Every run fails loudly, and yet every row is staged one run later at most."""
    refused = {"api_key": "d3Jvbmc="}
    with pytest.raises(PipelineStepFailed):
        delivery.run(shop.source("nested", "merge"), **refused)
    delivery.run(**refused)
    pipeline = delivery.pipeline()
    assert not pipeline.has_pending_data
    assert pipeline.dataset()("SELECT count(*) FROM _dlt_loads").fetchall() == [(1,)]

    put_order(shop, 1, total=99)
    with pytest.raises(PipelineStepFailed):
        delivery.run(shop.source("nested", "merge"), **refused)
    staged = delivery.pipeline().dataset()("SELECT total FROM orders WHERE id = 1").fetchall()
    assert staged == [(99,)]
    assert delivery.held() == {"customers": {}, "orders": {}, "products": {}}

    delivery.run()
    assert delivery.held() == shop.expected()


def test_push_with_a_refused_key_raises_and_the_next_one_delivers(
    delivery: Delivery, shop: Shop
) -> None:
    delivery.run(shop.source("nested", "merge"), deliver="manual")
    assert delivery.calls() == []
    with pytest.raises(CredentialsRefusedError):
        push(delivery.pipeline(api_key="d3Jvbmc="))
    assert 1 <= len(delivery.calls()) <= 2
    assert delivery.held() == {"customers": {}, "orders": {}, "products": {}}

    report = delivery.push()
    assert (report.exit_code, report.requests) == (0, 3)
    assert delivery.held() == shop.expected()


def test_key_refused_in_mid_delivery_keeps_what_was_accepted(
    delivery: Delivery, shop: Shop
) -> None:
    """Customers and products arrive, the orders meet a revoked key: only they travel again."""
    delivery.box.faults.add(Fault("status", status=401, path="/orders"))
    with pytest.raises(PipelineStepFailed):
        delivery.run(shop.source("nested", "merge"))
    delivery.calls()

    delivery.box.faults.clear()
    delivery.run()
    assert delivery.calls() == [("POST", "/orders", ("1", "2", "3", "4", "5", "6"))]
    assert delivery.held() == shop.expected()


def test_hard_delete_of_a_stopped_delivery_still_goes_out(delivery: Delivery, shop: Shop) -> None:
    """dlt forgets the deleted row at once; the evidence must survive the stop and a later load."""
    delivery.run(shop.source("nested", "merge"))
    shop.destroy("orders", 3)
    delivery.box.faults.add(Fault("status", status=401))
    with pytest.raises(PipelineStepFailed):
        delivery.run(shop.source("nested", "merge"))
    delivery.box.faults.clear()
    delivery.calls()

    put_order(shop, 1, total=99)
    delivery.run()
    assert delivery.calls() == [("DELETE", "/orders/3", ())]
    delivery.run(shop.source("nested", "merge"))
    assert delivery.calls() == [("POST", "/orders", ("1",))]
    assert delivery.held() == shop.expected()


def test_hard_delete_outlives_a_package_that_was_given_up(delivery: Delivery, shop: Shop) -> None:
    """`dlt pipeline shop abort-packages` after a stopped delivery; the row is gone by then."""
    delivery.run(shop.source("nested", "merge"))
    shop.destroy("orders", 3)
    delivery.box.faults.add(Fault("status", status=401))
    with pytest.raises(PipelineStepFailed):
        delivery.run(shop.source("nested", "merge"))
    delivery.box.faults.clear()
    delivery.pipeline().abort_packages()
    delivery.calls()

    put_order(shop, 1, total=99)
    delivery.run(shop.source("nested", "merge"))
    assert sorted(delivery.calls()) == [("DELETE", "/orders/3", ()), ("POST", "/orders", ("1",))]
    assert delivery.held() == shop.expected()


def test_mapping_fault_stops_before_anything_is_sent(delivery: Delivery, shop: Shop) -> None:
    faulty = mapping("nested")
    faulty["orders"]["fields"]["Currency"] = "curency_code + 1 +"
    faulty["orders"]["fields"]["OrderDate"] = "placed_at"
    with pytest.raises(PipelineStepFailed) as stopped:
        delivery.run(shop.source("nested", "merge"), mapping=faulty)
    error = stopped.value.__cause__
    assert isinstance(error, MappingError)
    places = {fault.place for fault in error.faults}
    assert places == {"orders.fields.Currency", "orders.fields.OrderDate"}
    assert delivery.calls() == []

    delivery.run()
    assert delivery.held() == shop.expected()


def test_refused_rows_do_not_stop_the_load_and_the_report_says_so(
    delivery: Delivery, shop: Shop
) -> None:
    put_order(shop, 2, created_at="yesterday-ish")
    report = delivery.run(shop.source("nested", "merge"))
    assert report["exit_code"] == 1
    assert report["entities"]["orders"]["rejected"] == 1
    assert report["entities"]["orders"]["created"] == 5
    assert [one["field"] for one in report["refusals"]] == ["OrderDate"]
    assert not delivery.pipeline().has_pending_data

    put_order(shop, 2, created_at="2026-01-02T10:00:00Z")
    report = delivery.run(shop.source("nested", "merge"))
    assert report["exit_code"] == 0
    assert delivery.held() == shop.expected()
