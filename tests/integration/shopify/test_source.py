"""The source with real dlt, a real DuckDB and the double over a real socket."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from shopify import AccessDeniedError, shopify
from shopify.settings import PageSizes

from tests.integration.shopify.world import START

if TYPE_CHECKING:
    from tests.integration.shopify.world import World


def only(records: dict[int, Any], place: int = 0) -> int:
    return list(records)[place]


def test_first_run_stages_everything(world: World) -> None:
    world.run()
    assert world.rows("SELECT count(*) FROM customers") == [(2,)]
    assert world.rows("SELECT sku, quantity FROM orders__line_items ORDER BY id") == [
        ("T-S", 2),
        ("T-M", 1),
        ("T-S", 1),
    ]
    assert world.rows("SELECT title, currency, language FROM products") == [("Tee", "EUR", "de")]
    sizes = "SELECT options ->> '$.grosse' FROM products__variants ORDER BY position"
    assert world.rows(sizes) == [("S",), ("M",), ("L",)]


def test_columns_exist_with_their_types_before_data_shows_them(world: World) -> None:
    world.run()
    kinds = dict(
        world.rows(
            "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'shopify'"
        )
    )
    assert kinds["orders.cancelled_at"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["orders.current_total_price"] == "DECIMAL(38,9)"
    assert kinds["orders__line_items.attributes"] == "JSON"
    assert kinds["customers.sms_marketing_updated_at"] == "TIMESTAMP WITH TIME ZONE"


def test_second_run_asks_only_for_what_changed_and_merges_it(world: World) -> None:
    world.run()
    world.pass_time(hours=1)
    world.shop.edit_order(only(world.shop.orders), line=0, quantity=1)
    world.run()
    assert world.searches("OrdersPage") == [
        "updated_at:<'2026-05-01T12:03:00Z'",
        "updated_at:>='2026-05-01T11:53:00Z' AND updated_at:<'2026-05-01T13:08:00Z'",
    ]
    rows = "SELECT edited, quantity, current_quantity FROM orders ORDER BY id"
    assert world.rows(rows) == [(True, 3, 2), (False, 1, 1)]
    assert world.rows("SELECT count(*) FROM orders__line_items") == [(3,)]


def test_quiet_run_loads_no_rows(world: World) -> None:
    world.pass_time(hours=1)
    world.run()
    world.pass_time(hours=1)
    world.run()
    assert world.pipeline.last_trace is not None
    normalized = world.pipeline.last_trace.last_normalize_info
    assert normalized is not None
    assert {name for name in normalized.row_counts if not name.startswith("_dlt")} == set()


def test_change_inside_the_lag_waits_for_the_next_run(world: World) -> None:
    world.run()
    world.pass_time(minutes=20)
    product = only(world.shop.products)
    world.pass_time(minutes=4)
    world.shop.set_product_status(product, "ARCHIVED")
    world.moment -= timedelta(minutes=4)
    world.run()
    assert world.rows("SELECT status FROM products") == [("ACTIVE",)]
    world.run()
    assert world.rows("SELECT status FROM products") == [("ARCHIVED",)]


def test_what_was_deleted_leaves_the_tables_with_its_children(world: World) -> None:
    world.run()
    world.pass_time(hours=1)
    world.shop.delete_order(only(world.shop.orders))
    world.shop.delete_product(only(world.shop.products))
    world.shop.delete_customer(only(world.shop.customers, 1))
    world.run()
    assert world.rows("SELECT count(*) FROM orders") == [(1,)]
    assert world.rows("SELECT count(*) FROM orders__line_items") == [(1,)]
    assert world.rows("SELECT count(*) FROM products__variants") == [(0,)]
    assert world.rows("SELECT email FROM customers") == [("ada@example.com",)]


def test_object_changed_and_then_deleted_in_one_window_is_deleted(world: World) -> None:
    world.run()
    world.pass_time(hours=1)
    order = only(world.shop.orders)
    kept = dict(world.shop.orders[order])
    world.shop.edit_order(order, line=0, quantity=1)
    stale = dict(world.shop.orders[order])
    world.pass_time(minutes=1)
    world.shop.delete_order(order)
    # The listing is read before the delete happens, the events after it.
    world.shop.orders[order] = stale
    world.run()
    assert kept["id"] == order
    assert world.rows("SELECT count(*) FROM orders") == [(1,)]


def test_removed_variant_and_merged_customer_vanish(world: World) -> None:
    world.run()
    world.pass_time(hours=1)
    product = only(world.shop.products)
    world.shop.remove_variant(product, world.shop.products[product]["variants"][2]["id"])
    ada, ben = world.shop.customers
    world.shop.merge_customers(ben, ada)
    world.run()
    assert world.rows("SELECT sku FROM products__variants ORDER BY position") == [
        ("T-S",),
        ("T-M",),
    ]
    assert world.rows("SELECT id FROM customers") == [(str(ben),)]
    linked = "SELECT customer_id FROM orders WHERE customer_id IS NOT NULL"
    assert world.rows(linked) == [(str(ben),)]


def test_long_inner_lists_are_drained(world: World) -> None:
    world.pages = PageSizes(orders=1, lines=1, customers=1, products=1, variants=1)
    world.run()
    assert world.rows("SELECT count(*) FROM orders__line_items") == [(3,)]
    assert world.rows("SELECT count(*) FROM products__variants") == [(3,)]
    assert world.rows("SELECT quantity FROM orders ORDER BY id") == [(3,), (1,)]
    assert {"OrderLinesRest", "VariantsRest"} <= {c.operation for c in world.sandbox.api.calls}


def test_throttled_run_waits_and_loses_nothing(world: World) -> None:
    world.sandbox.api.bucket.drain()
    world.run()
    codes = [code for call in world.sandbox.api.calls for code in call.codes]
    assert "THROTTLED" in codes
    assert world.seconds > 0
    assert world.rows("SELECT count(*) FROM orders") == [(2,)]


def test_failed_run_reads_the_same_window_again(world: World) -> None:
    world.run()
    world.pass_time(hours=1)
    world.shop.edit_order(only(world.shop.orders), line=0, quantity=1)
    world.sandbox.api.scopes = ("read_customers", "read_products")
    with pytest.raises(PipelineStepFailed) as caught:
        world.run()
    cause: BaseException | None = caught.value
    while cause is not None and not isinstance(cause, AccessDeniedError):
        cause = cause.__cause__
    assert "read_orders" in str(cause)
    world.sandbox.api.scopes = ("read_customers", "read_products", "read_orders")
    world.run()
    assert world.rows("SELECT current_quantity FROM orders ORDER BY id") == [(2,), (1,)]


def test_denied_customer_data_stops_with_shopifys_reason(world: World) -> None:
    world.sandbox.api.pii_denied = True
    with pytest.raises(PipelineStepFailed, match="only available on Shopify, Advanced, and Plus"):
        world.run()


def test_short_order_history_is_warned_about(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.sandbox.api.scopes = ("read_customers", "read_products", "read_orders")
    world.run()
    assert "read_all_orders" in caplog.text


def test_older_version_and_granted_token_stage_the_same(world: World) -> None:
    api = world.sandbox.api
    world.run(
        version="2026-01",
        access_token="",
        client_id=api.client_id,
        client_secret=api.client_secret,
    )
    states = "SELECT email_marketing_state FROM customers ORDER BY id"
    assert world.rows(states) == [("SUBSCRIBED",), ("NOT_SUBSCRIBED",)]


def test_token_and_addresses_are_in_no_working_file(world: World) -> None:
    source = shopify(
        shop=world.sandbox.url, access_token=world.sandbox.access_token, now=lambda: START
    )
    world.pipeline.run(source, loader_file_format="parquet")
    needles = (world.sandbox.access_token.encode(), b"ada@example.com")
    files = [path for path in (world.folder / "pipelines").rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if any(n in path.read_bytes() for n in needles)] == []
