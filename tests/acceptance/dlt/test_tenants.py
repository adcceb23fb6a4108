"""What one tenant has says nothing about another, nor about another host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replenit_destination import push

from .conftest import Delivery
from .shop import first_shop, mapping, put_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

FIRST = "11111111-1111-4111-8111-111111111111"
SECOND = "22222222-2222-4222-8222-222222222222"
KEY = "c2FuZGJveC1rZXk="


@pytest.fixture
def box(replenit_sandbox_factory: Callable[..., ReplenitSandbox]) -> ReplenitSandbox:
    return replenit_sandbox_factory(limits=None, keep_bodies=True, tenants={KEY: [FIRST, SECOND]})


def test_ledger_of_a_demo_says_nothing_about_another_host(
    delivery: Delivery, here: Path, replenit_sandbox_factory: Callable[..., ReplenitSandbox]
) -> None:
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    delivery.calls()

    real = replenit_sandbox_factory(limits=None, keep_bodies=True, tenants={KEY: [FIRST]})
    moved = Delivery(real, here, delivery.settings)
    report = push(moved.pipeline())
    assert sorted(path for _, path, _ in moved.calls()) == ["/customers", "/orders", "/products"]
    assert report.entities["orders"].created == 6
    assert moved.held() == delivery.held() == shop.expected()

    put_order(shop, 1, total=99)
    moved.run(shop.source("nested", "merge"))
    assert moved.calls() == [("POST", "/orders", ("1",))]
    assert delivery.calls() == []

    delivery.push()
    assert delivery.calls() == [("POST", "/orders", ("1",))]


def test_other_tenant_gets_everything(delivery: Delivery) -> None:
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    delivery.settings["tenant_id"] = SECOND
    report = delivery.push()

    created = {name: one.created for name, one in report.entities.items()}
    assert created == {"customers": 3, "orders": 6, "products": 2}
    assert delivery.held(SECOND) == delivery.held(FIRST) == shop.expected()


def test_two_tenants_of_one_database_do_not_disturb_each_other(
    delivery: Delivery, here: Path
) -> None:
    """Two pipelines stage into datasets of their own in one file, with ledgers of their own."""
    database = here / "replenit_data" / "both.duckdb"
    shops = {}
    for name, tenant in (("berlin", FIRST), ("paris", SECOND)):
        one = Delivery(delivery.box, here, name=name, dataset=f"{name}_data")
        ledger = here / "replenit_data" / f"{name}.ledger.duckdb"
        one.settings = {"mapping": mapping("nested"), "tenant_id": tenant}
        one.settings |= {"credentials": database, "ledger": ledger, "destination_name": name}
        shops[name] = one, first_shop()
        one.run(shops[name][1].source("nested", "merge"))
    (berlin, first), (paris, second) = shops["berlin"], shops["paris"]
    assert berlin.held(FIRST) == first.expected()
    assert paris.held(SECOND) == second.expected()

    for one in (berlin, paris):
        one.calls()
    put_order(first, 1, total=77)
    second.destroy("orders", 1)
    berlin.run(first.source("nested", "merge"))
    paris.run(second.source("nested", "merge"))
    assert delivery.calls()[-2:] == [("POST", "/orders", ("1",)), ("DELETE", "/orders/1", ())]
    assert berlin.held(FIRST) == first.expected()
    assert paris.held(SECOND) == second.expected()
    assert berlin.push(full=True).requests == paris.push(full=True).requests == 0


def test_two_tenants_may_share_tables_and_ledger(delivery: Delivery) -> None:
    """The ledger's records are by tenant, so one file serves both."""
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    delivery.settings["tenant_id"] = SECOND
    delivery.push()
    delivery.calls()

    shop.destroy("orders", 2)
    put_order(shop, 1, total=77)
    delivery.run(shop.source("nested", "merge"))
    assert delivery.calls() == [("POST", "/orders", ("1",)), ("DELETE", "/orders/2", ())]
    delivery.settings["tenant_id"] = FIRST
    delivery.push()
    assert delivery.calls() == [("POST", "/orders", ("1",)), ("DELETE", "/orders/2", ())]
    assert delivery.held(FIRST) == delivery.held(SECOND) == shop.expected()


def test_two_datasets_of_one_ledger_are_two_sources_of_one_tenant(
    delivery: Delivery, here: Path
) -> None:
    """What the other dataset delivered is missing from this one, and that is no deletion."""
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    delivery.calls()

    other = Delivery(delivery.box, here, delivery.settings, name="shop", dataset="other_data")
    other.folder = "others"
    second = first_shop()
    for number in range(1, 7):
        second.destroy("orders", number)
    put_order(second, 50)
    report = other.run(second.source("nested", "merge"))
    assert [call for call in delivery.calls() if call[0] == "DELETE"] == []
    assert report["exit_code"] in (0, 1)
