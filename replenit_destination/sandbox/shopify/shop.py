"""What people do in a shop: order, edit, refund, cancel, unsubscribe, merge, delete.

Each deed changes the records the way Shopify does (recorded answers: an edit lowers
`currentQuantity` and leaves `quantity`; a cancelled and refunded order has current totals of 0.0; a
deleted product leaves its order lines without product) and bumps `updatedAt` where Shopify bumps
it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox.shopify.store import Record, ShopStore

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Basket", "Shop"]


@dataclass(frozen=True)
class Basket:
    """One line of a new order: a variant, or by its title something that is no product (a tip)."""

    product_id: int | None = None
    variant_id: int | None = None
    quantity: int = 1
    discount: str = "0.0"  # the share of the unit price that a line discount takes
    title: str = ""
    price: str = "0.0"
    attributes: Mapping[str, str] = field(default_factory=dict)


class Shop(ShopStore):
    """A shop one can trade in; every deed is thread-safe and takes its time from the clock."""

    def add_customer(
        self,
        email: str | None,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        phone: str | None = None,
        locale: str = "de",
        country: str = "DE",
        email_state: str = "NOT_SUBSCRIBED",
        sms_state: str = "NOT_SUBSCRIBED",
        tags: tuple[str, ...] = (),
    ) -> int:
        """Register a person and return the id."""
        with self.lock:
            number, now = self.new_id(), self.now()
            self.customers[number] = {
                "id": number,
                "email": email,
                "firstName": first_name,
                "lastName": last_name,
                "phone": phone,
                "locale": locale,
                "country": country,
                "emailState": email_state,
                "emailUpdatedAt": now if email else None,
                "smsState": sms_state,
                "smsUpdatedAt": now if phone else None,
                "tags": list(tags),
                "dataSaleOptOut": False,
                "createdAt": now,
                "updatedAt": now,
            }
            return number

    def add_product(
        self,
        title: str,
        *,
        variants: list[dict[str, Any]],
        options: tuple[str, ...] = ("Title",),
        vendor: str = "Sample",
        product_type: str = "",
        category: str | None = None,
        status: str = "ACTIVE",
        gift_card: bool = False,
    ) -> int:
        """List a product; a variant names its `price`, maybe `values`, `sku`, `stock`."""
        with self.lock:
            number, now = self.new_id(), self.now()
            product: Record = {
                "id": number,
                "title": title,
                "vendor": vendor,
                "productType": product_type,
                "category": category,
                "status": status,
                "isGiftCard": gift_card,
                "tags": [],
                "options": list(options),
                "variants": [],
                "publishedAt": now if status == "ACTIVE" else None,
                "createdAt": now,
                "updatedAt": now,
            }
            self.products[number] = product
            for variant in variants:
                product["variants"].append(self._variant(now, **variant))
            return number

    def _variant(
        self,
        now: str,
        *,
        price: str,
        values: tuple[str, ...] = ("Default Title",),
        sku: str | None = None,
        compare_at: str | None = None,
        stock: int = 25,
        tracked: bool = True,
        image: bool = True,
    ) -> Record:
        return {
            "id": self.new_id(),
            "sku": sku,
            "values": list(values),
            "price": price,
            "compareAtPrice": compare_at,
            "stock": stock,
            "tracked": tracked,
            "image": image,
            "createdAt": now,
            "updatedAt": now,
        }

    def place_order(
        self,
        customer_id: int | None,
        basket: list[Basket],
        *,
        email: str | None = None,
        presentment: str | None = None,
        rate: str = "1",
        tax_rate: str = "0.19",
        taxes_included: bool | None = None,
        shipping: str = "4.90",
        locale: str | None = None,
        discount_code: str | None = None,
        source: str = "web",
        test: bool = False,
        attributes: Mapping[str, str] | None = None,
        processed_at: str | None = None,
    ) -> int:
        """Place an order and return its id; a known customer's address is copied into it."""
        with self.lock:
            number, now = self.new_id(), self.now()
            customer = self.customers.get(customer_id or 0)
            included = self.taxes_included if taxes_included is None else taxes_included
            self.orders[number] = {
                "id": number,
                "name": f"#{1001 + len(self.orders)}",
                "customerId": customer_id,
                "email": email or (customer["email"] if customer else None),
                "phone": None,
                "locale": locale or (customer["locale"] if customer else None),
                "presentment": presentment or self.currency,
                "rate": rate,
                "taxesIncluded": included,
                "taxRate": tax_rate,
                "shipping": shipping,
                "shippingRefunded": "0.0",
                "adjustment": "0.0",
                "discountCode": discount_code,
                "source": source,
                "test": test,
                "attributes": dict(attributes or {}),
                "tags": [],
                "lines": [self._line(item) for item in basket],
                "refunds": [],
                "edited": False,
                "cancelledAt": None,
                "cancelReason": None,
                "voided": False,
                "createdAt": now,
                "processedAt": processed_at or now,
                "updatedAt": now,
            }
            return number

    def _line(self, item: Basket) -> Record:
        found = self.find(item.product_id, item.variant_id)
        line = {
            "id": self.new_id(),
            "currentQuantity": item.quantity,
            "refunded": 0,
            **{k: v for k, v in asdict(item).items() if k not in ("product_id", "variant_id")},
            "productId": None,
            "variantId": None,
            "sku": None,
            "variantTitle": None,
            "vendor": None,
            "isGiftCard": False,
            "attributes": dict(item.attributes),
        }
        if found:
            product, variant = found
            line |= {
                "productId": product["id"],
                "variantId": variant["id"],
                "title": product["title"],
                "price": variant["price"],
                "sku": variant["sku"],
                "variantTitle": _variant_title(variant),
                "vendor": product["vendor"],
                "isGiftCard": product["isGiftCard"],
            }
        return line

    def edit_order(self, order_id: int, *, line: int = 0, quantity: int = 0) -> None:
        """Set a line's current quantity by an order edit; a line at 0 stays in the list."""
        with self.changing(self.orders[order_id]) as order:
            order["lines"][line]["currentQuantity"] = quantity
            order["edited"] = True

    def refund(
        self,
        order_id: int,
        *,
        units: Mapping[int, int] | None = None,
        amount: str | None = None,
        shipping: bool = False,
    ) -> None:
        """Refund units (line index → how many), shipping, or with `amount` money only."""
        with self.changing(self.orders[order_id]) as order:
            paid = Decimal(amount or 0)
            returned = []
            for index, count in (units or {}).items():
                line = order["lines"][index]
                line["currentQuantity"] -= count
                line["refunded"] += count
                returned.append({"id": self.new_id(), "lineId": line["id"], "quantity": count})
            if amount:
                order["adjustment"] = str(Decimal(order["adjustment"]) + Decimal(amount))
            if shipping:
                order["shippingRefunded"] = order["shipping"]
            order["refunds"].append(
                {
                    "id": self.new_id(),
                    "createdAt": self.now(),
                    "money": str(paid),
                    "shipping": order["shipping"] if shipping else "0.0",
                    "lines": returned,
                }
            )

    def cancel_order(self, order_id: int, *, reason: str = "CUSTOMER", paid: bool = True) -> None:
        """Cancel an order; a paid one is refunded in full, an unpaid one is voided."""
        order = self.orders[order_id]
        left = {
            index: line["currentQuantity"]
            for index, line in enumerate(order["lines"])
            if line["currentQuantity"]
        }
        if paid:
            self.refund(order_id, units=left, shipping=True)
        with self.changing(order):
            if not paid:
                order["voided"] = True
                order["shippingRefunded"] = order["shipping"]
                for line in order["lines"]:
                    line["currentQuantity"] = 0
            order["cancelledAt"] = self.now()
            order["cancelReason"] = reason

    def delete_order(self, order_id: int) -> None:
        """Delete an order for good."""
        with self.lock:
            del self.orders[order_id]
            self.destroyed("order", order_id)

    def delete_product(self, product_id: int) -> None:
        """Delete a product for good; its order lines stay, without product and variant."""
        with self.lock:
            del self.products[product_id]
            self.destroyed("product", product_id)

    def remove_variant(self, product_id: int, variant_id: int) -> None:
        """Delete one variant of a product."""
        with self.changing(self.products[product_id]) as product:
            product["variants"] = [v for v in product["variants"] if v["id"] != variant_id]

    def move_variant(self, product_id: int, variant_id: int, to_product_id: int) -> None:
        """Let a variant belong to another product, as its last one."""
        found = self.find(product_id, variant_id)
        self.remove_variant(product_id, variant_id)
        with self.changing(self.products[to_product_id]) as product:
            if found:
                width = len(product["options"])
                values = [*found[1]["values"], *["-"] * width][:width]
                product["variants"].append({**found[1], "values": values, "updatedAt": self.now()})

    def set_product_status(self, product_id: int, status: str) -> None:
        """Make a product ACTIVE, ARCHIVED, DRAFT or UNLISTED."""
        with self.changing(self.products[product_id]) as product:
            product["status"] = status

    def set_variant(self, product_id: int, variant_id: int, **changes: Any) -> None:
        """Change a variant's `price`, `compareAtPrice`, `stock`, …; its product changes too."""
        with self.changing(self.products[product_id]) as product:
            variant = next(v for v in product["variants"] if v["id"] == variant_id)
            variant.update(changes, updatedAt=self.now())

    def change_email(self, customer_id: int, email: str | None) -> None:
        """Give a customer another address; older orders keep the one they were placed with."""
        with self.changing(self.customers[customer_id]) as customer:
            customer["email"] = email

    def set_consent(
        self, customer_id: int, *, email: str | None = None, sms: str | None = None
    ) -> None:
        """Set consent states, for instance `email="SUBSCRIBED"` or `sms="UNSUBSCRIBED"`."""
        with self.changing(self.customers[customer_id]) as customer:
            if email:
                customer["emailState"] = email
                customer["emailUpdatedAt"] = self.now()
            if sms:
                customer["smsState"] = sms
                customer["smsUpdatedAt"] = self.now()

    def opt_out(self, customer_id: int) -> None:
        """Withdraw both consents."""
        self.set_consent(customer_id, email="UNSUBSCRIBED", sms="UNSUBSCRIBED")

    def delete_customer(self, customer_id: int) -> None:
        """Delete a customer for good; Shopify refuses while there are orders.

        Raises:
            ValueError: The customer has orders.
        """
        with self.lock:
            if any(order["customerId"] == customer_id for order in self.orders.values()):
                msg = "Customer cannot be deleted because they have associated orders"
                raise ValueError(msg)
            del self.customers[customer_id]
            self.destroyed("customer", customer_id)

    def merge_customers(self, keep_id: int, lose_id: int) -> None:
        """Merge two customers: the second's orders move to the first, the second disappears."""
        with self.changing(self.customers[keep_id]) as keep:
            lose = self.customers.pop(lose_id)
            keep["email"] = keep["email"] or lose["email"]
            keep["phone"] = keep["phone"] or lose["phone"]
            for order in self.orders.values():
                if order["customerId"] == lose_id:
                    with self.changing(order):
                        order["customerId"] = keep_id
            self.destroyed("customer", lose_id)


def _variant_title(variant: Record) -> str | None:
    title = " / ".join(variant["values"])
    return None if title == "Default Title" else title
