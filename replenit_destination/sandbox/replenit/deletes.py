"""The DELETE endpoints: what each asks for, and whether it acts now or queues (E4a to E8)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from replenit_destination.sandbox.replenit import answers
from replenit_destination.sandbox.replenit.store import Deletion

if TYPE_CHECKING:
    from replenit_destination.sandbox.replenit.answers import Answer
    from replenit_destination.sandbox.replenit.routes import Route
    from replenit_destination.sandbox.replenit.store import TenantStore

__all__ = ["delete", "served"]

_NOUNS = {"customers": "Customer", "orders": "Order", "products": "Product"}
_CHILD_NOUNS = {"line": "Order item", "variant": "Variant"}
_IDS = {
    "CustomerId": ("customerId",),
    "Email": ("email",),
    "OrderId": ("orderId",),
    "ProductId": ("productId",),
    "line": ("orderId", "productId", "sku"),
    "variant": ("productId", "variantId"),
}


def served(route: Route, style: str) -> bool:
    """Whether a customer delete of this form exists under `customer_delete_style` (K2)."""
    if route.entity != "customers":
        return True
    return style in {"both", "query" if route.shape == "collection" else "path"}


def delete(route: Route, query: str, store: TenantStore, now: float) -> Answer:
    """Carry out or queue one delete and answer it."""
    deletion = _read(route, query)
    if isinstance(deletion, answers.Answer):
        return deletion
    switches = store.switches
    noun = _CHILD_NOUNS.get(deletion.by, _NOUNS[deletion.entity])
    ids = dict(zip(_IDS[deletion.by], deletion.key, strict=True))
    customer = deletion.entity == "customers"
    if (switches.customer_delete_async if customer else switches.delete_async) == "on":
        # [R]: queued and applied idempotently, so nobody can know yet whether the thing exists.
        due = now + switches.delete_delay
        store.enqueue(Deletion(deletion.entity, deletion.by, deletion.key, due))
        answer = answers.deleted(switches.delete_body, f"{noun} deletion queued.", ids, "queued")
        answer.committed = True
        return answer
    found = store.delete(deletion)
    if found != "deleted" and switches.delete_missing == "404":
        missing = _NOUNS[deletion.entity] if found == "no_parent" else noun
        return answers.failure(404, f"{missing} not found.", "missing")
    outcome = "deleted" if found == "deleted" else "missing"
    answer = answers.deleted(switches.delete_body, f"{noun} deleted.", ids, outcome)
    answer.committed = found == "deleted"
    return answer


def _read(route: Route, query: str) -> Deletion | Answer:
    entity = route.entity
    if route.shape == "document":
        by = {"customers": "CustomerId", "orders": "OrderId", "products": "ProductId"}[entity]
        return Deletion(entity, by, route.ids)
    if route.shape == "variant":
        return Deletion(entity, "variant", route.ids)
    # `+` is a blank here: [R]'s e-mail query needs `%2B`.
    given = {name.lower(): value for name, value in parse_qsl(query)}
    if route.shape == "items":
        product_id, sku = given.get("productid", ""), given.get("sku", "")
        if not product_id.strip() or not sku.strip():
            return answers.failure(400, "productId and sku are required.", "refused")
        return Deletion(entity, "line", (*route.ids, product_id, sku))
    if given.get("customerid", "").strip():
        return Deletion(entity, "CustomerId", (given["customerid"],))
    if given.get("email", "").strip():
        return Deletion(entity, "Email", (given["email"],))
    return answers.failure(400, "Customer ID is required.", "refused")  # [C]
