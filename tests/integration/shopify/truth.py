"""What Replenit should hold, read from the double's records by hand.

Nothing here uses the source, the mapping or the engine. The documents of before are remembered,
because what is gone stays behind as unavailable.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replenit_destination.sandbox.shopify import Shop

__all__ = ["Truth"]

Record = dict[str, Any]
CENT = Decimal("0.01")
SIZES = {"Größe", "Size", "Taille", "Beden", "Talla", "Grösse"}
COLOURS = {"Farbe"}


class Truth:
    """The documents that should be there after each look at the shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.products: dict[str, Record] = {}
        self.options: dict[int, list[str]] = {}

    def look(self) -> dict[str, dict[str, Any]]:
        """Return every document that should be there now."""
        self.options |= {key: row["options"] for key, row in self.shop.products.items()}
        self._catalogue()
        return {
            "customers": self._customers(),
            "orders": self._orders(),
            "products": {key: sorted(self.products[key].items()) for key in self.products},
        }

    def _customers(self) -> dict[str, Record]:
        found = {}
        for number, row in self.shop.customers.items():
            if not row["email"]:
                continue
            email = row["emailState"] == "SUBSCRIBED"
            sms = bool(row["phone"]) and row["smsState"] == "SUBSCRIBED"
            found[row["email"].lower()] = {
                "CustomerId": str(number),
                "Name": row["firstName"],
                "Phone": row["phone"],
                "Language": row["locale"].split("-")[0],
                "EmailOptin": email,
                "SmsOptin": sms,
                "GdprOptin": email or sms,
            }
        return found

    def _orders(self) -> dict[str, Record]:
        found = {}
        for number, row in self.shop.orders.items():
            customer = self.shop.customers.get(row["customerId"] or 0)
            email = (customer["email"] if customer else None) or row["email"]
            lines = self._lines(row)
            if row["test"] or not email or not lines:
                continue
            cancelled = _cancelled(row)
            found[str(number)] = {
                "Email": email.lower(),
                "CustomerId": str(row["customerId"]) if customer else None,
                "IsOrderCancelled": cancelled,
                "TotalRevenue": _goods(row, cancelled=cancelled),
                "Currency": self.shop.currency,
                "OrderDate": row["processedAt"][:19],
                "OrderItems": lines,
            }
        return found

    def _lines(self, row: Record) -> list[tuple[Any, ...]]:
        count = "quantity" if _cancelled(row) else "currentQuantity"
        found = []
        for line in row["lines"]:
            names = self.options.get(line["productId"] or 0)
            if not line[count] or not (line["sku"] or names):
                continue
            values = (line["variantTitle"] or "").split(" / ")
            named = dict(zip(names, values, strict=True)) if names and line["variantTitle"] else {}
            size = next((value for name, value in named.items() if name in SIZES), None)
            colour = next((value for name, value in named.items() if name in COLOURS), None)
            product = str(line["productId"]) if names else None
            price = _price(line) if row["taxesIncluded"] else None
            gift = bool(line["attributes"])
            found.append((line["sku"], product, line[count], size, colour, price, gift))
        return sorted(found, key=str)

    def _catalogue(self) -> None:
        """Renew what is listed; what is listed no more becomes unavailable."""
        for variants in self.products.values():
            for variant in variants.values():
                variant["IsAvailable"] = False
        for number, row in self.shop.products.items():
            variants = self.products.setdefault(str(number), {})
            for variant in row["variants"]:
                in_stock = not variant["tracked"] or variant["stock"] > 0
                variants[str(variant["id"])] = {
                    "Sku": variant["sku"],
                    "SalePrice": Decimal(variant["price"]),
                    "Stock": variant["stock"] if variant["tracked"] else None,
                    "IsAvailable": in_stock and row["status"] == "ACTIVE",
                }


def seen(state: dict[str, dict[str, Record]], shop: Shop) -> dict[str, dict[str, Any]]:
    """Return what the Replenit sandbox holds, in the shape of the truth."""
    customers = {
        key: {
            name: row.get(name)
            for name in (
                *("CustomerId", "Name", "Phone", "Language"),
                *("EmailOptin", "SmsOptin", "GdprOptin"),
            )
        }
        for key, row in state["customers"].items()
    }
    orders = {}
    for key, row in state["orders"].items():
        included = shop.orders[int(key)]["taxesIncluded"] if int(key) in shop.orders else True
        orders[key] = {
            name: row.get(name) for name in ("Email", "CustomerId", "IsOrderCancelled", "Currency")
        } | {
            "TotalRevenue": _amount(row["TotalRevenue"]),
            "OrderDate": row["OrderDate"][:19],
            "OrderItems": sorted(
                (
                    (
                        *(line.get("Sku"), line.get("ProductId"), line["Quantity"]),
                        *(line.get("Size"), line.get("Color")),
                        _amount(line["Price"]) if included else None,
                        line["IsGift"],
                    )
                    for line in row["OrderItems"]
                ),
                key=str,
            ),
        }
    products = {
        key: sorted(
            (
                variant["VariantId"],
                {
                    "Sku": variant.get("Sku"),
                    "SalePrice": _amount(variant["SalePrice"]),
                    "Stock": variant.get("Stock"),
                    "IsAvailable": variant["IsAvailable"],
                },
            )
            for variant in row["ProductVariants"]
        )
        for key, row in state["products"].items()
    }
    return {"customers": customers, "orders": orders, "products": products}


def differences(
    expected: dict[str, dict[str, Any]], found: dict[str, dict[str, Any]]
) -> list[tuple[str, str, Any, Any]]:
    """Return entity, key, what should be and what is, for every document that is not right."""
    return [
        (entity, key, documents.get(key), found[entity].get(key))
        for entity, documents in expected.items()
        for key in sorted({*documents, *found[entity]})
        if documents.get(key) != found[entity].get(key)
    ]


def _cancelled(row: Record) -> bool:
    return bool(row["cancelledAt"]) or not any(line["currentQuantity"] for line in row["lines"])


def _price(line: Record) -> Decimal:
    amount = Decimal(line["price"]) * (1 - Decimal(line["discount"]))
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def _goods(row: Record, *, cancelled: bool) -> Decimal:
    count = "quantity" if cancelled else "currentQuantity"
    goods = sum((_price(line) * line[count] for line in row["lines"]), Decimal(0))
    if not row["taxesIncluded"]:
        goods += (goods * Decimal(row["taxRate"])).quantize(CENT, rounding=ROUND_HALF_UP)
    if not cancelled:
        goods -= Decimal(row["adjustment"])
    return max(goods, Decimal(0))


def _amount(value: Any) -> Decimal:
    return Decimal(str(value))
