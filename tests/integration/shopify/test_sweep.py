"""What was deleted without an event: found by its id, asked for once more, then gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from shopify.settings import BulkSettings

if TYPE_CHECKING:
    from tests.integration.shopify.world import World


def vanish(world: World, kind: str, place: int = 0) -> int:
    """Take a record away without leaving an event."""
    records: dict[int, object] = getattr(world.shop, kind)
    number = list(records)[place]
    del records[number]
    return number


def ids(world: World, table: str) -> set[int]:
    return {int(row[0]) for row in world.rows(f"SELECT id FROM {table}")}


@pytest.mark.parametrize("above", [0, 100], ids=["bulk", "pages"])
def test_sweep_finds_what_left_no_event(world: World, above: int) -> None:
    world.shop.add_product("Cup", variants=[{"price": "5.00", "sku": "CUP"}])
    world.run()
    world.pass_time(days=1)
    for kind in ("customers", "orders", "products"):
        vanish(world, kind)
    world.run()
    assert len(ids(world, "orders")) == 2, "nothing has told yet"
    world.pass_time(days=7)
    world.run(bulk=BulkSettings(above=above))
    for kind in ("customers", "orders", "products"):
        assert ids(world, kind) == set(getattr(world.shop, kind)), kind


def test_sweeps_are_as_rare_as_asked(world: World) -> None:
    world.run(sweep=timedelta(days=7))
    for _ in range(8):
        world.pass_time(days=2)
        world.run(sweep=timedelta(days=7))
    swept = [call for call in world.sandbox.api.calls if call.operation == "ProductsIds"]
    assert len(swept) == 2


def test_full_run_sweeps_at_once(world: World) -> None:
    world.run()
    vanish(world, "orders")
    world.pass_time(hours=1)
    world.run(asked={"full": True})
    assert ids(world, "orders") == set(world.shop.orders)


def test_orders_that_a_narrower_permission_hides_are_not_deleted(world: World) -> None:
    world.run()
    world.sandbox.api.scopes = ("read_orders", "read_customers", "read_products")
    vanish(world, "orders")
    world.pass_time(days=8)
    world.run()
    assert len(ids(world, "orders")) == 2


def test_listing_that_misses_an_id_is_not_believed(world: World) -> None:
    """Only what Shopify denies when asked by id is gone."""
    world.run()
    hidden = next(iter(world.shop.orders))
    world.sandbox.api.unlisted = {hidden}
    world.pass_time(days=8)
    world.run()
    assert hidden in ids(world, "orders")


def test_shop_that_lists_nothing_deletes_nothing(world: World) -> None:
    world.run()
    world.shop.products.clear()
    world.pass_time(days=8)
    world.run()
    assert len(ids(world, "products")) == 1
