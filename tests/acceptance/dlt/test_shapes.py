"""Exactly the calls that a change asks for, in whatever form and disposition the rows arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .shop import FORMS, Shop, first_shop, line, mapping, put_order, variant

if TYPE_CHECKING:
    from .conftest import Delivery

FIRST = [
    ("POST", "/customers", ("person1@example.com", "person2@example.com", "person3@example.com")),
    ("POST", "/orders", ("1", "2", "3", "4", "5", "6")),
    ("POST", "/products", ("1", "2")),
]
MERGES = [
    (form, strategy)
    for form in ("nested", "table", "arrow", "json", "arrow_json")
    for strategy in ("merge", "upsert")
]


def change_four_things(shop: Shop) -> None:
    put_order(shop, 1, cancelled=True)
    shop.put("orders", 2, lines=[line(2, 1, "s")])
    shop.destroy("orders", 3)
    shop.put("products", 1, variants=[variant(1, "s")])


@pytest.mark.parametrize(("form", "disposition"), MERGES)
def test_four_changes_ask_for_exactly_four_calls(
    delivery: Delivery, form: str, disposition: str
) -> None:
    delivery.settings["mapping"] = mapping(form)
    shop = first_shop()
    delivery.run(shop.source(form, disposition))
    assert sorted(delivery.calls()) == FIRST
    assert delivery.held() == shop.expected()

    change_four_things(shop)
    report = delivery.run(shop.source(form, disposition))
    calls = delivery.calls()
    assert sorted(calls) == [
        ("DELETE", "/orders/2/items", ("productId=2", "sku=POT-2-m")),
        ("DELETE", "/orders/3", ()),
        ("POST", "/orders", ("1", "2")),
        ("POST", "/products", ("1",)),
    ]
    assert [method for method, *_ in calls] == ["POST", "POST", "DELETE", "DELETE"]
    counts = report["entities"]
    assert (counts["orders"]["updated"], counts["orders"]["deleted"]) == (2, 1)
    assert counts["orders"]["children_deleted"] == 1
    assert counts["products"]["updated"] == 1

    assert delivery.held() == shop.expected()
    assert delivery.push().requests == 0
    assert delivery.push(full=True).requests == 0
    assert delivery.calls() == []


@pytest.mark.parametrize("form", FORMS)
def test_replace_sends_only_differences_and_withholds_what_merely_vanished(
    delivery: Delivery, form: str
) -> None:
    delivery.settings["mapping"] = mapping(form)
    shop = first_shop()
    delivery.run(shop.source(form, "replace"))
    assert sorted(delivery.calls()) == FIRST

    change_four_things(shop)
    report = delivery.run(shop.source(form, "replace"))
    assert sorted(delivery.calls()) == [
        ("DELETE", "/orders/2/items", ("productId=2", "sku=POT-2-m")),
        ("POST", "/orders", ("1", "2")),
        ("POST", "/products", ("1",)),
    ]
    assert [one["entity"] for one in report["withheld"]] == ["orders"]
    assert report["exit_code"] == 1

    delivery.run(shop.source(form, "replace"))
    assert delivery.calls() == []


@pytest.mark.parametrize("form", ["nested", "json", "arrow_json"])
def test_append_takes_the_newest_row_of_a_key(delivery: Delivery, form: str) -> None:
    """An append-only feed tells the whole story; a row that says `deleted` ends a document."""
    delivery.settings["mapping"] = mapping(form, "append")
    shop = first_shop()
    delivery.run(shop.source(form, "append"))
    assert sorted(delivery.calls()) == FIRST

    change_four_things(shop)
    delivery.run(shop.source(form, "append"))
    assert sorted(delivery.calls()) == [
        ("DELETE", "/orders/2/items", ("productId=2", "sku=POT-2-m")),
        ("DELETE", "/orders/3", ()),
        ("POST", "/orders", ("1", "2")),
        ("POST", "/products", ("1",)),
    ]
    assert delivery.held() == shop.expected()

    put_order(shop, 3, lines=[line(3, 1, "s")])
    delivery.run(shop.source(form, "append"))
    assert delivery.calls() == [("POST", "/orders", ("3",))]


@pytest.mark.parametrize("form", ["nested", "arrow"])
def test_value_that_returns_is_sent_three_times(delivery: Delivery, form: str) -> None:
    delivery.settings["mapping"] = mapping(form)
    shop = first_shop()
    delivery.run(shop.source(form, "merge"))
    delivery.calls()
    for total in (30, 20.5, 30):
        put_order(shop, 4, total=total)
        delivery.run(shop.source(form, "merge"))
        assert delivery.calls() == [("POST", "/orders", ("4",))]
        assert delivery.held()["orders"]["4"]["TotalRevenue"] == total


@pytest.mark.parametrize(
    ("form", "disposition"),
    [
        ("nested", "merge"),
        ("json", "upsert"),
        ("table", "replace"),
        ("arrow", "merge"),
        ("arrow_json", "replace"),
    ],
)
def test_same_rows_again_ask_for_no_request(
    delivery: Delivery, form: str, disposition: str
) -> None:
    delivery.settings["mapping"] = mapping(form)
    shop = first_shop()
    delivery.run(shop.source(form, disposition))
    delivery.calls()

    report = delivery.run(shop.source(form, disposition, everything=True))
    assert delivery.calls() == []
    assert report["requests"] == 0
    unchanged = {name: one["unchanged"] for name, one in report["entities"].items()}
    assert unchanged == {"customers": 3, "orders": 6, "products": 2}


def test_source_that_yields_nothing_and_a_push_ask_for_no_request(delivery: Delivery) -> None:
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    delivery.calls()

    assert delivery.run(shop.source("nested", "merge")) == {}
    report = delivery.push()
    assert (report.requests, report.exit_code) == (0, 0)
    assert delivery.calls() == []


@pytest.mark.parametrize("form", ["nested", "table", "arrow"])
def test_new_address_goes_out_before_the_old_one_is_deleted(delivery: Delivery, form: str) -> None:
    """The survivor first, then its orders, then the loser: no orphan and no lost person."""
    delivery.settings["mapping"] = mapping(form)
    shop = first_shop()
    delivery.run(shop.source(form, "merge"))
    delivery.calls()

    shop.put("customers", 1, email="new1@example.com")
    delivery.run(shop.source(form, "merge"))
    assert delivery.calls() == [
        ("POST", "/customers", ("new1@example.com",)),
        ("POST", "/orders", ("1", "4")),
        ("DELETE", "/customers", ("email=person1%40example.com",)),
    ]
    assert delivery.held() == shop.expected()


@pytest.mark.parametrize("form", ["nested", "arrow"])
def test_gone_products_and_variants_are_deleted_where_the_shop_chose_so(
    delivery: Delivery, form: str
) -> None:
    delivery.settings |= {"mapping": mapping(form), "product_removal": "delete"}
    shop = first_shop()
    delivery.run(shop.source(form, "merge"))
    delivery.calls()

    shop.put("products", 1, variants=[variant(1, "s")])
    shop.destroy("products", 2)
    delivery.run(shop.source(form, "merge"))
    assert sorted(delivery.calls()) == [
        ("DELETE", "/products/1/variants/11", ()),
        ("DELETE", "/products/2", ()),
        ("POST", "/products", ("1",)),
    ]


def test_two_sources_of_one_pipeline_arrive_in_one_delivery(delivery: Delivery) -> None:
    """Two schemas make two load packages; customers still travel before the orders they made."""
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()

    def both() -> list[Any]:
        whole = shop.source("nested", "merge")
        crm, web = whole.with_resources("customers"), whole.with_resources("orders", "products")
        return [web.clone(with_name="web"), crm.clone(with_name="crm")]

    delivery.run(both())
    calls = delivery.calls()
    assert sorted(calls) == FIRST
    assert calls[-1][1] == "/orders"
    assert sorted(delivery.pipeline().schema_names) == ["crm", "web"]

    shop.put("customers", 2, optin=False)
    change_four_things(shop)
    delivery.run(both())
    assert sorted(delivery.calls()) == [
        ("DELETE", "/orders/2/items", ("productId=2", "sku=POT-2-m")),
        ("DELETE", "/orders/3", ()),
        ("POST", "/customers", ("person2@example.com",)),
        ("POST", "/orders", ("1", "2")),
        ("POST", "/products", ("1",)),
    ]
    assert delivery.held() == shop.expected()
    assert delivery.push(full=True).requests == 0


def test_withdrawn_consent_leaves_before_everything_else(delivery: Delivery) -> None:
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    delivery.calls()

    for number in (1, 2):
        shop.put("products", number, title=f"Bowl {number}")
    shop.put("customers", 3, optin=False)
    shop.put("customers", 4, email="person4@example.com", optin=True)
    delivery.run(shop.source("nested", "merge"))
    calls = delivery.calls()
    assert calls[0] == ("POST", "/customers", ("person3@example.com",))
    assert sorted(calls[1:]) == [
        ("POST", "/customers", ("person4@example.com",)),
        ("POST", "/products", ("1", "2")),
    ]


def test_row_that_closes_its_history_is_taken_by_its_present_version(delivery: Delivery) -> None:
    """dlt's scd2 keeps every version; the open one is the present."""
    delivery.settings["mapping"] = history = mapping("nested")
    for entity in history.values():
        entity["where"] = "_dlt_valid_to IS NULL"
    history["orders"]["lookups"]["customer"]["order"] = "_dlt_valid_to DESC NULLS FIRST"
    shop = first_shop()

    def source() -> Any:
        told = shop.source("nested", "replace")
        for resource in told.resources.values():
            resource.apply_hints(write_disposition={"disposition": "merge", "strategy": "scd2"})
        return told

    delivery.run(source())
    assert sorted(delivery.calls()) == FIRST
    put_order(shop, 1, cancelled=True)
    shop.put("orders", 2, lines=[line(2, 1, "s")])
    delivery.run(source())
    assert sorted(delivery.calls()) == [
        ("DELETE", "/orders/2/items", ("productId=2", "sku=POT-2-m")),
        ("POST", "/orders", ("1", "2")),
    ]
    assert delivery.held() == shop.expected()
