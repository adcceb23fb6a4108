"""A plain shop, from Postgres to a sandbox: does a change reach the right documents?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import postgres as postgres_source
import pytest
from postgres.sample import REMOVALS

from replenit_destination import MappingError

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Database, Delivered

SAMPLE = Path(postgres_source.__file__).with_name("sample.sql")
MAPPING: dict[str, Any] = {
    "preset": "relational",
    "customers": {"fields": {"GdprOptin": {"rule": "email_or_sms_optin"}}},
}


@pytest.fixture
def shop(database: Database) -> Database:
    database.run(SAMPLE.read_text(encoding="utf-8"))
    return database


def run(delivered: Delivered, **options: Any) -> Any:
    return delivered.run(MAPPING, removals=REMOVALS, **options)


def test_each_change_reaches_exactly_the_documents_it_is_in(
    shop: Database, delivered: Delivered
) -> None:
    first = run(delivered)
    assert first.exit_code == 0, first.summary
    assert {name: one.created for name, one in first.entities.items()} == {
        "customers": 120,
        "orders": 360,
        "products": 8,
    }
    delivered.calls()
    assert run(delivered).requests == 0

    # A row is deleted: only its order is told, and which line it was.
    ((item, order),) = shop.run(
        "SELECT max(id), order_id FROM order_items WHERE order_id = 1002 GROUP BY order_id"
    )
    shop.run(f"DELETE FROM order_items WHERE id = {item}")
    run(delivered)
    assert delivered.calls() == [
        ("DELETE", f"/orders/{order}/items", []),
        ("POST", "/orders", [str(order)]),
    ]

    # A row moves: the order that loses it and the one that gains it.
    ((item,),) = shop.run("SELECT max(id) FROM order_items WHERE order_id = 1003")
    shop.run(f"UPDATE order_items SET order_id = 1007 WHERE id = {item}")
    run(delivered)
    assert delivered.calls() == [
        ("DELETE", "/orders/1003/items", []),
        ("POST", "/orders", ["1003", "1007"]),
    ]

    # An address changes: the person, all of the person's orders, and no others.
    orders = [str(row[0]) for row in shop.run("SELECT id FROM orders WHERE customer_id = 9")]
    shop.run("UPDATE customers SET email = 'nine@example.com' WHERE id = 9")
    run(delivered)
    assert delivered.calls() == [
        ("DELETE", "/customers", []),
        ("POST", "/customers", ["nine@example.com"]),
        ("POST", "/orders", sorted(orders)),
    ]
    assert run(delivered).requests == 0


def test_deleted_person_and_deleted_order_are_deleted(shop: Database, delivered: Delivered) -> None:
    shop.run("INSERT INTO customers (id, email, password_hash) VALUES (500, 'x@example.com', '')")
    run(delivered)
    delivered.calls()
    shop.run("UPDATE customers SET deleted_at = now() WHERE id = 500")
    shop.run("DELETE FROM order_items WHERE order_id = 1004; DELETE FROM orders WHERE id = 1004")
    report = run(delivered, sweep_hours=0)
    assert report.exit_code == 0, report.summary
    assert [call[:2] for call in delivered.calls()] == [
        ("DELETE", "/customers"),
        ("DELETE", "/orders/1004"),
    ]


def test_only_the_wanted_entities_are_read_and_sent(shop: Database, delivered: Delivered) -> None:
    before = shop.scans()
    report = run(delivered, entities=["products"])
    assert {name: one.created for name, one in report.entities.items()} == {
        "customers": 0,
        "orders": 0,
        "products": 8,
    }
    after = shop.scans()
    read = {table for table in after if after[table] > before[table]}
    assert read == {"products", "product_variants"}


def test_mapping_is_held_against_the_database_before_anything_is_read(
    shop: Database, delivered: Delivered
) -> None:
    wrong = {
        **MAPPING,
        "products": {"variants": {"table": "product_varants"}},
        "orders": {"items": {"table": "lines"}},
    }
    with pytest.raises(MappingError, match="no table `product_varants`") as caught:
        delivered.run(wrong)
    assert len(caught.value.faults) == 2
    assert caught.value.faults[0].nearest in {None, "product_variants"}
    wrong = {**MAPPING, "orders": {"fields": {"OrderDate": "created"}}}
    with pytest.raises(MappingError, match="created"):
        delivered.run(wrong)


def test_columns_that_a_query_names_are_read_and_no_others(
    shop: Database, delivered: Delivered
) -> None:
    shop.run(
        "CREATE VIEW branded AS SELECT v.*, p.brand FROM product_variants AS v"
        " JOIN products AS p ON p.id = v.product_id"
    )
    query = (
        "WITH named AS (SELECT brand, min(name) AS title FROM products GROUP BY brand)"
        " SELECT brand, title FROM named"
    )
    mapping = {
        "products": {
            "query": query,
            "fields": {"ProductId": "brand", "ProductName": "title"},
            "variants": {
                "table": "branded",
                "on": {"brand": "brand"},
                "fields": {
                    "VariantId": "id",
                    "Sku": "sku",
                    "Name": "name",
                    "OriginalPrice": "price",
                    "Currency": "currency",
                    "IsAvailable": "active",
                },
            },
        },
    }
    report = delivered.run(mapping, primary_keys={"branded": "id"})
    assert report.entities["products"].created == 1
    ((name, product),) = delivered.box.state()["products"].items()
    assert (name, product["ProductName"], len(product["ProductVariants"])) == (
        *("Example", "Assam"),
        24,
    )
    staged = delivered.columns("products")
    assert {"brand", "name"} <= staged
    assert "category" not in staged
