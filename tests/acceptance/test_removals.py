"""What is gone at the source, case by case: exactly these calls, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.sandbox.faults import Poison
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
from tests.acceptance.harness.oracle import Rules
from tests.acceptance.harness.world import World
from tests.doubles.shop import Shop
from tests.doubles.staged_shop import FORMS, Form

if TYPE_CHECKING:
    from pathlib import Path

PRIORITIES = ("email", "customerid")


def world(folder: Path, form: Form = "nested", **rules: str) -> World:
    """Return a world whose sample shop is delivered.

    Customers 1 to 3, products 4, 7 and 10 with two variants each, orders 13, 16 … 28 with two
    lines.
    """
    made = World(folder, Rules(**rules), form=form)
    made.deliver()
    return made


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("removal", ["unavailable", "delete"])
def test_one_of_each_change_makes_exactly_the_calls_it_needs(
    tmp_path: Path, form: Form, removal: str
) -> None:
    shop = world(tmp_path, form, product_removal=removal)
    truth = shop.shop
    truth.change_order(13, cancelled=True)
    truth.remove_line(16, truth.orders[16].lines[0].id)
    truth.delete_order(19)
    truth.remove_variant(4, 6)
    report = shop.deliver()
    variant = [] if removal == "unavailable" else ["DELETE /products/4/variants/6"]
    assert sorted(shop.said()) == sorted(
        [
            "POST /products 4",
            "POST /orders 13 16",
            "DELETE /orders/16/items?productId=7&sku=SKU-8",
            "DELETE /orders/19",
            *variant,
        ]
    )
    assert (report.exit_code, report.entities["orders"].children_deleted) == (0, 1)
    assert shop.deliver().requests == 0
    shop.assert_ledger_agrees()


@pytest.mark.parametrize("form", FORMS)
def test_a_value_that_comes_back_is_sent_three_times(tmp_path: Path, form: Form) -> None:
    shop = world(tmp_path, form)
    for cancelled in (True, False, True):
        shop.shop.change_order(13, cancelled=cancelled)
        shop.deliver()
        assert shop.said() == ["POST /orders 13"]
    shop.shop.change_order(13, cancelled=False)
    shop.load()
    shop.shop.change_order(13, cancelled=True)
    shop.deliver()
    assert shop.said() == []


@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_is_loaded_again_unchanged_is_not_sent(tmp_path: Path, form: Form) -> None:
    shop = world(tmp_path, form)
    shop.shop.reloaded = {("orders", 13), ("customers", 1), ("products", 4)}
    assert shop.deliver().requests == 0
    shop.staged.load(replace=True)
    report = shop.push()
    assert report is not None
    assert report.requests == 0
    assert report.entities["orders"].unchanged == 6


@pytest.mark.parametrize("form", FORMS)
def test_a_line_that_moves_leaves_one_order_and_joins_the_other(tmp_path: Path, form: Form) -> None:
    shop = world(tmp_path, form)
    shop.shop.move_line(16, shop.shop.orders[16].lines[1].id, 13)
    shop.deliver()
    assert shop.said() == [
        "POST /orders 13 16",
        "DELETE /orders/16/items?productId=10&sku=SKU-11",
    ]
    shop.assert_ledger_agrees()


@pytest.mark.parametrize("form", ["nested", "table"])
def test_the_lines_of_a_deleted_product_keep_their_identifiers(tmp_path: Path, form: Form) -> None:
    """real-shops.md rule 14: a product deleted at the source is no removed line."""
    items: dict[str, Any] = {
        "table": "orders__lines" if form == "nested" else "lines",
        "id": "id",
        "lookups": {"product": {"table": "products", "on": {"id": "product_id"}}},
        "fields": {
            "ProductId": "product.id",
            "Sku": "sku",
            "Quantity": "quantity",
            "Price": "price",
            "Size": "size",
        },
    }
    if form == "table":
        items["on"] = {"order_id_ref": "id"}
    shop = World(tmp_path, Rules(product_removal="delete"), form=form)
    tables = dict(shop.mapping.tables)
    tables["orders"] = {**tables["orders"], "items": items}
    shop.mapping = type(shop.mapping)(tables)
    shop.deliver()
    gone = shop.shop.remove_product(7)
    shop.deliver()
    assert shop.said() == ["DELETE /products/7"]
    shop.shop.change_order(16, cancelled=True)
    shop.deliver()
    assert shop.said() == ["POST /orders 16"]
    shop.shop.return_product(gone)
    shop.deliver()
    assert shop.said() == ["POST /products 7"]


# -- customers


@pytest.mark.parametrize("style", ["query", "path"])
def test_a_new_address_is_a_new_customer_where_the_address_identifies(
    tmp_path: Path, style: str
) -> None:
    shop = world(tmp_path, delete_style=style)
    shop.shop.change_customer(1, email="New@Example.com ")
    report = shop.deliver()
    assert shop.said()[:2] == ["POST /customers 1", "POST /orders 13 22"]
    if style == "query":
        assert shop.said()[2:] == ["DELETE /customers?email=person1%40example.com"]
        shop.assert_ledger_agrees()
    else:
        # The path takes a CustomerId only, and the survivor has the same: nothing may be deleted,
        # and that is said.
        assert shop.said()[2:] == []
        assert report.exit_code == 1
    assert not any("unlinked" in x for x in shop.service.flags()["orders"].values())
    assert shop.deliver().requests == 0


@pytest.mark.parametrize("style", ["query", "path"])
def test_a_new_address_is_a_new_value_where_the_id_identifies(tmp_path: Path, style: str) -> None:
    shop = world(tmp_path, priority="customerid", delete_style=style)
    shop.shop.change_customer(1, email="new@example.com")
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13 22"]
    shop.assert_ledger_agrees()


@pytest.mark.parametrize("style", ["query", "path"])
@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("take_email", [False, True], ids=["own address", "loser's address"])
def test_a_merge_leaves_the_survivor_and_no_orphan(
    tmp_path: Path, priority: str, style: str, take_email: bool
) -> None:
    shop = world(tmp_path, priority=priority, delete_style=style)
    shop.shop.merge_customers(1, 2, take_email=take_email)
    report = shop.deliver()
    if (priority, style, take_email) == ("email", "path", True):
        # The record to delete and the survivor have one CustomerId: nothing is deleted, and said.
        assert (report.exit_code, report.entities["customers"].quarantined) == (1, 1)
        return
    assert report.exit_code == 0
    assert shop.said()[-1].startswith("DELETE /customers")
    assert {c["CustomerId"] for c in shop.state()["customers"].values()} == {"2", "3"}
    assert not any("unlinked" in x for x in shop.service.flags()["orders"].values())
    shop.assert_ledger_agrees()
    assert shop.deliver().requests == 0


def test_two_customers_who_swap_addresses_are_both_kept(tmp_path: Path) -> None:
    shop = world(tmp_path)
    first, second = shop.shop.customers[1].email, shop.shop.customers[2].email
    shop.shop.change_customer(1, email=second)
    shop.shop.change_customer(2, email=first)
    shop.deliver()
    assert shop.said()[0] == "POST /customers 1 2"
    assert not any(line.startswith("DELETE") for line in shop.said())
    shop.assert_ledger_agrees()


def test_the_old_address_stays_until_the_new_one_is_accepted(tmp_path: Path) -> None:
    """real-shops.md rule 8: the survivor first, so that a refusal loses nobody."""
    shop = world(tmp_path)
    shop.service.faults.add(Poison("customers", keys=["new@example.com"]))
    shop.shop.change_customer(1, email="new@example.com")
    report = shop.deliver(poisoned={("customers", "new@example.com")}, allow_removals=["customers"])
    assert not any(line.startswith("DELETE") for line in shop.said())
    assert report.entities["customers"].quarantined == 1
    shop.service.faults.clear()
    shop.deliver(retry=True)
    assert shop.said()[-1] == "DELETE /customers?email=person1%40example.com"
    shop.assert_ledger_agrees()


@pytest.mark.parametrize("style", ["query", "path"])
@pytest.mark.parametrize("priority", PRIORITIES)
def test_an_erased_customer_is_deleted_and_the_orders_fall_back_to_their_own_address(
    tmp_path: Path, priority: str, style: str
) -> None:
    shop = world(tmp_path, priority=priority, delete_style=style)
    shop.shop.change_customer(1, email="new@example.com")
    if style == "query" or priority == "customerid":
        shop.deliver()
        shop.shop.erase_customer(1)
        shop.deliver()
        assert shop.said()[0] == "POST /orders 13 22"
        assert shop.said()[1].startswith("DELETE /customers")
        assert len(shop.said()) == 2
        shop.assert_ledger_agrees()


def test_a_customer_who_vanished_is_kept_but_the_orders_follow_the_source(tmp_path: Path) -> None:
    """A look-up row that leaves no trace still changes what looked it up (rule 20)."""
    shop = world(tmp_path)
    shop.shop.change_customer(1, email="new@example.com")
    shop.deliver()
    del shop.shop.customers[1]
    report = shop.deliver()
    assert shop.said() == ["POST /orders 13 22"]
    assert report.entities["customers"].withheld == 1


# -- products


def test_a_product_that_is_gone_and_returns_is_unavailable_in_between(tmp_path: Path) -> None:
    shop = world(tmp_path)
    product = shop.shop.remove_product(4)
    report = shop.deliver()
    assert shop.said() == ["POST /products 4"]
    assert report.entities["products"].deleted == 1
    assert shop.deliver().requests == 0
    shop.shop.return_product(product)
    shop.deliver()
    assert shop.said() == ["POST /products 4"]
    shop.assert_ledger_agrees()


def test_a_product_that_is_gone_and_returns_is_deleted_and_made_anew(tmp_path: Path) -> None:
    shop = world(tmp_path, product_removal="delete")
    product = shop.shop.remove_product(4)
    shop.deliver()
    assert shop.said() == ["DELETE /products/4"]
    shop.shop.return_product(product)
    shop.deliver()
    assert shop.said() == ["POST /products 4"]
    shop.assert_ledger_agrees()


def test_a_variant_that_returns_is_available_again(tmp_path: Path) -> None:
    shop = world(tmp_path)
    variant = shop.shop.remove_variant(4, 6)
    shop.deliver()
    shop.shop.change_variant(4, 5, brand="Other")
    shop.deliver()
    shop.shop.return_variant(4, variant)
    shop.deliver()
    assert shop.said() == ["POST /products 4"]
    assert shop.state()["products"]["4"]["ProductVariants"]["6"]["IsAvailable"] is True
    shop.assert_ledger_agrees()


# -- guards


@pytest.mark.parametrize("form", FORMS)
def test_an_order_that_vanished_is_withheld_and_shown_and_goes_when_allowed(
    tmp_path: Path, form: Form
) -> None:
    shop = world(tmp_path, form)
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
    shop = world(tmp_path, form)
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
    shop = world(tmp_path)
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


# -- consent


def test_people_who_never_consented_are_not_sent_nor_are_their_orders(tmp_path: Path) -> None:
    truth = Shop.sample()
    truth.change_customer(1, gdpr=False)
    shop = World(tmp_path, Rules(gdpr_policy="consented_only"), shop=truth)
    report = shop.deliver()
    assert shop.said()[0] == "POST /customers 2 3"
    assert shop.said()[2] == "POST /orders 16 19 25 28"
    assert report.entities["customers"].skipped == 1
    assert report.entities["orders"].skipped == 2
    truth.change_customer(1, gdpr=True)
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13 22"]
    shop.assert_ledger_agrees()


def test_a_withdrawal_is_delivered_first_and_ends_the_orders(tmp_path: Path) -> None:
    shop = world(tmp_path, gdpr_policy="consented_only")
    shop.shop.change_customer(1, gdpr=False)
    shop.shop.change_customer(2, name="Bea")
    shop.shop.change_order(13, cancelled=True)
    shop.shop.change_order(16, cancelled=True)
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /customers 2", "POST /orders 16"]
    assert shop.state()["customers"]["person1@example.com"]["GdprOptin"] is False
    shop.shop.change_customer(1, gdpr=True)
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13"]
    shop.assert_ledger_agrees()


# -- orders that wait


def test_an_order_waits_a_day_for_its_refused_customer_and_then_goes(tmp_path: Path) -> None:
    shop = World(tmp_path)
    shop.service.faults.add(Poison("customers", keys=["person1@example.com"]))
    shop.load()
    report = shop.push()
    assert report is not None
    assert set(shop.state()["orders"]) == {"16", "19", "25", "28"}
    assert report.entities["orders"].backlog == 2
    shop.clock.advance(23 * 3600)
    report = shop.push()
    assert report is not None
    assert (report.requests, report.entities["orders"].backlog) == (0, 2)
    shop.clock.advance(2 * 3600)
    shop.push()
    assert shop.said() == ["POST /orders 13 22"]
    report = shop.push()
    assert report is not None
    assert report.requests == 0


def test_an_order_that_waits_goes_with_its_customer(tmp_path: Path) -> None:
    shop = World(tmp_path)
    shop.service.faults.add(Poison("customers", keys=["person1@example.com"]))
    shop.load()
    shop.push()
    shop.service.faults.clear()
    shop.shop.change_customer(1, name="Bea")
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13 22"]
    shop.assert_ledger_agrees()


# -- accounts


SECOND = "5a11d0b0-0000-4000-8000-000000000002"


def test_two_tenants_of_one_database_do_not_disturb_each_other(tmp_path: Path) -> None:
    shop = World(tmp_path)
    shop.service = ReplenitService(
        limits=None,
        clock=shop.clock.now,
        keep_bodies=True,
        tenants={API_KEY: [TENANT_ID, SECOND]},
    )
    shop.deliver()
    first = shop.settings["tenant_id"]
    shop.settings["tenant_id"] = SECOND
    shop.push()
    assert shop.state(SECOND) == shop.state(first)
    assert len(shop.calls) == 3
    shop.shop.delete_order(13)
    shop.settings["tenant_id"] = first
    shop.deliver()
    assert shop.said() == ["DELETE /orders/13"]
    assert "13" in shop.state(SECOND)["orders"]
    shop.settings["tenant_id"] = SECOND
    shop.push()
    assert shop.said() == ["DELETE /orders/13"]
    assert shop.state(SECOND) == shop.state(first)


def test_a_ledger_pointed_at_another_host_sends_everything_there(tmp_path: Path) -> None:
    shop = world(tmp_path)
    before = shop.settings["base_url"]
    shop.service.reset()
    shop.settings["base_url"] = "http://127.0.0.1:2"
    report = shop.push()
    assert report is not None
    assert shop.said() == [
        "POST /customers 1 2 3",
        "POST /products 10 4 7",
        "POST /orders 13 16 19 22 25 28",
    ]
    assert report.entities["orders"].created == 6
    shop.settings["base_url"] = before
    report = shop.push()
    assert report is not None
    assert report.requests == 0
