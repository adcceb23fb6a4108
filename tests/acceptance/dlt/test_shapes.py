"""Exactly the calls that a change asks for, in whatever form and disposition the rows arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .shop import Shop, first_shop, line, mapping, put_order, variant

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
    assert stored(delivery) == shop.expected()

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

    expected = shop.expected()
    expected["products"]["1"]["ProductVariants"].insert(0, gone_variant(1, "m"))
    assert stored(delivery) == expected

    assert delivery.push().requests == 0
    assert delivery.push(full=True).requests == 0
    assert delivery.calls() == []


def stored(delivery: Delivery) -> dict[str, Any]:
    """Return what the sandbox holds, without the flags that it fills in."""
    return {
        entity: {key: without_defaults(one) for key, one in documents.items()}
        for entity, documents in delivery.held().items()
    }


FILLED = {
    *("EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "IsExcluded"),
    *("IsGift", "IsOfflineExclusive", "TotalQuantity", "UniqueQuantity"),
}


def without_defaults(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [without_defaults(one) for one in value] if isinstance(value, list) else value
        for name, value in document.items()
        if name not in FILLED
    }


def gone_variant(product: int, size: str) -> dict[str, Any]:
    gone = variant(product, size)
    return {
        **{"VariantId": str(gone["id"]), "Sku": gone["sku"], "Name": f"Pot {product}"},
        **{"OriginalPrice": 9.5, "Currency": "EUR", "IsAvailable": False},
    }
