"""A dlt source for a Shopify shop: customers, orders with lines, products with variants.

    import dlt
    from shopify import shopify

    pipeline = dlt.pipeline("my_shop", destination="duckdb", dataset_name="shopify")
    pipeline.run(shopify())

It reads the GraphQL Admin API: a few objects page by page, many by bulk operations. Each run reads
what changed since the last one and merges it on id; what was deleted arrives as a hard delete.
Settings come from dlt's configuration under `sources.shopify`.
"""

from __future__ import annotations

from collections.abc import (  # noqa: TC003 - dlt reads the annotations at run time
    Callable,
    Iterable,
    Iterator,
)
from datetime import UTC, datetime
from typing import Any

import dlt
from dlt.common.runtime import signals
from dlt.common.typing import TSecretStrValue  # noqa: TC002
from dlt.extract import DltResource  # noqa: TC002

from . import columns
from .client import Pacer, ShopifyClient
from .errors import (
    AccessDeniedError,
    IntegrityError,
    QueryRefusedError,
    SearchIgnoredError,
    ShopifyError,
    ShopifyUnavailableError,
)
from .reader import Reader
from .settings import (
    DEFAULT_VERSION,
    BulkSettings,
    PageSizes,
    Settings,
    missing_settings,
    resolve,
    shop_url,
)
from .windows import Asked

__all__ = [
    "AccessDeniedError",
    "BulkSettings",
    "IntegrityError",
    "Pacer",
    "PageSizes",
    "QueryRefusedError",
    "SearchIgnoredError",
    "Settings",
    "ShopifyClient",
    "ShopifyError",
    "ShopifyUnavailableError",
    "missing_settings",
    "shop_url",
    "shopify",
]


@dlt.source(name="shopify")
def shopify(
    shop: str | None = None,
    access_token: TSecretStrValue | None = None,
    client_id: str | None = None,
    client_secret: TSecretStrValue | None = None,
    api_version: str = DEFAULT_VERSION,
    since: str | None = None,
    lag_minutes: float = 2,
    overlap_minutes: float = 10,
    order_currency: str = "shop",
    sweep_days: float = 7,
    bulk: bool = True,
    bulk_above: int = 5_000,
    bulk_rows: int = 100_000,
    read_since: datetime | None = None,
    read_until: datetime | None = None,
    full: bool = False,
    client: ShopifyClient | None = None,
    now: Callable[[], datetime] | None = None,
) -> Iterable[DltResource]:
    """Read one shop.

    Args:
        shop: `my-shop`, `my-shop.myshopify.com` or an address of its admin pages.
        access_token: A static Admin API token; or give the app's own credentials instead:
        client_id: The app's client id.
        client_secret: The app's client secret.
        api_version: The version to ask for, `2026-01` or later.
        since: ISO date or time from which on the first run reads; everything by default.
        lag_minutes: How far behind now a window ends.
        overlap_minutes: How much of the last window is read again.
        order_currency: `shop`, or `presentment` for amounts as the buyer saw them.
        sweep_days: How often all ids are compared with the staged ones, to find what was deleted
            without a trace; 0 never.
        bulk: Whether bulk operations may be used.
        bulk_above: They are, for a window with more objects than that.
        bulk_rows: How many objects the first operation is asked for.
        read_since: This run reads from there, whatever was read before.
        read_until: This run reads only what changed before.
        full: This run reads everything again and compares all ids.
        client: A ready client, for tests; settings are then its own.
        now: The time, for tests.

    Raises:
        MissingSettingsError: Names every setting that is missing, and where to put it.
    """
    if client is None:
        client = ShopifyClient(
            resolve(
                shop,
                access_token,
                client_id,
                client_secret,
                version=api_version,
                lag_minutes=lag_minutes,
                overlap_minutes=overlap_minutes,
                order_currency=order_currency,
                sweep_days=sweep_days,
                bulk=BulkSettings(enabled=bulk, above=bulk_above, rows=bulk_rows),
            ),
            wait=_wait,
        )
    asked = Asked(_moment(since), read_since, read_until, full)
    reader = Reader(client, now or (lambda: datetime.now(UTC)), asked)
    return (
        _resource(client, "customers", reader.customers, columns.CUSTOMERS),
        _resource(
            client,
            "orders",
            reader.orders,
            columns.ORDERS,
            {"line_items": columns.LINE_ITEMS, "refunds": columns.REFUNDS},
        ),
        _resource(
            client, "products", reader.products, columns.PRODUCTS, {"variants": columns.VARIANTS}
        ),
    )


def _resource(
    client: ShopifyClient,
    name: str,
    rows: Callable[[], Iterator[list[dict[str, Any]]]],
    hints: Any,
    nested: dict[str, Any] | None = None,
) -> DltResource:
    def read() -> Iterator[list[dict[str, Any]]]:
        try:
            yield from rows()
        finally:
            client.close()

    resource: DltResource = dlt.resource(
        read,
        name=name,
        primary_key="id",
        write_disposition={"disposition": "merge"},
        columns=hints,
        nested_hints={
            key: dlt.mark.make_nested_hints(columns=c) for key, c in (nested or {}).items()
        },
    )
    return resource


def _wait(seconds: float) -> None:
    """Wait, but no longer than until somebody presses Ctrl-C."""
    signals.sleep(seconds)
    signals.raise_if_signalled()


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
