"""Amounts as Shopify writes them: decimal strings, in the shop's and in the buyer's currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = ["bag", "cents", "decimal_text", "tax_within"]

ZERO_DECIMAL_CURRENCIES = frozenset({"JPY", "KRW", "CLP", "ISK"})


def cents(amount: Decimal, currency: str = "EUR") -> Decimal:
    """Round to what the currency can pay."""
    unit = Decimal(1) if currency in ZERO_DECIMAL_CURRENCIES else Decimal("0.01")
    return amount.quantize(unit, rounding=ROUND_HALF_UP)


def decimal_text(amount: Decimal) -> str:
    """Write `MoneyV2.amount` as recorded: at least one decimal, no other zeros (`20.0`)."""
    text = format(amount.normalize(), "f")
    return text if "." in text else f"{text}.0"


def bag(amount: Decimal, shop_currency: str, presentment: str, rate: Decimal) -> dict[str, Any]:
    """Return a `MoneyBag`: what the shop books and what the buyer saw, `rate` apart."""
    shown = cents(amount * rate, presentment)
    return {
        "shopMoney": {
            "amount": decimal_text(cents(amount, shop_currency)),
            "currencyCode": shop_currency,
        },
        "presentmentMoney": {"amount": decimal_text(shown), "currencyCode": presentment},
    }


def tax_within(amount: Decimal, rate: Decimal, *, included: bool) -> Decimal:
    """Return the tax that belongs to `amount`, which holds it already when `included`."""
    return cents(amount * rate / (1 + rate) if included else amount * rate)
