"""What the vendor must hold: computed from the shop's truth alone, by the rules of the product.

Nothing here looks at the engine, its ledger, or the sandbox. The oracle is told of every load and
of every push that ran to its end; what it remembers is what a careful person would write down:
which documents were delivered last, and, where the vendor keeps what an update omits, what it kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.doubles.shop import Customer, Line, Order, Product, Shop

__all__ = ["CHILDREN", "ENTITIES", "Documents", "Oracle", "Rules", "documents", "keys", "plain"]

ENTITIES = ("customers", "products", "orders")
CHILDREN = {"orders": "OrderItems", "products": "ProductVariants"}
_CHILD_KEY = {"orders": ("ProductId", "Sku"), "products": ("VariantId",)}
_NEVER_SENT = ("SmsOptin", "WhatsappOptin", "AppPushOptin", "IsExcluded")
_NEVER_SENT += ("IsGift", "IsOfflineExclusive")

Document = dict[str, Any]
Documents = dict[str, dict[str, Document]]


@dataclass(frozen=True, slots=True)
class Rules:
    """The choices the end state depends on: the shop's, then the vendor's."""

    priority: str = "email"
    delete_style: str = "query"
    product_removal: str = "unavailable"
    gdpr_policy: str = "send_all"
    children: str = "merge"
    omitted: str = "reset"


def keys(shop: Shop, rules: Rules) -> dict[str, set[str]]:
    """Return entity → keys of everything the shop has, good or bad."""
    customers = {_customer_key(one, rules) for one in shop.customers.values()}
    return {
        "customers": customers,
        "products": {str(number) for number in shop.products},
        "orders": {str(number) for number in shop.orders},
    }


def documents(shop: Shop, rules: Rules, form: str) -> Documents:
    """Return the documents the shop's truth makes; what the vendor's rules forbid is left out."""
    customers = {_customer_key(c, rules): _customer(c) for c in shop.customers.values()}
    products = {str(p.id): _product(p) for p in shop.products.values() if p.name and p.variants}
    orders = {str(o.id): _order(o, shop, form) for o in shop.orders.values() if o.lines}
    return {"customers": customers, "products": products, "orders": orders}


def plain(state: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Documents:
    """Return the sandbox's state with children by key, without defaults of what we never send."""
    return {
        entity: {key: _plain(entity, document) for key, document in kept.items()}
        for entity, kept in state.items()
    }


@dataclass
class Oracle:
    """Follows loads and pushes, and says what the vendor holds after each.

    `held` is the vendor's side; `sent` the last document delivered per key; `emptied` counts,
    for the last push, the documents that lost a value per (entity, field).
    """

    rules: Rules
    form: str = "nested"
    held: Documents = field(default_factory=lambda: {name: {} for name in ENTITIES})
    sent: Documents = field(default_factory=lambda: {name: {} for name in ENTITIES})
    owners: dict[str, str] = field(default_factory=dict)
    destroyed: set[tuple[str, str]] = field(default_factory=set)
    emptied: Counter[tuple[str, str]] = field(default_factory=Counter)

    def loaded(self, shop: Shop) -> None:
        """Take note of what a load reports as destroyed; call it before the load."""
        self.destroyed |= {(table, str(number)) for table, number in shop.destroyed}

    def pushed(
        self,
        shop: Shop,
        *,
        poisoned: Collection[tuple[str, str]] = (),
        allowed: Collection[str] = (),
    ) -> None:
        """Follow one push that ran to its end.

        Args:
            shop: As it was loaded.
            poisoned: (entity, key) that the vendor refuses today.
            allowed: Entities whose removals may go without evidence.
        """
        self.emptied.clear()
        alive, wanted = keys(shop, self.rules), documents(shop, self.rules, self.form)
        refused = {*poisoned}
        refused |= {(e, k) for e in ENTITIES for k in alive[e] if k not in wanted[e]}
        for entity in ENTITIES:
            for key, document in wanted[entity].items():
                if (entity, key) not in refused and self._may_travel(
                    entity, key, document, refused
                ):
                    self._deliver(entity, key, document)
        for entity in ENTITIES:
            for key in sorted(set(self.held[entity]) - alive[entity]):
                self._remove(entity, key, shop, poisoned, allowed)

    # -- what travels

    def _may_travel(
        self, entity: str, key: str, document: Document, refused: Collection[tuple[str, str]]
    ) -> bool:
        gated = self.rules.gdpr_policy == "consented_only"
        if entity == "customers" and gated:
            return document["GdprOptin"] is True or key in self.held["customers"]
        if entity != "orders":
            return True
        customer = document["Email" if self.rules.priority == "email" else "CustomerId"]
        if gated and self.sent["customers"].get(customer, {}).get("GdprOptin") is not True:
            return False
        products = {line["ProductId"] for line in document["OrderItems"].values()}
        links = {("customers", customer), *(("products", product) for product in products)}
        # Less than a day has passed: it waits for what the vendor has never taken.
        return not any(link in refused and link[1] not in self.held[link[0]] for link in links)

    def _deliver(self, entity: str, key: str, document: Document) -> None:
        name, before = CHILDREN.get(entity), self.sent[entity].get(key)
        document = dict(document)
        if entity == "products" and before and self.rules.product_removal == "unavailable":
            document[name] = {**_withdrawn(before[name]), **document[name]}
        if document == before:
            return
        old = self.held[entity].get(key, {})
        self._note_emptied(entity, before or {}, document)
        kept = old if self.rules.omitted == "keep" else {}
        stored = {**kept, **document}
        if name:
            children = document[name]
            if self.rules.omitted == "keep" and self.rules.children == "merge":
                known = old.get(name, {})
                children = {k: {**known.get(k, {}), **child} for k, child in children.items()}
            stored[name] = children
        self.held[entity][key], self.sent[entity][key] = stored, document
        if entity == "customers":
            self.owners[key] = document["CustomerId"]

    def _note_emptied(self, entity: str, before: Document, now: Document) -> None:
        lost = set(before) - set(now)
        if name := CHILDREN.get(entity):
            known = before.get(name, {})
            for key, child in now[name].items():
                lost |= {f"{name}.{each}" for each in set(known.get(key, {})) - set(child)}
        self.emptied.update((entity, each) for each in lost)

    # -- what goes

    def _remove(
        self,
        entity: str,
        key: str,
        shop: Shop,
        poisoned: Collection[tuple[str, str]],
        allowed: Collection[str],
    ) -> None:
        source_id = self.owners[key] if entity == "customers" else key
        if entity == "customers" and int(source_id) in shop.customers:
            survivor = _customer_key(shop.customers[int(source_id)], self.rules)
            delivered = ("customers", survivor) not in poisoned and survivor in self.held[entity]
            # By the path only a CustomerId can be deleted, and the survivor holds the same.
            if not delivered or self.rules.delete_style == "path":
                return
        elif entity == "products":
            if self.rules.product_removal == "unavailable":
                self._retire(key)
                return
        elif (entity, source_id) not in self.destroyed and entity not in allowed:
            return
        del self.held[entity][key], self.sent[entity][key]

    def _retire(self, key: str) -> None:
        document = self.sent["products"][key]
        name = CHILDREN["products"]
        self._deliver("products", key, {**document, name: _withdrawn(document[name])})


def _withdrawn(variants: Mapping[str, Document]) -> dict[str, Document]:
    return {key: {**variant, "IsAvailable": False} for key, variant in variants.items()}


def _customer_key(customer: Customer, rules: Rules) -> str:
    return customer.email.strip().lower() if rules.priority == "email" else str(customer.id)


def _customer(customer: Customer) -> Document:
    return _present(
        CustomerId=str(customer.id),
        Email=customer.email.strip().lower(),
        Name=customer.name,
        Phone=customer.phone,
        EmailOptin=customer.email_optin,
        GdprOptin=customer.gdpr,
    )


def _order(order: Order, shop: Shop, form: str) -> Document:
    known = shop.customers.get(order.customer)
    lines = [_line(line, shop, form) for line in order.lines]
    return _present(
        OrderId=str(order.id),
        CustomerId=str(order.customer),
        Email=(known.email if known else order.email).strip().lower(),
        OrderDate=f"{order.placed:%Y-%m-%dT%H:%M:%S}.000Z",
        TotalRevenue=order.total,
        TotalQuantity=sum(line["Quantity"] for line in lines),
        UniqueQuantity=len({line["Sku"] for line in lines}),
        Currency="EUR",
        IsOrderCancelled=order.cancelled,
        OrderItems={_child_key("orders", line): line for line in lines},
    )


def _line(line: Line, shop: Shop, form: str) -> Document:
    sku = line.sku
    if form == "table":
        today = {v.id: v.sku for product in shop.products.values() for v in product.variants}
        sku = today.get(line.variant, sku)
    return _present(
        ProductId=str(line.product),
        Sku=sku,
        Quantity=line.quantity,
        Price=line.price,
        Size=line.size,
    )


def _product(product: Product) -> Document:
    variants = [
        _present(
            VariantId=str(variant.id),
            Sku=variant.sku,
            Name=variant.name,
            OriginalPrice=variant.price,
            Currency="EUR",
            BrandName=variant.brand,
            IsAvailable=variant.available,
        )
        for variant in product.variants
    ]
    return {
        "ProductId": str(product.id),
        "ProductName": product.name,
        "ProductVariants": {_child_key("products", each): each for each in variants},
    }


def _present(**values: Any) -> Document:
    return {name: value for name, value in values.items() if value is not None}


def _plain(entity: str, document: Mapping[str, Any]) -> Document:
    found = {name: _number(value) for name, value in document.items() if name not in _NEVER_SENT}
    if name := CHILDREN.get(entity):
        children = [
            {n: _number(v) for n, v in child.items() if n not in _NEVER_SENT}
            for child in document[name]
        ]
        found[name] = {_child_key(entity, child): child for child in children}
    return found


def _number(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, float) else value


def _child_key(entity: str, child: Mapping[str, Any]) -> str:
    return "/".join(child[name] for name in _CHILD_KEY[entity])
