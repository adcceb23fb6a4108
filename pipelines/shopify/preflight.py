"""Looks at the shop before a run: what the token may read, which versions are served.

Everything that would otherwise show as missing rows is said here in words.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .documents import document
from .errors import AccessDeniedError

if TYPE_CHECKING:
    from .client import ShopifyClient

__all__ = ["Shop", "look"]

logger = logging.getLogger(__name__)

NEEDED_SCOPES = {
    "customers": ("read_customers",),
    "orders": ("read_orders", "read_customers"),
    "products": ("read_products",),
}
OPEN_DAYS = 60  # without read_all_orders, older orders do not show


@dataclass(frozen=True)
class Shop:
    """What a run needs to know of the shop."""

    currency: str
    language: str | None
    granted: frozenset[str]

    @property
    def shows_all_orders(self) -> bool:
        """Whether orders older than sixty days can be seen."""
        return "read_all_orders" in self.granted


def look(client: ShopifyClient, *, now: datetime, begin: datetime | None) -> Shop:
    """Return the shop as the token sees it.

    Args:
        client: Talks to the shop.
        now: The time.
        begin: Where the run begins; None is the beginning of the shop.

    Raises:
        AccessDeniedError: A scope is missing, or the approval for protected customer data.
    """
    data = client.query("ShopInfo", document("shop"))
    scopes = {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}
    # A write scope includes reading.
    granted = scopes | {scope.replace("write_", "read_", 1) for scope in scopes}
    needed = {scope for names in NEEDED_SCOPES.values() for scope in names}
    if missing := sorted(needed - granted):
        message = (
            f"The app may not read everything that is needed: grant it {', '.join(missing)} "
            "(app configuration, Admin API access scopes), then install it again."
        )
        raise AccessDeniedError(message)
    _check_version(client, data["publicApiVersions"])
    if "read_all_orders" not in granted and (begin is None or begin < now - timedelta(OPEN_DAYS)):
        logger.warning(
            "Without the scope read_all_orders Shopify shows only orders of the last %d days",
            OPEN_DAYS,
        )
    _check_personal_data(client, data["shop"]["plan"]["publicDisplayName"])
    language = None
    if "read_locales" in granted:
        locales = client.query("ShopLocales", document("locales"))["shopLocales"]
        language = next((item["locale"] for item in locales if item["primary"]), None)
    return Shop(data["shop"]["currencyCode"], language, frozenset(granted))


def _check_version(client: ShopifyClient, versions: list[dict[str, Any]]) -> None:
    """Warn before a version ends: a call to an ended one is answered by the oldest served one."""
    served = sorted(one["handle"] for one in versions if one["supported"])
    asked = client.settings.version
    if served and asked not in served:
        logger.warning(
            "Shopify serves the versions %s, not %s: set sources.shopify.api_version",
            ", ".join(served),
            asked,
        )


def _check_personal_data(client: ShopifyClient, plan: str) -> None:
    try:
        client.query("PersonalData", document("personal"))
    except AccessDeniedError as error:
        message = (
            f"{error} The shop's plan is {plan}. Names, addresses and phone numbers are protected "
            "customer data: an app of the shop's own reads them on the plans Shopify, Advanced and "
            "Plus; an app of a partner needs Shopify's approval (Partner Dashboard, API access)."
        )
        raise AccessDeniedError(message) from error
