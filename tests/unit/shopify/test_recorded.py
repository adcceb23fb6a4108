"""Every recorded order, customer and product goes through our readers.

Recorded answers select other fields than ours, so each is laid over a whole object of the double;
what was recorded wins.
"""

from __future__ import annotations

import json
from collections import defaultdict
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from shopify.documents import CUSTOMERS, ORDERS, PRODUCTS, document
from shopify.jsonl import objects, survey
from shopify.records import customer_row, deleted_row, order_row, product_row

from replenit_destination.sandbox.shopify.app import AdminApi
from replenit_destination.sandbox.shopify.shop import Basket, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Node = dict[str, Any]
VERSION = "2026-07"


@pytest.fixture(scope="module")
def whole() -> dict[str, Node]:
    """One whole object of each kind, as our own queries select it."""
    shop = Shop(currency="CAD", taxes_included=False)
    product = shop.add_product("Thing", variants=[{"price": "10.00", "sku": "T"}])
    variant = shop.products[product]["variants"][0]["id"]
    buyer = shop.add_customer("who@example.com", phone="+49301", first_name="W", last_name="O")
    order = shop.place_order(buyer, [Basket(product, variant)], shipping="0.0", tax_rate="0.0")
    shop.refund(order, amount="1.00")
    api = AdminApi(shop)

    def first(root: str, name: str, text: str, **variables: Any) -> Node:
        answer = api.answer(text, {"first": 1, "query": None, **variables}, VERSION, name)
        node: Node = answer["data"][root]["nodes"][0]
        return node

    return {
        "Order": first("orders", "OrdersPage", document("orders", *ORDERS.files(VERSION)), items=5),
        "Customer": first(
            "customers", "CustomersPage", document("customers", *CUSTOMERS.files(VERSION))
        ),
        "Product": first(
            "products",
            "ProductsPage",
            document("products", "variant_image", *PRODUCTS.files(VERSION)),
            variants=5,
        ),
    }


def laid_over(node: Node, seen: Node) -> Node:
    """Return a whole object with everything that was recorded of it."""
    made = deepcopy(node)
    for key, value in seen.items():
        if key not in made:
            continue
        ours = made[key]
        if isinstance(value, dict) and "shopMoney" in value:
            made[key] = {"presentmentMoney": value["shopMoney"], **value}
        elif isinstance(value, dict) and ("nodes" in value or "edges" in value):
            children = value.get("nodes") or [edge["node"] for edge in value.get("edges", ())]
            made[key] = {"nodes": [laid_over(ours["nodes"][0], one) for one in children]}
        elif isinstance(value, dict) and isinstance(ours, dict):
            made[key] = laid_over(ours, value)
        elif isinstance(value, list) and ours and isinstance(ours[0], dict):
            made[key] = [laid_over(ours[0], one) for one in value]
        elif key == "taxLines":
            made[key] = [
                {"priceSet": {"presentmentMoney": one["priceSet"]["shopMoney"], **one["priceSet"]}}
                for one in value
            ]
        else:
            made[key] = value
    return made


def found(content: Any) -> Iterator[tuple[str, Node]]:
    """Yield every order, customer and product in a recording, by kind."""
    if isinstance(content, dict):
        kind = str(content.get("id", "")).removeprefix("gid://shopify/").partition("/")[0]
        if kind in ("Order", "Customer", "Product") and len(content) > 1:
            yield kind, content
        for value in content.values():
            yield from found(value)
    elif isinstance(content, list):
        for value in content:
            yield from found(value)


def order_of(content: Any, *path: str) -> Node:
    for step in path:
        content = content[step]
    node: Node = content.get("payload", content)["data"]["order"]
    return node


def test_every_recorded_object_becomes_a_row(whole: dict[str, Node], shared: Path) -> None:
    rows: dict[str, dict[str, list[Node]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted((shared / "shopify" / "recorded").rglob("*.json")):
        for kind, seen in found(json.loads(file.read_text(encoding="utf-8"))):
            node = laid_over(whole[kind], seen)
            node["legacyResourceId"] = seen["id"].rpartition("/")[2]
            if kind == "Order":
                row = order_row(node)
            elif kind == "Customer":
                row = customer_row(node)
            else:
                row = product_row(node, currency="CAD", language="en")
            assert row["id"] == node["legacyResourceId"]
            rows[kind][file.name].append(row)
    assert {kind: sum(map(len, files.values())) for kind, files in rows.items()}.keys() == {
        *("Order", "Customer", "Product")
    }
    assert len(rows["Order"]) >= 8
    assert len(rows["Customer"]) >= 6
    assert len(rows["Product"]) >= 5


@pytest.mark.parametrize(
    ("file", "path", "expected"),
    [
        (
            "2026-04__harry-test-heelo__order-edit-money-math.json",
            ("cases", "taxed", "downstreamRead", "response"),
            {"total_price": "226.0", "current_total_price": "113.0", "current_quantity": 1},
        ),
        (
            "2026-04__harry-test-heelo__order-edit-money-math.json",
            ("cases", "discount", "downstreamRead", "response"),
            {"total_price": "80.0", "current_total_price": "80.0", "current_quantity": 1},
        ),
        (
            "2026-04__harry-test-heelo__order-edit-existing-order-zero-removal.json",
            ("downstreamRead", "response"),
            {"quantity": 4, "current_quantity": 3},
        ),
        (
            "2026-04__harry-test-heelo__order-edit-commit-history-and-fulfillment-orders.json",
            ("downstreamRead", "response"),
            {"current_total_price": "1909.9", "current_quantity": 3},
        ),
        (
            "2026-04__harry-test-heelo__orderCancel-restock-refundMethod-parity.json",
            ("downstreamRead", "response"),
            {
                "financial_status": "REFUNDED",
                "total_refunded": "20.0",
                "current_total_price": "0.0",
            },
        ),
        (
            "2025-01__harry-test-heelo__refund-create-full-parity.json",
            ("downstreamRead", "response"),
            {"financial_status": "REFUNDED", "total_refunded": "15.0"},
        ),
        (
            "2025-01__harry-test-heelo__refund-create-partial-shipping-restock-parity.json",
            ("downstreamRead", "response"),
            {"financial_status": "PARTIALLY_REFUNDED", "total_refunded": "15.0"},
        ),
        (
            "2026-04__very-big-test-store__order-merchant-detail-read.json",
            ("response",),
            {
                "subtotal_price": "120.0",
                "current_subtotal_price": "90.0",
                "current_total_price": "104.5",
                "total_tax": "12.5",
                "email": "merchant-detail@example.com",
                "discount_codes": ["SPRING10"],
            },
        ),
    ],
    ids=["edit", "discount", "zero-line", "added", "cancel", "refund", "part-refund", "detail"],
)
def test_recorded_orders_give_the_values_shopify_meant(
    file: str,
    path: tuple[str, ...],
    expected: Node,
    whole: dict[str, Node],
    recorded: Callable[[str], Any],
) -> None:
    row = order_row(laid_over(whole["Order"], order_of(recorded(f"orders/{file}"), *path)))
    for name, value in expected.items():
        wanted = Decimal(value) if isinstance(row[name], Decimal) else value
        assert row[name] == wanted, name


def test_recorded_line_edited_to_zero_stays_in_the_list(
    whole: dict[str, Node], recorded: Callable[[str], Any]
) -> None:
    name = "orders/2026-04__harry-test-heelo__order-edit-existing-order-zero-removal.json"
    seen = order_of(recorded(name), "downstreamRead", "response")
    lines = order_row(laid_over(whole["Order"], seen))["line_items"]
    assert [line["current_quantity"] for line in lines] == [2, 1, 0]
    assert [line["quantity"] for line in lines] == [2, 1, 1]


def test_recorded_cancellation_has_its_time_and_no_money_left(
    whole: dict[str, Node], recorded: Callable[[str], Any]
) -> None:
    name = "orders/2026-04__harry-test-heelo__orderCancel-restock-refundMethod-parity.json"
    seen = order_of(recorded(name), "downstreamRead", "response")
    assert order_row(laid_over(whole["Order"], seen))["cancelled_at"] is not None


def test_recorded_consents_keep_their_states_and_times(
    whole: dict[str, Node], recorded: Callable[[str], Any]
) -> None:
    name = "customers/2026-07__harry-test-heelo__customer-input-inline-consent-parity.json"
    seen = recorded(name)["validation"]["downstreamAfterRejectedUpdates"]["response"]
    row = customer_row(laid_over(whole["Customer"], seen["data"]["customer"]))
    assert (row["email_marketing_state"], row["sms_marketing_state"]) == ("SUBSCRIBED",) * 2
    assert str(row["email_marketing_updated_at"]) == "2026-04-25 01:00:00+00:00"
    assert str(row["sms_marketing_updated_at"]) == "2026-04-25 01:05:00+00:00"


def test_recorded_product_without_category_has_none(
    whole: dict[str, Node], recorded: Callable[[str], Any]
) -> None:
    """Shopify calls it `Uncategorized`, as if it were one."""
    content = recorded("products/2025-01__very-big-test-store__product-detail.json")
    seen = content["upstreamCalls"][0]["response"]["body"]["data"]["product"]
    assert seen["category"]["fullName"] == "Uncategorized"
    row = product_row(laid_over(whole["Product"], seen), currency="CAD", language=None)
    assert row["category"] is None


def test_recorded_event_is_read_and_not_taken_for_ours(recorded: Callable[[str], Any]) -> None:
    content = recorded("events/2025-01__harry-test-heelo__event-non-empty-read.json")
    event = content["upstreamCalls"][0]["response"]["body"]["data"]["event"]
    assert (event["action"], event["subjectType"]) == ("destroy", "DRAFT_ORDER")
    assert deleted_row(event) == {
        "id": "1275457044786",
        "updated_at": deleted_row(event)["updated_at"],
        "deleted": True,
    }


@pytest.mark.parametrize(
    ("file", "children", "expected"),
    [
        (
            "products_variants_media_metafields",
            {"ProductVariant": "variants", "MediaImage": "media", "Metafield": "metafields"},
            {"variants": 1, "media": 1, "metafields": 1},
        ),
        (
            "productVariants_media_metafields",
            {"MediaImage": "media", "Metafield": "metafields"},
            {"media": 1, "metafields": 1},
        ),
    ],
)
def test_recorded_bulk_results_are_put_together(
    file: str, children: dict[str, str], expected: dict[str, int], shared: Path
) -> None:
    path = shared / "shopify" / "recorded" / "bulk" / f"2026-04__{file}.jsonl"
    contents = survey(path)
    assert (contents.roots, contents.grouped) == (1, True)
    assert contents.lines == 1 + sum(expected.values())
    (root,) = objects(path, contents, children)
    assert {name: len(root[name]["nodes"]) for name in expected} == expected
