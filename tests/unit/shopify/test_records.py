"""GraphQL objects as rows, with the values Shopify was recorded to give."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from shopify.records import customer_row, fold, in_buyers_currency, order_row

from replenit_destination.sandbox.shopify.app import AdminApi
from replenit_destination.sandbox.shopify.shop import Basket, Shop

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Größe", "grosse"),
        ("GRÖSSE", "grosse"),
        ("Taille", "taille"),
        ("Shoe size", "shoe_size"),
        ("_gift_message", "gift_message"),
        ("Hediye mi?", "hediye_mi"),
        ("KAD\u0131N", "kadin"),
    ],
)
def test_names_fold_whatever_way_they_are_written(written: str, folded: str) -> None:
    assert fold(written) == folded


def whole_order(**order: Any) -> dict[str, Any]:
    """An order node with every selected field, from the double."""
    from shopify.documents import document

    shop = Shop()
    shop.place_order(None, [Basket(title="Thing", price="100.00", quantity=2)], **order)
    text = document("orders", "order", "line", "money")
    variables = {"first": 1, "items": 10, "query": None}
    answer = AdminApi(shop).answer(text, variables, "2026-10", "OrdersPage")
    node: dict[str, Any] = answer["data"]["orders"]["nodes"][0]
    return node


def both(bag: dict[str, Any]) -> dict[str, Any]:
    return {"shopMoney": bag["shopMoney"], "presentmentMoney": bag["shopMoney"]}


def overlay(node: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """Put the recorded values over an order node, where it has such a field."""
    for key, value in seen.items():
        if key == "refunds":
            continue  # recorded with other fields than ours
        if key == "lineItems":
            for line, recorded_line in zip(node[key]["nodes"], value["nodes"], strict=False):
                overlay(line, recorded_line)
        elif key == "taxLines":
            node[key] = [{"priceSet": both(line["priceSet"])} for line in value]
        elif key in node and isinstance(value, dict) and "shopMoney" in value:
            node[key] = both(value)
        elif key in node:
            node[key] = value
    return node


def test_recorded_edit_lowers_current_quantity_and_total(recorded: Callable[[str], Any]) -> None:
    content = recorded("orders/2026-04__harry-test-heelo__order-edit-money-math.json")
    seen = content["cases"]["taxed"]["downstreamRead"]["response"]["payload"]["data"]["order"]
    row = order_row(overlay(whole_order(shipping="0.0"), seen))
    assert (row["total_price"], row["current_total_price"]) == (Decimal("226.0"), Decimal("113.0"))
    assert (row["quantity"], row["current_quantity"]) == (2, 1)
    assert row["line_items"][0]["unit_tax"] == Decimal("13.000000")


def test_recorded_discount_by_edit_changes_the_total_itself(
    recorded: Callable[[str], Any],
) -> None:
    content = recorded("orders/2026-04__harry-test-heelo__order-edit-money-math.json")
    seen = content["cases"]["discount"]["downstreamRead"]["response"]["payload"]["data"]["order"]
    row = order_row(overlay(whole_order(shipping="0.0"), seen))
    assert row["total_price"] == row["current_total_price"] == Decimal("80.0")


def test_recorded_cancellation_keeps_what_was_ordered(recorded: Callable[[str], Any]) -> None:
    content = recorded(
        "orders/2026-04__harry-test-heelo__orderCancel-restock-refundMethod-parity.json"
    )
    seen = content["downstreamRead"]["response"]
    seen = seen.get("payload", seen)["data"]["order"]
    row = order_row(overlay(whole_order(shipping="0.0"), seen))
    assert row["financial_status"] == "REFUNDED"
    assert row["total_refunded"] == Decimal("20.0")
    assert row["current_total_price"] == Decimal("0.0")
    assert row["cancelled_at"] is not None


def test_presentment_amounts_stand_beside_the_shops() -> None:
    row = order_row(whole_order(presentment="USD", rate="1.08", shipping="4.90"))
    assert (row["currency"], row["presentment_currency"]) == ("EUR", "USD")
    assert row["total_price"] == Decimal("204.9")
    assert row["total_price_presentment"] == Decimal("221.29")


def test_order_in_the_buyers_currency_mixes_nothing() -> None:
    node = whole_order(presentment="USD", rate="2", shipping="4.90")
    row = in_buyers_currency(order_row(node))
    assert (row["currency"], row["total_price"]) == ("USD", Decimal("409.8"))
    assert row["shipping_price"] == Decimal("9.8")
    assert row["line_items"][0]["unit_price"] == Decimal(200)
    assert row["line_items"][0]["original_unit_price"] == Decimal(200)


def test_line_of_a_deleted_variant_keeps_its_options_from_its_title() -> None:
    node = whole_order()
    line = node["lineItems"]["nodes"][0]
    line |= {
        "product": {"legacyResourceId": "1", "options": [{"name": "Farbe"}, {"name": "Größe"}]},
        "variant": None,
        "variantTitle": "Schwarz / M",
    }
    assert order_row(node)["line_items"][0]["options"] == {"farbe": "Schwarz", "grosse": "M"}


def test_tax_on_top_gives_a_tax_per_unit() -> None:
    row = order_row(whole_order(taxes_included=False, tax_rate="0.10", shipping="5.00"))
    assert row["line_items"][0]["unit_tax"] == Decimal(10)
    assert row["shipping_tax"] == Decimal("0.5")
    assert row["total_price"] == Decimal("225.5")


def test_customer_without_address_or_phone_has_no_consent_state() -> None:
    node: dict[str, Any] = {
        "id": "gid://shopify/Customer/1",
        "legacyResourceId": "1",
        "firstName": None,
        "lastName": None,
        "locale": "de",
        "tags": [],
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "dataSaleOptOut": False,
        "defaultEmailAddress": None,
        "defaultPhoneNumber": None,
        "defaultAddress": None,
    }
    row = customer_row(node)
    assert row["email"] is row["email_marketing_state"] is row["sms_marketing_state"] is None


def test_consent_reads_alike_from_both_generations_of_fields() -> None:
    shop = Shop()
    shop.add_customer("a@example.com", phone="+4930111", sms_state="SUBSCRIBED")
    from shopify.client import ShopifyClient
    from shopify.pager import Pager
    from shopify.settings import Settings

    rows = []
    for version in ("2026-07", "2026-10"):
        pager = Pager(ShopifyClient(Settings("https://x.myshopify.com", "t", version=version)))
        text = pager.documents["CustomersPage"]
        answer = AdminApi(shop).answer(text, {"first": 1, "query": None}, version, "CustomersPage")
        rows.append(customer_row(answer["data"]["customers"]["nodes"][0]))
    assert rows[0] == rows[1]
    assert rows[0]["sms_marketing_state"] == "SUBSCRIBED"
