"""Orders of products that the catalogue does not have are delivered, counted and listed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.orders import MAPPING, Orders

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTS = {
    "products": {
        "table": "products",
        "fields": {
            "ProductId": "id",
            "ProductName": "title",
        },
        "variants": {
            "table": "variants",
            "on": {"product_id": "id"},
            "fields": {
                "VariantId": "id",
                "Sku": "sku",
                "Name": "sku",
                "OriginalPrice": "10",
                "Currency": "'EUR'",
                "IsAvailable": "true",
            },
        },
    }
}


@pytest.fixture
def shop(tmp_path: Path) -> Orders:
    shop = Orders(tmp_path / "shop", orders=50)
    shop.mapping = {**copy.deepcopy(MAPPING), **copy.deepcopy(PRODUCTS)}
    shop.connection.execute(
        "CREATE TABLE shop.products AS SELECT 'p1' AS id, 'Tea' AS title, 'load-1' AS _dlt_load_id;"
        "CREATE TABLE shop.variants AS SELECT 'v1' AS id, 'p1' AS product_id, 's1' AS sku,"
        " 'load-1' AS _dlt_load_id"
    )
    return shop


def test_known_products_are_no_word_worth(shop: Orders) -> None:
    report = shop.push()
    assert report.entities["orders"].created == 50
    assert report.absent == []
    assert "absent" not in report.summary


def test_orders_of_absent_products_and_skus_are_counted_and_listed(shop: Orders) -> None:
    shop.connection.execute("UPDATE shop.lines SET product = 'p9' WHERE order_id IN ('o1', 'o2')")
    shop.connection.execute("UPDATE shop.lines SET sku = 's7' WHERE order_id = 'o3'")
    report = shop.push()
    (absent,) = report.absent
    assert (absent.entity, absent.refers_to) == ("orders", "products")
    assert (absent.documents, absent.references) == (3, 2)
    assert absent.to_dict()["samples"] == [
        {"ProductId": "p9", "Sku": "s1", "documents": 2},
        {"ProductId": "p1", "Sku": "s7", "documents": 1},
    ]
    assert "3 orders refer to 2 products that the catalogue does not have" in report.summary
    assert (report.entities["orders"].created, report.exit_code) == (50, 0)
    assert shop.push().absent == []  # nothing was accepted, so nothing is looked at again


def test_absent_product_that_arrives_later_is_absent_no_more(shop: Orders) -> None:
    shop.connection.execute("UPDATE shop.lines SET product = 'p9' WHERE order_id = 'o1'")
    assert shop.push().absent
    shop.connection.execute("INSERT INTO shop.products VALUES ('p9', 'Rice', 'load-2')")
    shop.connection.execute("INSERT INTO shop.variants VALUES ('v9', 'p9', 's1', 'load-2')")
    shop.change("total = total + 1")
    assert shop.push().absent == []


def test_without_a_mapped_catalogue_nothing_is_absent(shop: Orders) -> None:
    shop.mapping = MAPPING
    assert shop.push().absent == []
