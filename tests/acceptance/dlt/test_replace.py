"""Rows that are missing are no proof of deletion: removals wait, everything else travels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pytest

from .shop import Shop, first_shop, line, mapping, put_order, variant

if TYPE_CHECKING:
    from .conftest import Delivery


def shop_of_many(delivery: Delivery, form: str = "nested", disposition: str = "replace") -> Shop:
    """Deliver a shop whose numbers are above what a week may lose, and return it."""
    delivery.settings["mapping"] = mapping(form)
    shop = first_shop()
    for number in range(7, 21):
        put_order(shop, number, lines=[line(number, 1, "s"), line(number, 2, "m")])
    for number in range(3, 13):
        shop.put("products", number, title=f"Pot {number}", variants=[variant(number, "s")])
    delivery.run(shop.source(form, disposition))
    delivery.calls()
    return shop


def only(shop: Shop, form: str, *names: str) -> Any:
    """Return the source with nothing in all tables but the named ones."""
    source = shop.source(form, "replace")
    for name, resource in source.resources.items():
        if name not in names:
            resource.add_filter(lambda _: False)
    return source


def withheld(report: dict[str, Any]) -> list[tuple[str, int]]:
    return sorted((one["entity"], one["count"]) for one in report["withheld"])


@pytest.mark.parametrize("form", ["nested", "table", "json"])
def test_empty_replace_removes_nothing_and_the_rest_travels(delivery: Delivery, form: str) -> None:
    shop = shop_of_many(delivery, form)
    before = delivery.held()
    shop.put("customers", 1, optin=False)
    report = delivery.run(only(shop, form, "customers"))

    assert delivery.calls() == [("POST", "/customers", ("person1@example.com",))]
    assert delivery.held() | {"customers": {}} == before | {"customers": {}}
    assert withheld(report) == [("orders", 20), ("products", 12)]
    assert report["exit_code"] == 1
    assert report["entities"]["orders"]["withheld"] == 20
    assert all(
        one["allow"] == f'allow_removals = ["{one["entity"]}"]' for one in report["withheld"]
    )

    summary = delivery.push().summary
    assert delivery.calls() == []
    assert "orders: 20 removals withheld" in summary
    assert 'allow_removals = ["orders"] allows them once' in summary

    allowed = delivery.push(allow_removals=["orders", "products"])
    assert allowed.exit_code == 0
    assert delivery.held()["orders"] == {}
    flags = [
        one["IsAvailable"]
        for product in delivery.held()["products"].values()
        for one in product["ProductVariants"]
    ]
    assert flags == [False] * 14
    assert delivery.push().requests == 0


@pytest.mark.parametrize("form", ["nested", "table"])
def test_filtered_source_removes_nothing_and_the_rest_travels(
    delivery: Delivery, form: str
) -> None:
    shop = shop_of_many(delivery, form)
    whole = dict(shop.rows["orders"])
    for number in range(1, 11):
        del shop.rows["orders"][number]
    put_order(shop, 15, total=99)
    report = delivery.run(shop.source(form, "replace"))

    assert delivery.calls() == [("POST", "/orders", ("15",))]
    assert withheld(report) == [("orders", 10)]

    shop.rows["orders"] = whole | {15: shop.rows["orders"][15]}
    report = delivery.run(shop.source(form, "replace"))
    assert delivery.calls() == []
    assert (withheld(report), report["exit_code"]) == ([], 0)


def test_products_that_vanish_in_numbers_stay_available(delivery: Delivery) -> None:
    shop = shop_of_many(delivery)
    for number in range(1, 8):
        del shop.rows["products"][number]
    shop.put("products", 8, title="Bowl 8")
    report = delivery.run(shop.source("nested", "replace"))

    assert delivery.calls() == [("POST", "/products", ("8",))]
    assert withheld(report) == [("products", 7)]


@pytest.mark.parametrize("form", ["table", "arrow", "json"])
def test_lines_that_vanish_in_numbers_stay_and_their_orders_travel(
    delivery: Delivery, form: str
) -> None:
    shop = shop_of_many(delivery, form)
    for number in range(1, 11):
        shop.put("orders", number, lines=[line(number, 1, "s")])
    report = delivery.run(shop.source(form, "replace"))

    orders = tuple(sorted(str(number) for number in range(1, 11)))
    assert delivery.calls() == [("POST", "/orders", orders)]
    assert [(one["entity"], one["children"], one["count"]) for one in report["withheld"]] == [
        ("orders", True, 10)
    ]
    assert len(delivery.held()["orders"]["1"]["OrderItems"]) == 2

    delivery.push(allow_removals=["orders"])
    assert len([call for call in delivery.calls() if call[0] == "DELETE"]) == 10
    assert delivery.held()["orders"] == shop.expected()["orders"]


@pytest.mark.parametrize("form", ["nested", "table"])
def test_vanished_line_table_removes_no_lines(delivery: Delivery, form: str) -> None:
    """Without its table of lines an order has none, and is held rather than sent empty."""
    shop_of_many(delivery, form)
    before = delivery.held()
    table = "orders__lines" if form == "nested" else "lines"
    with delivery.pipeline().sql_client() as client:
        client.execute_sql(f"DROP TABLE {table}")
    report = delivery.push(full=True)
    assert delivery.calls() == []
    assert delivery.held() == before
    assert report.exit_code == 1


def test_vanished_table_removes_nothing_and_the_rest_travels(delivery: Delivery) -> None:
    """dlt's `refresh` drops the tables of a source before it loads what is left of it."""
    shop = shop_of_many(delivery)
    before = delivery.held()
    shop.put("customers", 1, optin=False)

    @dlt.source(name="shop")
    def without_orders() -> Any:
        told = shop.source("nested", "replace")
        return [told.resources["customers"], told.resources["products"]]

    pipeline = delivery.pipeline()
    info = pipeline.run(without_orders(), refresh="drop_sources")
    assert "orders" not in pipeline.default_schema.tables
    assert delivery.calls() == [("POST", "/customers", ("person1@example.com",))]
    assert delivery.held()["orders"] == before["orders"]
    report = delivery.report(info)
    assert withheld(report) == [("orders", 20)]
    assert "is not in the dataset any more" in report["withheld"][0]["reason"]


def test_hard_deletes_in_numbers_wait_until_they_are_allowed(delivery: Delivery) -> None:
    """Evidence does not pass the guard, and is not lost while it waits."""
    shop = shop_of_many(delivery, disposition="merge")
    for number in range(1, 9):
        shop.destroy("orders", number)
    put_order(shop, 20, total=99)
    report = delivery.run(shop.source("nested", "merge"))
    assert delivery.calls() == [("POST", "/orders", ("20",))]
    assert withheld(report) == [("orders", 8)]

    put_order(shop, 19, total=99)
    delivery.run(shop.source("nested", "merge"))
    assert delivery.calls() == [("POST", "/orders", ("19",))]

    assert delivery.push(allow_removals=["orders"]).exit_code == 0
    assert len(delivery.calls()) == 8
    assert delivery.held() == shop.expected()
