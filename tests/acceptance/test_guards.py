"""Removals that look like an accident are withheld, shown, and can be allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.harness.oracle import Rules
from tests.acceptance.harness.world import World, delivered
from tests.doubles.shop import Shop
from tests.doubles.staged_shop import FORMS, Form

if TYPE_CHECKING:
    from pathlib import Path

PRIORITIES = ("email", "customerid")


# -- guards


@pytest.mark.parametrize("form", FORMS)
def test_an_order_that_vanished_is_withheld_and_shown_and_goes_when_allowed(
    tmp_path: Path, form: Form
) -> None:
    shop = delivered(tmp_path, form)
    shop.shop.lose_order(13)
    shop.shop.change_order(16, cancelled=True)
    report = shop.deliver()
    assert shop.said() == ["POST /orders 16"]
    assert (report.exit_code, report.entities["orders"].withheld) == (1, 1)
    assert report.withheld[0].allow == 'allow_removals = ["orders"]'
    assert shop.deliver().entities["orders"].withheld == 1
    assert shop.deliver(allow_removals=["orders"]).exit_code == 0
    assert shop.said() == ["DELETE /orders/13"]
    shop.assert_ledger_agrees()


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_replace_removes_nothing_until_it_is_allowed(tmp_path: Path, form: Form) -> None:
    shop = delivered(tmp_path, form)
    kept = shop.state()
    orders, shop.shop.orders = shop.shop.orders, {}
    products, shop.shop.products = shop.shop.products, {}
    shop.shop.change_customer(1, name="Bea")
    shop.load(replace=True)
    report = shop.push()
    assert report is not None
    assert shop.said() == ["POST /customers 1"]
    assert report.exit_code == 1
    assert {one.entity: one.count for one in report.withheld} == {"orders": 6, "products": 3}
    assert shop.state()["orders"] == kept["orders"]
    assert shop.state()["products"] == kept["products"]
    shop.shop.orders, shop.shop.products = orders, products
    shop.oracle.pushed(shop.shop)
    assert shop.deliver().exit_code == 0
    assert shop.said() == []
    shop.shop.orders = {}
    shop.deliver(allow_removals=["orders"])
    assert shop.state()["orders"] == {}


def test_a_filtered_source_removes_nothing_until_it_is_allowed(tmp_path: Path) -> None:
    shop = World(tmp_path, shop=Shop.sample(products=20, orders=10))
    shop.deliver()
    dropped = dict(list(shop.shop.products.items())[:6])
    for number in dropped:
        del shop.shop.products[number]
    shop.shop.change_customer(1, name="Bea")
    shop.load(replace=True)
    report = shop.push()
    assert report is not None
    assert shop.said() == ["POST /customers 1"]
    assert [(one.entity, one.count) for one in report.withheld] == [("products", 6)]
    report = shop.push(allow_removals=["products"])
    assert report is not None
    assert report.entities["products"].deleted == 6
    shop.oracle.pushed(shop.shop, allowed=["products"])
    assert shop.state() == shop.oracle.held


@pytest.mark.parametrize("removal", ["unavailable", "delete"])
def test_the_guard_counts_the_removals_of_a_week(tmp_path: Path, removal: str) -> None:
    shop = World(tmp_path, Rules(product_removal=removal), shop=Shop.sample(products=12))
    shop.deliver()
    products = list(shop.shop.products)
    for number in products[:5]:
        shop.shop.remove_product(number)
        shop.deliver()
        assert len(shop.calls) == 1
    shop.shop.remove_product(products[5])
    shop.load()
    report = shop.push()
    assert report is not None
    assert [(one.entity, one.count) for one in report.withheld] == [("products", 1)]
    assert shop.calls == []
    shop.clock.advance(8 * 24 * 3600)
    shop.deliver()
    assert len(shop.calls) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("removal", ["unavailable", "delete"])
def test_children_that_vanish_in_numbers_are_withheld(
    tmp_path: Path, form: Form, removal: str
) -> None:
    """A filtered item or variant table must not empty the documents at the vendor."""
    shop = World(
        tmp_path,
        Rules(product_removal=removal),
        form=form,
        shop=Shop.sample(products=10, orders=10),
    )
    shop.deliver()
    kept = shop.state()
    for order in list(shop.shop.orders.values()):
        shop.shop.remove_line(order.id, order.lines[0].id)
    for product in list(shop.shop.products.values()):
        shop.shop.remove_variant(product.id, product.variants[0].id)
    shop.load()
    report = shop.push()
    assert report is not None
    assert not any(line.startswith("DELETE") for line in shop.said())
    withheld = {(one.entity, one.children, one.count) for one in report.withheld}
    assert withheld == {("orders", True, 10), ("products", True, 10)}
    after = shop.state()
    for entity, name in (("orders", "OrderItems"), ("products", "ProductVariants")):
        for key, document in kept[entity].items():
            assert after[entity][key][name].keys() == document[name].keys()
    assert all(
        variant["IsAvailable"]
        for product in after["products"].values()
        for variant in product["ProductVariants"].values()
    )
    shop.push(allow_removals=["orders", "products"])
    shop.oracle.pushed(shop.shop)
    assert shop.state() == shop.oracle.held
    report = shop.push()
    assert report is not None
    assert (report.requests, report.exit_code) == (0, 0)
    assert {name: one.backlog for name, one in report.entities.items()} == {
        "customers": 0,
        "orders": 0,
        "products": 0,
    }


def test_a_table_that_vanished_removes_nothing(tmp_path: Path) -> None:
    shop = delivered(tmp_path)
    kept = shop.state()
    shop.shop.change_customer(1, name="Bea")
    shop.load()
    shop.staged.drop("orders")
    report = shop.push()
    assert report is not None
    assert shop.said() == ["POST /customers 1"]
    assert shop.state()["orders"] == kept["orders"]
    assert [(one.entity, one.count) for one in report.withheld] == [("orders", 6)]
    assert report.exit_code == 1
