"""The connection's settings: which shop, with which token, at which version."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from replenit_destination.exceptions import MissingSettingsError, SettingsError

__all__ = [
    "DEFAULT_VERSION",
    "BulkSettings",
    "PageSizes",
    "Settings",
    "missing_settings",
    "resolve",
    "shop_url",
]

DEFAULT_VERSION = "2026-10"
OLDEST_VERSION = "2026-01"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class PageSizes:
    """Objects per page and nested objects per object; halved when a query would cost too much."""

    orders: int = 250
    lines: int = 50
    customers: int = 250
    products: int = 100
    variants: int = 50


@dataclass(frozen=True)
class BulkSettings:
    """When to read in bulk, and how patient to be.

    Args:
        enabled: Whether to do so at all.
        above: With more objects than that in a window.
        rows: Root objects of the first operation; later ones grow and shrink with its pace.
        most_rows: The most that one operation is asked for.
        grouped: Ask for children beside their parents; given up after the first timeout.
        target_seconds: How long an operation should take.
        longest_seconds: After that it is cancelled.
        stall_seconds: So long without progress, and it is cancelled.
        busy_seconds: How long to wait for a slot before reading page by page.
    """

    enabled: bool = True
    above: int = 5_000
    rows: int = 100_000
    most_rows: int = 1_000_000
    grouped: bool = True
    target_seconds: float = 600
    longest_seconds: float = 3 * 3600
    stall_seconds: float = 1200
    busy_seconds: float = 600


@dataclass(frozen=True)
class Settings:
    """Everything the source needs to talk to one shop.

    Args:
        url: The shop's address, for instance `https://my-shop.myshopify.com`.
        access_token: A static Admin API token; empty when the app's own credentials are used.
        client_id: With `client_secret`, the credentials of an app of the shop's own organisation.
        version: The API version to ask for.
        lag: How far behind now a window ends: Shopify's search index lags its writes.
        overlap: How far before the last window's end the next one starts.
        buyers_currency: Whether orders are told in the currency their buyers saw.
        sweep: How often all ids are compared with the staged ones; zero never.
    """

    url: str
    access_token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    version: str = DEFAULT_VERSION
    lag: timedelta = timedelta(minutes=2)
    overlap: timedelta = timedelta(minutes=10)
    buyers_currency: bool = False
    sweep: timedelta = timedelta(days=7)
    pages: PageSizes = PageSizes()
    bulk: BulkSettings = BulkSettings()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{4}-\d{2}", self.version) or self.version < OLDEST_VERSION:
            message = (
                f"sources.shopify.api_version: `{self.version}` is not a version this source can "
                f"ask for; write one like `{DEFAULT_VERSION}`, not older than {OLDEST_VERSION}."
            )
            raise SettingsError(message)


def missing_settings(
    *, shop: str | None, access_token: str | None, client_id: str | None, client_secret: str | None
) -> dict[str, str]:
    """Return what is not set: setting → where to put it. Empty when a connection can be tried."""
    missing: dict[str, str] = {}
    if not shop:
        missing["sources.shopify.shop"] = (
            "the shop's name, as in `my-shop.myshopify.com`: `.dlt/config.toml` under "
            "[sources.shopify], or SOURCES__SHOPIFY__SHOP"
        )
    if access_token or (client_id and client_secret):
        return missing
    where = "`.dlt/secrets.toml` under [sources.shopify], or {}"
    if not client_id:
        missing["sources.shopify.client_id"] = (
            "the client id of your app (Dev Dashboard, Settings): "
            + where.format("SOURCES__SHOPIFY__CLIENT_ID")
        )
    if not client_secret:
        missing["sources.shopify.client_secret"] = (
            "the app's client secret, beside the id: "
            + where.format("SOURCES__SHOPIFY__CLIENT_SECRET")
            + "; with an older admin-made app set sources.shopify.access_token instead of both"
        )
    return missing


def shop_url(shop: str) -> str:
    """Return the shop's address from its name, its domain or an address of its admin pages.

    Plain http is taken from a loopback address only: the token would travel readable.

    Raises:
        SettingsError: It is no shop address.
    """
    text = shop.strip().rstrip("/")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", text):
        return f"https://{text.lower()}.myshopify.com"
    parts = urlsplit(text if "://" in text else f"https://{text}")
    host = (parts.hostname or "").lower()
    if host in LOOPBACK:
        return f"{parts.scheme}://{parts.netloc}"
    admin = re.match(r"/store/([A-Za-z0-9-]+)", parts.path)
    if host == "admin.shopify.com" and admin:
        return f"https://{admin[1].lower()}.myshopify.com"
    if host.endswith(".myshopify.com") and parts.scheme == "https":
        return f"https://{host}"
    message = (
        "sources.shopify.shop: not an address this source can use. Write the shop's own name, "
        "as in `my-shop.myshopify.com` (Settings, Domains), not the domain its customers see."
    )
    raise SettingsError(message)


def resolve(
    shop: str | None,
    access_token: str | None,
    client_id: str | None,
    client_secret: str | None,
    *,
    version: str = DEFAULT_VERSION,
    lag_minutes: float = 2,
    overlap_minutes: float = 10,
    sweep_days: float = 7,
    order_currency: str = "shop",
    pages: PageSizes | None = None,
    bulk: BulkSettings | None = None,
) -> Settings:
    """Return the settings of a connection.

    Raises:
        MissingSettingsError: Names everything that is not set, and where to put it.
        SettingsError: A setting cannot be what it is.
    """
    if order_currency not in ("shop", "presentment"):
        message = "sources.shopify.order_currency is `shop` or `presentment`."
        raise SettingsError(message)
    missing = missing_settings(
        shop=shop, access_token=access_token, client_id=client_id, client_secret=client_secret
    )
    if missing:
        raise MissingSettingsError(missing)
    return Settings(
        url=shop_url(shop or ""),
        access_token=access_token or "",
        client_id=client_id or "",
        client_secret=client_secret or "",
        version=version,
        lag=timedelta(minutes=lag_minutes),
        overlap=timedelta(minutes=overlap_minutes),
        buyers_currency=order_currency == "presentment",
        sweep=timedelta(days=sweep_days),
        pages=pages or PageSizes(),
        bulk=bulk or BulkSettings(),
    )
