"""A dlt source for a Shopify shop: customers, orders with lines, products with variants.

    import dlt
    from shopify import shopify

    pipeline = dlt.pipeline("my_shop", destination="duckdb", dataset_name="shopify")
    pipeline.run(shopify())

It reads the GraphQL Admin API, page by page. Each run reads what changed since the last one and
merges it on id; what was deleted at Shopify arrives as a hard delete. Settings come from dlt's
configuration under `sources.shopify`.
"""

from __future__ import annotations

import logging
from collections.abc import (  # noqa: TC003 - dlt reads the annotations at run time
    Callable,
    Iterable,
    Iterator,
)
from datetime import UTC, datetime, timedelta
from typing import Any

import dlt
from dlt.common.typing import TSecretStrValue  # noqa: TC002
from dlt.extract import DltResource  # noqa: TC002

from . import columns, records
from .client import Pacer, ShopifyClient
from .errors import (
    AccessDeniedError,
    QueryRefusedError,
    SearchIgnoredError,
    ShopifyError,
    ShopifyUnavailableError,
)
from .pager import Pager, document
from .settings import (
    DEFAULT_VERSION,
    PageSizes,
    Settings,
    missing_settings,
    resolve,
    shop_url,
)
from .windows import Window, close_window, next_window

__all__ = [
    "AccessDeniedError",
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

logger = logging.getLogger(__name__)

NEEDED_SCOPES = ("read_orders", "read_customers", "read_products")
OPEN_DAYS = 60  # without read_all_orders, older orders do not show


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
            )
        )
    reader = _Reader(client, now or (lambda: datetime.now(UTC)), _since(since))
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


class _Reader:
    """Reads the three resources of one run; the first to start looks at the shop."""

    def __init__(
        self, client: ShopifyClient, now: Callable[[], datetime], since: datetime | None
    ) -> None:
        self.client = client
        self.pager = Pager(client)
        self.now = now
        self.since = since
        self._shop: dict[str, Any] = {}

    def customers(self) -> Iterator[list[dict[str, Any]]]:
        self._look()
        yield from self._changes("CUSTOMER", self.pager.customers, records.customer_row)

    def orders(self) -> Iterator[list[dict[str, Any]]]:
        self._look()
        yield from self._changes("ORDER", self.pager.orders, records.order_row)

    def products(self) -> Iterator[list[dict[str, Any]]]:
        self._look()
        currency, language = self._shop["currencyCode"], self._shop["language"]

        def row(node: dict[str, Any]) -> dict[str, Any]:
            return records.product_row(node, currency=currency, language=language)

        yield from self._changes("PRODUCT", self.pager.products, row)

    def _changes(
        self,
        subject: str,
        pages: Callable[[str], Iterator[list[dict[str, Any]]]],
        row: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield what changed in the next window, then what was destroyed in it."""
        state = dlt.current.resource_state()
        window = next_window(state, self.client.settings, self.now(), self.since)
        if window is None:
            return
        for page in pages(window.search("updated_at")):
            yield [row(node) for node in page]
        # Nothing can have been destroyed before the first run that we would still hold.
        if not window.first:
            yield from self._destroyed(subject, window)
        close_window(state, window)

    def _destroyed(self, subject: str, window: Window) -> Iterator[list[dict[str, Any]]]:
        search = window.search("created_at", f"subject_type:{subject}", "action:destroy")
        for page in self.pager.deletions(search):
            yield [
                records.deleted_row(event)
                for event in page
                # Trust the answer, not the filter: a delete must never rest on a search term alone.
                if event["action"] == "destroy" and event.get("subjectType") == subject
            ]

    def _look(self) -> None:
        """Look at the shop once per run: its currency and language, and what the token may read."""
        if self._shop:
            return
        data = self.client.query("ShopInfo", document("shop"))
        scopes = {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}
        # A write scope includes reading.
        granted = scopes | {scope.replace("write_", "read_", 1) for scope in scopes}
        missing = [scope for scope in NEEDED_SCOPES if scope not in granted]
        if missing:
            message = (
                f"The app may not read everything that is needed: grant it {', '.join(missing)} "
                "(app configuration, Admin API access scopes), then install it again."
            )
            raise AccessDeniedError(message)
        horizon = self.now() - timedelta(days=OPEN_DAYS)
        if "read_all_orders" not in granted and (self.since is None or self.since < horizon):
            logger.warning(
                "Without the scope read_all_orders Shopify shows only orders of the last %d days",
                OPEN_DAYS,
            )
        language = None
        if "read_locales" in granted:
            locales = self.client.query("ShopLocales", document("locales"))["shopLocales"]
            language = next((item["locale"] for item in locales if item["primary"]), None)
        self._shop = {**data["shop"], "language": language}


def _since(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
