"""Executes queries over the shop: roots, searches, pages and what a token may see.

One `Execution` answers one request. Lists in a view become connections where the schema says so,
paged by opaque cursors that hold the last id and the last sort value, as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, get_named_type

from replenit_destination.sandbox.shopify import views
from replenit_destination.sandbox.shopify.bulk_rules import bulk_faults
from replenit_destination.sandbox.shopify.paging import page_of
from replenit_destination.sandbox.shopify.projection import to_the_second
from replenit_destination.sandbox.shopify.search import Search, parse_search

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from graphql import GraphQLResolveInfo, GraphQLSchema

    from replenit_destination.sandbox.shopify.bulk import BulkJob, BulkJobs
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
    "COMPLETED_AT": "completedAt",
}
BULK_DENIED = (
    "Access denied for bulkOperationRunQuery field. Required access: Apps must enable bulk "
    "operations in the Partner Dashboard."
)
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
        bulk: The app's bulk operations.
        schema: What bulk queries are validated against and run with.
        unlisted: Ids that no listing shows, although the objects are there.
    """

    def __init__(
        self,
        shop: ShopStore,
        *,
        scopes: tuple[str, ...],
        versions: tuple[str, ...],
        pii_denied: bool = False,
        indexed_until: str | None = None,
        bulk: BulkJobs,
        schema: GraphQLSchema,
        unlisted: Collection[int] = (),
    ) -> None:
        self.shop = shop
        self.scopes = scopes
        self.versions = versions
        self.pii_denied = pii_denied
        self.indexed_until = indexed_until
        self.bulk = bulk
        self.schema = schema
        self.unlisted = unlisted
        self.searches: list[View] = []

    def resolve(self, source: Any, info: ResolveInfo, **arguments: Any) -> Any:
        """Resolve any field: the default resolver of the execution."""
        name = info.field_name
        if info.parent_type.name == "QueryRoot":
            return self._root(name, info, arguments)
        if info.parent_type.name == "Mutation":
            return self._cancel(arguments) if name.endswith("Cancel") else self._run(arguments)
        value = source.get(name)
        if callable(value):
            value = value()
        kind = get_named_type(info.return_type).name
        if kind.endswith("Connection"):
            return page_of(value, arguments, sort="id", field=name)
        return to_the_second(value) if kind == "DateTime" else value

    def views(self, kind: str, query: str | None) -> Iterator[View]:
        """Yield every object of a root connection that a filter finds, by id.

        Raises:
            PermissionError: The app may not see them.
        """
        denied = self.pii_denied and kind == "customers"
        if denied or SCOPE_OF.get(kind, "read_products") not in self.scopes:
            raise PermissionError(kind)
        with self.shop.lock:
            records = sorted(
                self._found(kind, parse_search(kind, query, self.shop.timezone)),
                key=lambda record: int(record["id"]),
            )
        for record in records:
            with self.shop.lock:
                view = self._view(kind, record)
            yield view

    def _run(self, arguments: View) -> View:
        """Start a bulk query, or say why not, as recorded."""
        if not self.bulk.enabled:
            raise _denied(BULK_DENIED)
        query = arguments["query"]
        faults = bulk_faults(self.schema, query)
        if faults:
            errors = [{"field": ["query"], "message": f, "code": "INVALID"} for f in faults]
            return {"bulkOperation": None, "userErrors": errors}
        live = self.bulk.live()
        if len(live) >= self.bulk.slots:
            ids = ", ".join(job.gid for job in live)
            message = f"A bulk query operation for this app and shop is already in progress: {ids}."
            error = {"field": None, "message": message, "code": "OPERATION_IN_PROGRESS"}
            return {"bulkOperation": None, "userErrors": [error]}
        job = self.bulk.start(
            query, grouped=arguments["groupObjects"], schema=self.schema, views=self.views
        )
        return {"bulkOperation": job.view, "userErrors": []}

    def _cancel(self, arguments: View) -> View:
        job = self._job(arguments["id"])
        if job is None:
            unknown = {"field": ["id"], "message": "Bulk operation does not exist"}
            return {"bulkOperation": None, "userErrors": [unknown]}
        if self.bulk.look(job).status not in ("CREATED", "RUNNING"):
            message = f"A bulk operation cannot be canceled when it is {job.status.lower()}"
            error = {"field": None, "message": message}
            return {"bulkOperation": job.view, "userErrors": [error]}
        job = self.bulk.cancel(job)
        return {"bulkOperation": job.view, "userErrors": []}

    def _job(self, global_id: str) -> BulkJob | None:
        kind, number = _parts(global_id)
        if kind != "BulkOperation":
            message = f"Invalid id: {global_id}"
            raise GraphQLError(message, extensions={"code": "RESOURCE_NOT_FOUND"})
        return self.bulk.jobs.get(number)

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
        if name == "bulkOperation":
            job = self._job(arguments["id"])
            return self.bulk.look(job).view if job else None
        if "id" in arguments:
            return self._node(arguments["id"])
        if name.endswith("Count"):
            return self._count(name.removesuffix("Count"), info, arguments)
        return self._listing(name, info, arguments)

    def _node(self, global_id: str) -> View | None:
        kind, key = _parts(global_id)
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
        if kind == "bulkOperations":
            operation: View = record["job"].view
            return operation
        return views.event_view(record)

    def _matching(self, kind: str, info: ResolveInfo, arguments: View) -> list[View]:
        search = parse_search(kind, arguments.get("query"), self.shop.timezone)
        if kind == "bulkOperations" and any(w["field"] == "created_at" for w in search.warnings):
            message = "Invalid timestamp for query filter `created_at`."
            raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})
        self._note(search, info)
        return self._found(kind, search)

    def _found(self, kind: str, search: Search) -> list[View]:
        if kind == "bulkOperations":
            jobs = [job.record for job in self.bulk.all()]
            return [record for record in jobs if search.matches(record)]
        stored = getattr(self.shop, kind)
        records = stored if isinstance(stored, list) else list(stored.values())
        if search.query and self.indexed_until:
            records = [r for r in records if r.get("updatedAt", "") < self.indexed_until]
        # Searches look at the records; a view is made only of what is shown.
        shown = (record for record in records if record["id"] not in self.unlisted)
        return [record for record in shown if search.matches(record)]

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
        usual = "CREATED_AT" if kind == "bulkOperations" else "ID"
        sort = SORT_FIELDS.get(arguments.get("sortKey") or usual, "id")
        records = self._matching(kind, info, arguments)
        records.sort(key=lambda r: (r[sort] or "", r["id"]))
        if arguments.get("reverse"):
            records.reverse()
        page = page_of(records, arguments, sort=sort, field=kind, ordered=True)
        for edge in page["edges"]:
            edge["node"] = self._view(kind, edge["node"])
        page["nodes"] = [edge["node"] for edge in page["edges"]]
        return page


def _parts(global_id: str) -> tuple[str, int]:
    try:
        kind, number = global_id.removeprefix("gid://shopify/").split("/")
        return kind, int(number)
    except ValueError:
        msg = f"Invalid global id '{global_id}'"
        raise GraphQLError(msg, extensions={"code": "argumentLiteralsIncompatible"}) from None


def _denied(message: str) -> GraphQLError:
    return GraphQLError(
        message,
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
        },
    )
