"""What an order amounts to, before and after edits, returns and refunds.

An edit or a return lowers the current totals and leaves the original ones; a refund of money alone
lowers only the current total; a cancelled and refunded order ends at 0.0 (recorded answers).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox.shopify.money import bag, cents, tax_within

if TYPE_CHECKING:
    from replenit_destination.sandbox.shopify.store import Record, ShopStore

__all__ = ["Totals", "unit_price"]


class Totals:
    """The amounts of one order, in shop currency."""

    def __init__(self, shop: ShopStore, order: Record) -> None:
        self.currency = shop.currency
        self.presentment, self.rate = order["presentment"], Decimal(order["rate"])
        self.tax_rate, self.included = Decimal(order["taxRate"]), order["taxesIncluded"]
        lines = order["lines"]
        self.subtotal = sum((unit_price(ln) * ln["quantity"] for ln in lines), Decimal(0))
        self.current_subtotal = sum(
            (unit_price(ln) * ln["currentQuantity"] for ln in lines), Decimal(0)
        )
        self.listed = sum((Decimal(ln["price"]) * ln["quantity"] for ln in lines), Decimal(0))
        self.shipping = Decimal(order["shipping"])
        self.current_shipping = self.shipping - Decimal(order["shippingRefunded"])
        self.tax = self.tax_of(self.subtotal) + self.tax_of(self.shipping)
        self.current_tax = self.tax_of(self.current_subtotal) + self.tax_of(self.current_shipping)
        self.total = self.subtotal + self.shipping + self._on_top(self.tax)
        self.refunded = self._refunded(order)
        self.current_total = max(
            Decimal(0),
            self.current_subtotal
            + self.current_shipping
            + self._on_top(self.current_tax)
            - Decimal(order["adjustment"]),
        )
        if order["voided"]:
            self.current_total = Decimal(0)

    def tax_of(self, amount: Decimal) -> Decimal:
        """Return the tax in, or on top of, an amount."""
        return tax_within(amount, self.tax_rate, included=self.included)

    def _on_top(self, tax: Decimal) -> Decimal:
        return Decimal(0) if self.included else tax

    def refund_amount(self, order: Record, refund: Record) -> Decimal:
        """Return what one refund paid back."""
        prices = {line["id"]: unit_price(line) for line in order["lines"]}
        goods = sum((prices[ln["lineId"]] * ln["quantity"] for ln in refund["lines"]), Decimal(0))
        goods += Decimal(refund["shipping"])
        return goods + self._on_top(self.tax_of(goods)) + Decimal(refund["money"])

    def _refunded(self, order: Record) -> Decimal:
        return sum((self.refund_amount(order, r) for r in order["refunds"]), Decimal(0))

    def bag(self, amount: Decimal) -> dict[str, Any]:
        """Return a `MoneyBag` of an amount in shop currency."""
        return bag(amount, self.currency, self.presentment, self.rate)


def unit_price(line: Record) -> Decimal:
    """Return the price of one unit after the line's discount."""
    return cents(Decimal(line["price"]) * (1 - Decimal(line["discount"])))
