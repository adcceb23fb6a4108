"""What can go wrong at Shopify, named by what to do about it."""

from __future__ import annotations

__all__ = [
    "AccessDeniedError",
    "IntegrityError",
    "QueryRefusedError",
    "SearchIgnoredError",
    "ShopifyError",
    "ShopifyUnavailableError",
]


class ShopifyError(Exception):
    """Base of this source's errors; nothing is lost, the next run begins at the same window."""


class AccessDeniedError(ShopifyError):
    """The token is refused, a scope is missing, or the app may not read protected customer data."""


class QueryRefusedError(ShopifyError):
    """Shopify refused a query for good: it is invalid, too expensive, or the shop is not served."""


class SearchIgnoredError(ShopifyError):
    """Shopify did not understand a filter and would have returned everything."""


class ShopifyUnavailableError(ShopifyError):
    """Shopify kept failing past the retry budget; run again later."""


class IntegrityError(ShopifyError):
    """A bulk result is not what its operation counted; it was not used, run again."""
