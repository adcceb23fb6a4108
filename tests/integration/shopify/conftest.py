"""Makes `pipelines/` importable, as it is for the scripts in it; gives a small shop to read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.shopify.published import schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphql import GraphQLSchema

    from tests.integration.shopify.world import World

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "pipelines"))


@pytest.fixture(scope="session")
def published_schema(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], GraphQLSchema]:
    """The schema Shopify publishes for a version."""
    return schemas(project, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def recorded(shared: Path) -> Callable[[str], Any]:
    """A file of answers recorded from development stores."""

    def load(name: str) -> Any:
        return json.loads((shared / "shopify" / "recorded" / name).read_text(encoding="utf-8"))

    return load


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    from replenit_destination.sandbox.shopify import Shop, ShopifySandbox
    from replenit_destination.sandbox.shopify.shop import Basket
    from tests.integration.shopify.world import START, World

    shop = Shop(clock=lambda: START)
    seconds: list[Callable[[], float]] = [lambda: 0.0]
    with ShopifySandbox(shop, clock=lambda: seconds[0]()) as sandbox:
        made = World(sandbox, tmp_path)
        seconds[0] = lambda: made.seconds
        sizes = [{"values": (size,), "price": "10.00", "sku": f"T-{size}"} for size in "SML"]
        product = shop.add_product("Tee", options=("Größe",), variants=sizes)
        first, second, _ = shop.products[product]["variants"]
        ada = shop.add_customer("ada@example.com", email_state="SUBSCRIBED")
        shop.add_customer("ben@example.com")
        shop.place_order(
            ada,
            [Basket(product, first["id"], 2), Basket(product, second["id"])],
        )
        shop.place_order(None, [Basket(product, first["id"])], email="guest@example.com")
        yield made
