"""What is gone at the source, case by case: exactly these calls, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.harness.oracle import Rules
from tests.acceptance.harness.world import World, delivered
from tests.doubles.staged_shop import FORMS, Form

if TYPE_CHECKING:
    from pathlib import Path

PRIORITIES = ("email", "customerid")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("removal", ["unavailable", "delete"])
def test_one_of_each_change_makes_exactly_the_calls_it_needs(
    tmp_path: Path, form: Form, removal: str
) -> None:
    shop = delivered(tmp_path, form, product_removal=removal)
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
    shop = delivered(tmp_path, form)
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
    shop = delivered(tmp_path, form)
    shop.shop.reloaded = {("orders", 13), ("customers", 1), ("products", 4)}
    assert shop.deliver().requests == 0
    shop.staged.load(replace=True)
    report = shop.push()
    assert report is not None
    assert report.requests == 0
    assert report.entities["orders"].unchanged == 6


@pytest.mark.parametrize("form", FORMS)
def test_a_line_that_moves_leaves_one_order_and_joins_the_other(tmp_path: Path, form: Form) -> None:
    shop = delivered(tmp_path, form)
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


# -- products


def test_a_product_that_is_gone_and_returns_is_unavailable_in_between(tmp_path: Path) -> None:
    shop = delivered(tmp_path)
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
    shop = delivered(tmp_path, product_removal="delete")
    product = shop.shop.remove_product(4)
    shop.deliver()
    assert shop.said() == ["DELETE /products/4"]
    shop.shop.return_product(product)
    shop.deliver()
    assert shop.said() == ["POST /products 4"]
    shop.assert_ledger_agrees()


def test_a_variant_that_returns_is_available_again(tmp_path: Path) -> None:
    shop = delivered(tmp_path)
    variant = shop.shop.remove_variant(4, 6)
    shop.deliver()
    shop.shop.change_variant(4, 5, brand="Other")
    shop.deliver()
    shop.shop.return_variant(4, variant)
    shop.deliver()
    assert shop.said() == ["POST /products 4"]
    assert shop.state()["products"]["4"]["ProductVariants"]["6"]["IsAvailable"] is True
    shop.assert_ledger_agrees()
