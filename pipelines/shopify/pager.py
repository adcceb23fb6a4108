"""Reads whole listings: page after page, with the rest of long inner lists.

Pages are sorted by `UPDATED_AT` and follow Shopify's cursors. A page that would cost too much is
halved and asked for again; the smaller size stays for the rest of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .client import ShopifyClient, TooExpensiveError
from .documents import CUSTOMERS, LISTINGS, ORDERS, PRODUCTS, document
from .errors import QueryRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .documents import Listing

__all__ = ["Pager"]

Node = dict[str, Any]


class Pager:
    """Pages through the listings of one shop."""

    def __init__(self, client: ShopifyClient) -> None:
        self.client = client
        pages, version = client.settings.pages, client.settings.version
        self.documents = {
            "OrdersPage": document("orders", *ORDERS.files(version)),
            "OrderLinesRest": document("order_lines", "line", "money"),
            "CustomersPage": document("customers", *CUSTOMERS.files(version)),
            "ProductsPage": document("products", "variant_image", *PRODUCTS.files(version)),
            "VariantsRest": document("product_variants", "variant", "variant_image"),
            "Deletions": document("deletions"),
            **{f"{one.name.title()}Ids": document(f"{one.name}_ids") for one in LISTINGS},
        }
        self._sizes: dict[str, dict[str, int]] = {
            "OrdersPage": {"first": pages.orders, "items": pages.lines},
            "CustomersPage": {"first": pages.customers},
            "ProductsPage": {"first": pages.products, "variants": pages.variants},
            "Deletions": {"first": 250},
            **{f"{one.name.title()}Ids": {"first": 250} for one in LISTINGS},
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

    def ids(self, listing: Listing) -> Iterator[list[str]]:
        """Yield pages of the global ids of everything that exists now."""
        for page in self._pages(f"{listing.name.title()}Ids", listing.name, None):
            yield [node["id"] for node in page]

    def deletions(self, search: str) -> Iterator[list[Node]]:
        """Yield pages of events."""
        return self._pages("Deletions", "events", search)

    def _pages(
        self, name: str, root: str, search: str | None, *, inner: tuple[str, str, str] | None = None
    ) -> Iterator[list[Node]]:
        after: str | None = None
        while True:
            variables = {"after": after} if search is None else {"query": search, "after": after}
            data = self._affordable(name, variables)
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
