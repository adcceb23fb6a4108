"""Executes queries over the shop: roots, searches, pages and what a token may see.

One `Execution` answers one request. Lists in a view become connections where the schema says so,
paged by opaque cursors that hold the last id and the last sort value, as recorded.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, get_named_type

from replenit_destination.sandbox.shopify import views
from replenit_destination.sandbox.shopify.paging import page_of
from replenit_destination.sandbox.shopify.search import Search, parse_search

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLResolveInfo

    from replenit_destination.sandbox.shopify.store import ShopStore

    ResolveInfo = GraphQLResolveInfo[Any]

__all__ = ["ALL_SCOPES", "Execution"]

View = dict[str, Any]
ALL_SCOPES = ("read_orders", "read_all_orders", "read_customers", "read_products", "read_locales")
SCOPE_OF = {
    "orders": "read_orders",
    "order": "read_orders",
    "ordersCount": "read_orders",
    "customers": "read_customers",
    "customer": "read_customers",
    "customersCount": "read_customers",
    "products": "read_products",
    "product": "read_products",
    "productsCount": "read_products",
    "shopLocales": "read_locales",
}
SORT_FIELDS = {
    "UPDATED_AT": "updatedAt",
    "CREATED_AT": "createdAt",
    "PROCESSED_AT": "processedAt",
    "TITLE": "title",
}
PII_DENIED = (
    "This app is not approved to access the {name} object. Access to personally identifiable "
    "information (PII) like customer names, addresses, emails, phone numbers is only available on "
    "Shopify, Advanced, and Plus plans."
)


class Execution:
    """Resolves one request against the shop.

    Args:
        shop: The records.
        scopes: What the token may read; a root outside them answers null with ACCESS_DENIED.
        versions: The supported API versions.
        pii_denied: Whether the app lacks access to protected customer data.
        indexed_until: Searches see only what changed before this moment (the search index lags
            writes).
    """

    def __init__(
        self,
        shop: ShopStore,
        *,
        scopes: tuple[str, ...],
        versions: tuple[str, ...],
        pii_denied: bool = False,
        indexed_until: str | None = None,
    ) -> None:
        self.shop = shop
        self.scopes = scopes
        self.versions = versions
        self.pii_denied = pii_denied
        self.indexed_until = indexed_until
        self.searches: list[View] = []

    def resolve(self, source: Any, info: ResolveInfo, **arguments: Any) -> Any:
        """Resolve any field: the default resolver of the execution."""
        name = info.field_name
        if info.parent_type.name == "QueryRoot":
            return self._root(name, info, arguments)
        value = source.get(name)
        if callable(value):
            value = value()
        kind = get_named_type(info.return_type).name
        if kind.endswith("Connection"):
            return page_of(value, arguments, sort="id", field=name)
        return _to_the_second(value) if kind == "DateTime" else value

    def _root(self, name: str, info: ResolveInfo, arguments: View) -> Any:
        scope = SCOPE_OF.get(name)
        if scope and scope not in self.scopes:
            message = f"Access denied for {name} field. Required access: `{scope}` access scope."
            raise _denied(message)
        if self.pii_denied and name in ("customers", "customer"):
            raise _denied(PII_DENIED.format(name="Customer"))
        simple: dict[str, Callable[[], Any]] = {
            "shop": lambda: views.shop_view(self.shop),
            "currentAppInstallation": lambda: {
                "id": "gid://shopify/AppInstallation/1",
                "accessScopes": [{"handle": handle} for handle in self.scopes],
            },
            "publicApiVersions": lambda: [
                {"handle": version, "supported": True} for version in self.versions
            ],
            "shopLocales": lambda: [
                {"locale": self.shop.locale, "primary": True, "published": True}
            ],
            "nodes": lambda: [self._node(item) for item in arguments["ids"]],
        }
        if name in simple:
            return simple[name]()
        if "id" in arguments:
            return self._node(arguments["id"])
        if name.endswith("Count"):
            return self._count(name.removesuffix("Count"), info, arguments)
        return self._listing(name, info, arguments)

    def _node(self, global_id: str) -> View | None:
        try:
            kind, number = global_id.removeprefix("gid://shopify/").split("/")
            key = int(number)
        except ValueError:
            msg = f"Invalid global id '{global_id}'"
            raise GraphQLError(msg, extensions={"code": "argumentLiteralsIncompatible"}) from None
        records = getattr(self.shop, f"{kind.lower()}s", None)
        if not isinstance(records, dict) or key not in records:
            return None
        return self._view(f"{kind.lower()}s", records[key])

    def _view(self, kind: str, record: View) -> View:
        if kind == "orders":
            return views.order_view(self.shop, record)
        if kind == "customers":
            return views.customer_view(self.shop, record)
        if kind == "products":
            return views.product_view(self.shop, record)
        return views.event_view(record)

    def _matching(self, kind: str, info: ResolveInfo, arguments: View) -> list[View]:
        search = parse_search(kind, arguments.get("query"), self.shop.timezone)
        self._note(search, info)
        stored = getattr(self.shop, kind)
        records = stored if isinstance(stored, list) else list(stored.values())
        if search.query and self.indexed_until:
            records = [r for r in records if r.get("updatedAt", "") < self.indexed_until]
        # Searches look at the records; a view is made only of what is shown.
        return [record for record in records if search.matches(record)]

    def _note(self, search: Search, info: ResolveInfo) -> None:
        if search.warnings:
            key = info.path.key
            self.searches.append(search.extension(str(key)))

    def _count(self, kind: str, info: ResolveInfo, arguments: View) -> View:
        count = len(self._matching(kind, info, arguments))
        limit = arguments.get("limit", 10_000)
        if limit is not None and count > limit:
            return {"count": limit, "precision": "AT_LEAST"}
        return {"count": count, "precision": "EXACT"}

    def _listing(self, kind: str, info: ResolveInfo, arguments: View) -> View:
        sort = SORT_FIELDS.get(arguments.get("sortKey") or "ID", "id")
        records = sorted(self._matching(kind, info, arguments), key=lambda r: (r[sort], r["id"]))
        if arguments.get("reverse"):
            records.reverse()
        page = page_of(records, arguments, sort=sort, field=kind, ordered=True)
        for edge in page["edges"]:
            edge["node"] = self._view(kind, edge["node"])
        page["nodes"] = [edge["node"] for edge in page["edges"]]
        return page


def _to_the_second(value: str | None) -> str | None:
    """Timestamps are stored finer than they are shown."""
    if value is None:
        return None
    return datetime.fromisoformat(value).strftime("%Y-%m-%dT%H:%M:%SZ")


def _denied(message: str) -> GraphQLError:
    return GraphQLError(
        message,
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
        },
    )
