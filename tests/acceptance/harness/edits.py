"""What a person may do to a shop, by name and two small numbers, so that Hypothesis can choose."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.doubles.shop import Order, Product, Shop, Variant

__all__ = ["EDITS", "apply"]

MOST_CHILDREN = 4
_PRICES = (Decimal("9.90"), Decimal("12.5"), Decimal("3.333333333"), Decimal(0))


def apply(shop: Shop, name: str, pick: int, value: int, shelf: list[Any]) -> None:
    """Do one edit where it is possible.

    Args:
        shop: Is changed.
        name: One of `EDITS`.
        pick: Chooses what is edited.
        value: Chooses what becomes of it; the same value twice is no change.
        shelf: Removed products and variants that may return.
    """
    if name == "returned":
        _return(shop, pick, shelf)
    elif name == "product removed":
        if len(shop.products) > 1:
            shelf.append(shop.remove_product(_of([*shop.products], pick)))
    elif name == "variant removed":
        product: Product = shop.products[_of([*shop.products], pick)]
        if len(product.variants) > 1:
            gone = shop.remove_variant(product.id, _of(product.variants, value).id)
            shelf.append((product.id, gone))
    else:
        _DOERS[name](shop, pick, value)


def _of(things: Sequence[Any], pick: int) -> Any:
    return things[pick % len(things)]


# -- customers


def _address(shop: Shop, pick: int, value: int) -> None:
    customer = _of([*shop.customers.values()], pick)
    mine = [f"{word}{customer.id}@example.com" for word in ("person", "alias")]
    address = _of([*mine, "Shared@Example.com "], value)
    if address not in {one.email for one in shop.customers.values() if one.id != customer.id}:
        shop.change_customer(customer.id, email=address)


def _swap_addresses(shop: Shop, pick: int, value: int) -> None:
    first, second = (_of([*shop.customers.values()], number) for number in (pick, value))
    shop.change_customer(first.id, email=second.email)
    shop.change_customer(second.id, email=first.email)


def _person(shop: Shop, pick: int, value: int) -> None:
    changes: list[dict[str, Any]] = [{"name": name} for name in (None, "Ann", "Béa \U0001f642")]
    changes += [{"phone": phone} for phone in (None, "+4930123456")]
    changes += [{consent: given} for consent in ("gdpr", "email_optin") for given in (True, False)]
    shop.change_customer(_of([*shop.customers], pick), **_of(changes, value))


def _add_customer(shop: Shop, pick: int, value: int) -> None:
    if len(shop.customers) < 6:
        shop.add_customer(gdpr=bool(value % 2))


def _erase_customer(shop: Shop, pick: int, value: int) -> None:
    if len(shop.customers) > 1:
        shop.erase_customer(_of([*shop.customers], pick))


def _lose_customer(shop: Shop, pick: int, value: int) -> None:
    if len(shop.customers) > 1:
        del shop.customers[_of([*shop.customers], pick)]


def _merge(shop: Shop, pick: int, value: int) -> None:
    loser, survivor = _of([*shop.customers], pick), _of([*shop.customers], value)
    if loser != survivor:
        shop.merge_customers(loser, survivor, take_email=value % 2 == 0)


# -- orders


def _choice(shop: Shop, order: Order) -> list[Variant]:
    """Return the variants an order does not have yet."""
    had = {line.variant for line in order.lines}
    return [v for p in shop.products.values() for v in p.variants if v.id not in had]


def _add_order(shop: Shop, pick: int, value: int) -> None:
    if len(shop.orders) < 8:
        order = shop.add_order(_of([*shop.customers], pick))
        shop.add_line(order.id, _of(_choice(shop, order), value))


def _order(shop: Shop, pick: int, value: int) -> None:
    changes = [{"cancelled": True}, {"cancelled": False}, *({"total": each} for each in _PRICES)]
    shop.change_order(_of([*shop.orders], pick), **_of(changes, value))


def _delete_order(shop: Shop, pick: int, value: int) -> None:
    shop.delete_order(_of([*shop.orders], pick))


def _lose_order(shop: Shop, pick: int, value: int) -> None:
    shop.lose_order(_of([*shop.orders], pick))


def _add_line(shop: Shop, pick: int, value: int) -> None:
    order = shop.orders[_of([*shop.orders], pick)]
    choice = _choice(shop, order)
    if choice and len(order.lines) < MOST_CHILDREN:
        shop.add_line(order.id, _of(choice, value))


def _line(shop: Shop, pick: int, value: int) -> None:
    order = shop.orders[_of([*shop.orders], pick)]
    changes: list[dict[str, Any]] = [{"quantity": 2}, {"quantity": 1}, {"size": None}]
    changes += [{"size": "M"}, *({"price": price} for price in _PRICES)]
    shop.change_line(order.id, _of(order.lines, value // 2).id, **_of(changes, value))


def _remove_line(shop: Shop, pick: int, value: int) -> None:
    order = shop.orders[_of([*shop.orders], pick)]
    if len(order.lines) > 1:
        shop.remove_line(order.id, _of(order.lines, value).id)


def _move_line(shop: Shop, pick: int, value: int) -> None:
    source, target = (shop.orders[_of([*shop.orders], number)] for number in (pick, value))
    line = _of(source.lines, value)
    new = line.variant not in {other.variant for other in target.lines}
    if len(source.lines) > 1 and len(target.lines) < MOST_CHILDREN and new:
        shop.move_line(source.id, line.id, target.id)


# -- products


def _add_product(shop: Shop, pick: int, value: int) -> None:
    if len(shop.products) < 5:
        shop.add_product(variants=1 + value % 2)


def _product(shop: Shop, pick: int, value: int) -> None:
    product = _of([*shop.products], pick)
    shop.change_product(product, name=_of([f"Product {product}", "Renamed"], value))


def _add_variant(shop: Shop, pick: int, value: int) -> None:
    product: Product = shop.products[_of([*shop.products], pick)]
    if len(product.variants) < MOST_CHILDREN:
        shop.add_variant(product.id)


def _variant(shop: Shop, pick: int, value: int) -> None:
    product: Product = shop.products[_of([*shop.products], pick)]
    variant = _of(product.variants, value // 2)
    changes: list[dict[str, Any]] = [{"brand": None}, {"brand": "Acme"}]
    changes += [{"available": False}, {"available": True}]
    changes += [{"sku": f"{word}-{variant.id}"} for word in ("SKU", "NEW")]
    changes += [{"price": price} for price in _PRICES]
    shop.change_variant(product.id, variant.id, **_of(changes, value))


def _return(shop: Shop, pick: int, shelf: list[Any]) -> None:
    if not shelf:
        return
    thing = shelf.pop(pick % len(shelf))
    if not isinstance(thing, tuple):
        shop.return_product(thing)
    elif thing[0] in shop.products:
        shop.return_variant(*thing)


def _reload(shop: Shop, pick: int, value: int) -> None:
    for table in ("customers", "orders", "products"):
        if rows := [*getattr(shop, table)]:
            shop.reloaded.add((table, _of(rows, pick)))


def _with_orders(doer: Callable[[Shop, int, int], None]) -> Callable[[Shop, int, int], None]:
    """Return an edit that does nothing in a shop without orders."""

    def guarded(shop: Shop, pick: int, value: int) -> None:
        if shop.orders:
            doer(shop, pick, value)

    return guarded


_DOERS: dict[str, Callable[[Shop, int, int], None]] = {
    "address": _address,
    "addresses swapped": _swap_addresses,
    "person": _person,
    "customer added": _add_customer,
    "customer erased": _erase_customer,
    "customer lost": _lose_customer,
    "customers merged": _merge,
    "order added": _add_order,
    "order": _with_orders(_order),
    "order deleted": _with_orders(_delete_order),
    "order lost": _with_orders(_lose_order),
    "line added": _with_orders(_add_line),
    "line": _with_orders(_line),
    "line removed": _with_orders(_remove_line),
    "line moved": _with_orders(_move_line),
    "product added": _add_product,
    "product": _product,
    "variant added": _add_variant,
    "variant": _variant,
    "reloaded": _reload,
}
EDITS = (*_DOERS, "product removed", "variant removed", "returned")
