"""A local double of Shopify's GraphQL Admin API, with a generated sample shop.

It serves what the Shopify pages and recorded answers describe, for demos and tests: no account, no
network. The rules are read from Shopify's documentation, never from our own client.
"""

from __future__ import annotations

from replenit_destination.sandbox.shopify.sample import SAMPLE_DATE, new_day, sample_shop
from replenit_destination.sandbox.shopify.server import ShopifySandbox
from replenit_destination.sandbox.shopify.shop import Shop

__all__ = ["SAMPLE_DATE", "Shop", "ShopifySandbox", "new_day", "sample_shop"]
