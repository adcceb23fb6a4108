"""The GraphQL documents, made of the files in `queries/`.

Pages keep their fragments. A bulk query gets them written out in place: Shopify's rules for bulk
queries do not speak of fragments, and a query without any cannot be refused for them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CUSTOMERS", "LISTINGS", "ORDERS", "PRODUCTS", "Listing", "bulk_query", "document"]

QUERIES = Path(__file__).with_name("queries")
CONSENT_VERSION = "2026-10"  # the first in which a phone number has a consent object
_FRAGMENT = re.compile(r"fragment (\w+) on \w+ \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Listing:
    """One kind of object that can be listed.

    Args:
        name: The root connection, and the resource.
        subject: What its events call it.
        fragments: The query files that its objects are selected with.
        children: The kind in a child's global id → the field of the parent that lists it.
    """

    name: str
    subject: str
    fragments: tuple[str, ...]
    children: Mapping[str, str] = field(default_factory=dict)

    def files(self, version: str) -> tuple[str, ...]:
        """Return the fragment files that fit an API version."""
        newer = version >= CONSENT_VERSION
        return tuple(
            "phone_before_2026_10" if name == "phone" and not newer else name
            for name in self.fragments
        )


CUSTOMERS = Listing("customers", "CUSTOMER", ("customer", "phone"))
ORDERS = Listing("orders", "ORDER", ("order", "line", "money"), {"LineItem": "lineItems"})
PRODUCTS = Listing(
    "products",
    "PRODUCT",
    ("product", "variant"),
    {
        "ProductVariant": "variants",
        "MediaImage": "media",
        "Video": "media",
        "ExternalVideo": "media",
        "Model3d": "media",
    },
)
LISTINGS = (CUSTOMERS, ORDERS, PRODUCTS)


@cache
def document(*names: str) -> str:
    """Return one GraphQL document made of query files, in order."""
    return "\n".join((QUERIES / f"{name}.graphql").read_text(encoding="utf-8") for name in names)


def bulk_query(listing: Listing, version: str, search: str) -> str:
    """Return the query that reads a whole listing in bulk, filtered by `search`."""
    text = _written_out(document(f"{listing.name}_bulk"), document(*listing.files(version)))
    return text.replace('"FILTER"', json.dumps(search))


@cache
def _written_out(query: str, fragments: str) -> str:
    bodies = dict(_FRAGMENT.findall(_COMMENT.sub("", fragments)))
    text = _COMMENT.sub("", query)
    while spread := re.search(r"^( *)\.\.\.(\w+)\n", text, re.MULTILINE):
        indent, name = spread.groups()
        lines = bodies[name].splitlines()
        body = "".join(f"{indent}{line.removeprefix('  ')}\n" for line in lines)
        text = text[: spread.start()] + body + text[spread.end() :]
    return text
