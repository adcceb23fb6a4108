"""Reads whole listings: page after page, with the rest of long inner lists.

Pages are sorted by `UPDATED_AT` and follow Shopify's cursors. A page that would cost too much is
halved and asked for again; the smaller size stays for the rest of the run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import ShopifyClient, TooExpensiveError
from .errors import QueryRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Pager", "document"]

Node = dict[str, Any]
QUERIES = Path(__file__).with_name("queries")


@cache
def document(*names: str) -> str:
    """Return one GraphQL document made of query files, in order."""
    return "\n".join((QUERIES / f"{name}.graphql").read_text(encoding="utf-8") for name in names)


class Pager:
    """Pages through the listings of one shop."""

    def __init__(self, client: ShopifyClient) -> None:
        self.client = client
        pages, older = client.settings.pages, client.settings.version < "2026-10"
        phone = "phone_before_2026_10" if older else "phone"
        self.documents = {
            "OrdersPage": document("orders", "line", "money"),
            "OrderLinesRest": document("order_lines", "line", "money"),
            "CustomersPage": document("customers", phone),
            "ProductsPage": document("products", "variant"),
            "VariantsRest": document("product_variants", "variant"),
            "Deletions": document("deletions"),
        }
        self._sizes: dict[str, dict[str, int]] = {
            "OrdersPage": {"first": pages.orders, "items": pages.lines},
            "CustomersPage": {"first": pages.customers},
            "ProductsPage": {"first": pages.products, "variants": pages.variants},
            "Deletions": {"first": 250},
        }

    def orders(self, search: str) -> Iterator[list[Node]]:
        """Yield pages of orders, each with all its line items."""
        return self._pages(
            "OrdersPage", "orders", search, inner=("lineItems", "OrderLinesRest", "order")
        )

    def customers(self, search: str) -> Iterator[list[Node]]:
        """Yield pages of customers."""
        return self._pages("CustomersPage", "customers", search)

    def products(self, search: str) -> Iterator[list[Node]]:
        """Yield pages of products, each with all its variants."""
        return self._pages(
            "ProductsPage", "products", search, inner=("variants", "VariantsRest", "product")
        )

    def deletions(self, search: str) -> Iterator[list[Node]]:
        """Yield pages of events."""
        return self._pages("Deletions", "events", search)

    def _pages(
        self, name: str, root: str, search: str, *, inner: tuple[str, str, str] | None = None
    ) -> Iterator[list[Node]]:
        after: str | None = None
        while True:
            data = self._affordable(name, {"query": search, "after": after})
            listing = data[root]
            nodes: list[Node] = listing["nodes"]
            for node in nodes if inner else ():
                self._drain(node, *inner)  # type: ignore[misc]  # inner is set here
            yield nodes
            if not listing["pageInfo"]["hasNextPage"]:
                return
            after = listing["pageInfo"]["endCursor"]

    def _affordable(self, name: str, variables: dict[str, Any]) -> Any:
        sizes = self._sizes[name]
        while True:
            try:
                return self.client.query(name, self.documents[name], {**variables, **sizes})
            except TooExpensiveError:
                if max(sizes.values()) <= 1:
                    message = f"Shopify refused {name} as too expensive even for a single object."
                    raise QueryRefusedError(message) from None
                for key, size in sizes.items():
                    sizes[key] = max(1, size // 2)

    def _drain(self, node: Node, field: str, name: str, root: str) -> None:
        """Read what did not fit into a node's inner page, so that the node is whole."""
        inner = node[field]
        while inner["pageInfo"]["hasNextPage"]:
            variables = {"id": node["id"], "first": 100, "after": inner["pageInfo"]["endCursor"]}
            data = self.client.query(name, self.documents[name], variables)
            if data[root] is None:
                # Deleted between two pages: the destroy event will say so.
                return
            page = data[root][field]
            node[field]["nodes"] += page["nodes"]
            inner = page
