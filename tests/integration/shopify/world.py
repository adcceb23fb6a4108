"""A small shop with a clock of its own, and a pipeline that reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dlt
from shopify import ShopifyClient, shopify
from shopify.settings import PageSizes, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replenit_destination.sandbox.shopify import ShopifySandbox

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class World:
    """A small shop, its clock, and a pipeline that reads it."""

    def __init__(self, sandbox: ShopifySandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.shop = sandbox.shop
        self.moment = START
        self.shop.clock = lambda: self.moment
        self.seconds = 0.0
        self.folder = folder
        self.pages = PageSizes()
        self.dies_when: Callable[[], bool] | None = None
        self.pipeline = dlt.pipeline(
            "shopify_test",
            pipelines_dir=str(folder / "pipelines"),
            destination=dlt.destinations.duckdb(str(folder / "staged.duckdb")),
            dataset_name="shopify",
        )

    def pass_time(self, **span: float) -> None:
        self.moment += timedelta(**span)

    def wait(self, seconds: float) -> None:
        """Let the clock go on; here a run dies, when the time for it has come."""
        self.seconds += seconds
        if self.dies_when and self.dies_when():
            self.dies_when = None
            message = "killed"
            raise RuntimeError(message)

    def client(self, **settings: Any) -> ShopifyClient:
        chosen = Settings(
            self.sandbox.url,
            **{"access_token": self.sandbox.access_token, "pages": self.pages, **settings},
        )
        return ShopifyClient(chosen, clock=lambda: self.seconds, wait=self.wait)

    def run(self, *, asked: dict[str, Any] | None = None, **settings: Any) -> None:
        self.pass_time(minutes=5)
        client = self.client(**settings)
        source = shopify(client=client, now=lambda: self.moment, **(asked or {}))
        self.pipeline.run(source, loader_file_format="parquet")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.pipeline.sql_client() as client:
            found = client.execute_sql(query)
        return [tuple(row) for row in found or ()]

    def searches(self, operation: str) -> list[str]:
        calls = self.sandbox.api.calls
        return [call.variables["query"] for call in calls if call.operation == operation]
