"""A tiny shop as plain values: the truth that the vendor's side must come to agree with.

Edits only change the truth. How it reaches the staging database is `staged_shop`'s business, what
the vendor must hold in the end is the oracle's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

__all__ = ["Customer", "Line", "Order", "Product", "Shop", "Variant"]

_FIRST_ORDER = datetime(2024, 1, 1, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Customer:
    """A person. `name` and `phone` may be empty."""

    id: int
    email: str
    name: str | None = "Ann"
    phone: str | None = "+4930123456"
    email_optin: bool = True
    gdpr: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order. `sku` is what the variant was called when it was ordered."""

    id: int
    product: int
    variant: int
    sku: str
    quantity: int = 1
    price: Decimal = Decimal("9.90")
    size: str | None = "M"


@dataclass(frozen=True, slots=True)
class Order:
    """An order. `email` is the address it was placed with, whoever its customer is today."""

    id: int
    customer: int
    email: str
    placed: datetime
    total: Decimal = Decimal("19.90")
    cancelled: bool = False
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of a product. `brand` may be empty."""

    id: int
    sku: str
    name: str = "Plain"
    price: Decimal = Decimal("12.50")
    brand: str | None = "Acme"
    available: bool = True


@dataclass(frozen=True, slots=True)
class Product:
    """A product. An empty `name` makes it one that the vendor's rules forbid."""

    id: int
    name: str | None
    variants: tuple[Variant, ...]


@dataclass
class Shop:
    """Customers, orders and products by id.

    `destroyed` are (table, id) that the source reports as deleted with the next load; what is
    merely missing vanishes without a word. `reloaded` are (table, id) that the next load brings
    again although nothing about them changed.
    """

    customers: dict[int, Customer] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    products: dict[int, Product] = field(default_factory=dict)
    destroyed: set[tuple[str, int]] = field(default_factory=set)
    reloaded: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._ids = count(1)

    @classmethod
    def sample(cls, *, customers: int = 3, products: int = 3, orders: int = 6) -> Shop:
        """Return a shop in which every order has two lines and every product two variants."""
        shop = cls()
        for _ in range(customers):
            shop.add_customer()
        for _ in range(products):
            shop.add_product(variants=2)
        for number in range(orders):
            customer = list(shop.customers)[number % customers]
            order = shop.add_order(customer)
            for step in range(2):
                product = list(shop.products)[(number + step) % products]
                shop.add_line(order.id, shop.products[product].variants[0])
        return shop

    # -- customers

    def add_customer(self, **fields: object) -> Customer:
        number = next(self._ids)
        values = {"email": f"person{number}@example.com", **fields}
        self.customers[number] = Customer(number, **values)  # type: ignore[arg-type]
        return self.customers[number]

    def change_customer(self, number: int, **fields: object) -> None:
        self.customers[number] = replace(self.customers[number], **fields)  # type: ignore[arg-type]

    def erase_customer(self, number: int) -> None:
        """Destroy a customer; the orders stay and keep the address they were placed with."""
        del self.customers[number]
        self.destroyed.add(("customers", number))

    def merge_customers(self, loser: int, survivor: int, *, take_email: bool = False) -> None:
        """Give the loser's orders, and perhaps the address, to the survivor."""
        email = self.customers[loser].email
        for order in list(self.orders.values()):
            if order.customer == loser:
                self.orders[order.id] = replace(order, customer=survivor)
        self.erase_customer(loser)
        if take_email:
            self.change_customer(survivor, email=email)

    # -- orders

    def add_order(self, customer: int, **fields: object) -> Order:
        number = next(self._ids)
        placed = _FIRST_ORDER + timedelta(hours=number)
        order = Order(number, customer, self.customers[customer].email, placed, **fields)  # type: ignore[arg-type]
        self.orders[number] = order
        return order

    def change_order(self, number: int, **fields: object) -> None:
        self.orders[number] = replace(self.orders[number], **fields)  # type: ignore[arg-type]

    def delete_order(self, number: int) -> None:
        """Destroy an order; the source says so."""
        del self.orders[number]
        self.destroyed.add(("orders", number))

    def lose_order(self, number: int) -> None:
        """Let an order vanish without a trace: purged, filtered, or out of reach."""
        del self.orders[number]

    def add_line(self, order: int, variant: Variant, **fields: object) -> Line:
        product = next(p for p in self.products.values() if variant in p.variants)
        line = Line(next(self._ids), product.id, variant.id, variant.sku, **fields)  # type: ignore[arg-type]
        self.change_order(order, lines=(*self.orders[order].lines, line))
        return line

    def change_line(self, order: int, number: int, **fields: object) -> None:
        lines = self.orders[order].lines
        changed = tuple(replace(x, **fields) if x.id == number else x for x in lines)  # type: ignore[arg-type]
        self.change_order(order, lines=changed)

    def remove_line(self, order: int, number: int) -> None:
        kept = tuple(line for line in self.orders[order].lines if line.id != number)
        self.change_order(order, lines=kept)

    def move_line(self, order: int, number: int, target: int) -> None:
        line = next(line for line in self.orders[order].lines if line.id == number)
        self.remove_line(order, number)
        self.change_order(target, lines=(*self.orders[target].lines, line))

    # -- products

    def add_product(self, *, variants: int = 1) -> Product:
        number = next(self._ids)
        self.products[number] = Product(number, f"Product {number}", ())
        for _ in range(variants):
            self.add_variant(number)
        return self.products[number]

    def change_product(self, number: int, **fields: object) -> None:
        self.products[number] = replace(self.products[number], **fields)  # type: ignore[arg-type]

    def remove_product(self, number: int) -> Product:
        return self.products.pop(number)

    def return_product(self, product: Product) -> None:
        self.products[product.id] = product

    def add_variant(self, product: int) -> Variant:
        number = next(self._ids)
        variant = Variant(number, f"SKU-{number}")
        old = self.products[product].variants
        self.change_product(product, variants=(*old, variant))
        return variant

    def change_variant(self, product: int, number: int, **fields: object) -> None:
        variants = self.products[product].variants
        changed = tuple(replace(x, **fields) if x.id == number else x for x in variants)  # type: ignore[arg-type]
        self.change_product(product, variants=changed)

    def remove_variant(self, product: int, number: int) -> Variant:
        variants = self.products[product].variants
        gone = next(variant for variant in variants if variant.id == number)
        kept = tuple(variant for variant in variants if variant.id != number)
        self.change_product(product, variants=kept)
        return gone

    def return_variant(self, product: int, variant: Variant) -> None:
        self.change_product(product, variants=(*self.products[product].variants, variant))
