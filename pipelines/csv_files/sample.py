"""A small shop as CSV files, the same every time: to see something delivered before one has files.

People are made up and live at example.com. The files are laid out as `layout.toml` says.
"""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["write_sample"]

CUSTOMERS, ORDERS = 120, 360
_FIRST = ("Ada", "Bruno", "Chloé", "Deniz", "Elif", "Fynn", "Grace", "Håkon", "Ines", "José")
_LAST = ("Almeida", "Berg", "Çelik", "Dupont", "Evans", "Fischer", "García", "NA", "Öztürk")
_KINDS = {
    "Tea": (("Green tea", "Sencha"), ("Black tea", "Assam"), ("Herbal tea", "Chamomile")),
    "Coffee": (("Beans", "House blend"), ("Beans", "Decaf"), ("Ground", "Morning roast")),
    "Care": (("Skin", "Hand cream"), ("Hair", "Shampoo"), ("Hair", "Conditioner")),
}
_SIZES = {"Tea": ("50g", "100g", "250g"), "Coffee": ("250g", "500g"), "Care": ("50ml", "200ml")}
_OPENED = date(2026, 1, 5)

Row = dict[str, Any]


def write_sample(folder: Path, *, seed: int = 0) -> bool:
    """Write the sample unless the folder is there already; tell whether it was written."""
    if folder.exists():
        return False
    folder.mkdir(mode=0o700, parents=True)
    chance = random.Random(seed)  # noqa: S311 - not security: the same shop every time
    products, variants = _catalogue(chance)
    customers = [_customer(number, chance) for number in range(1, CUSTOMERS + 1)]
    sales = [_order(number, customers, variants, chance) for number in range(1, ORDERS + 1)]
    for name, rows in {
        "customers": customers,
        "products": products,
        "product_variants": variants,
        "orders": [order for order, _ in sales],
        "order_items": [line for _, lines in sales for line in lines],
    }.items():
        _write(folder / f"{name}.csv", rows)
    return True


def _write(file: Path, rows: Sequence[Row]) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _catalogue(chance: random.Random) -> tuple[list[Row], list[Row]]:
    products: list[Row] = []
    variants: list[Row] = []
    for kind, entries in _KINDS.items():
        for branch, name in entries:
            number = f"P{len(products) + 1:02}"
            products.append(
                {
                    "product_id": number,
                    "product_name": name,
                    "taxonomy": f"{kind} > {branch}",
                    "is_offline_exclusive": "no",
                }
            )
            variants += _variants(number, name, _SIZES[kind], chance)
    return products, variants


def _variants(
    product: str, name: str, sizes: Iterable[str], chance: random.Random
) -> Iterable[Row]:
    price = Decimal(chance.randrange(350, 900)) / 100
    for place, size in enumerate(sizes, 1):
        yield {
            "product_id": product,
            "variant_id": f"{product}-{place}",
            "sku": f"{name[:3].upper()}-{size.upper()}",
            "name": f"{name}, {size}",
            "original_price": price * place,
            "sale_price": price * place - 1 if chance.random() < 0.2 else None,
            "currency": "EUR",
            "is_available": "yes" if chance.random() < 0.9 else "no",
            "stock": chance.randrange(200),
            "size": size,
            "image": f"https://example.com/images/{product}-{place}.jpg",
            "brand_name": "Example",
            "language": "en",
        }


def _customer(number: int, chance: random.Random) -> Row:
    consent = chance.random() < 0.7
    return {
        "customer_id": f"C{number:04}",
        "email": f"person{number}@example.com",
        "name": chance.choice(_FIRST),
        "surname": chance.choice(_LAST),
        "phone": f"+141555501{number:02}" if number < 100 else None,
        "language": chance.choice(("en", "de", "fr", "tr")),
        "email_optin": "yes" if consent and chance.random() < 0.8 else "no",
        "sms_optin": "yes" if consent and chance.random() < 0.2 else "no",
        "whatsapp_optin": "no",
        "app_push_optin": "no",
        "gdpr_optin": "yes" if consent else "no",
        "username": f"person{number}",
        "is_excluded": "no",
    }


def _order(
    number: int, customers: Sequence[Row], variants: Sequence[Row], chance: random.Random
) -> tuple[Row, list[Row]]:
    customer = chance.choice(customers)
    day = _OPENED + timedelta(days=number * 300 // ORDERS)
    order_id = f"2026-{number:05}"
    lines = [
        {
            "order_id": order_id,
            "line": place,
            "product_id": variant["product_id"],
            "sku": variant["sku"],
            "quantity": chance.randrange(1, 4),
            "price": variant["sale_price"] or variant["original_price"],
            "original_price": variant["original_price"],
            "size": variant["size"],
            "color": None,
            "brand": variant["brand_name"],
            "is_gift": "yes" if chance.random() < 0.05 else "no",
        }
        for place, variant in enumerate(chance.sample(variants, chance.randrange(1, 5)), 1)
    ]
    order = {
        "order_id": order_id,
        "customer_id": customer["customer_id"],
        "email": customer["email"],
        "order_date": f"{day.isoformat()}T{chance.randrange(8, 22):02}:15:00Z",
        "total_revenue": sum(line["quantity"] * line["price"] for line in lines),
        "currency": "EUR",
        "total_quantity": sum(line["quantity"] for line in lines),
        "unique_quantity": len(lines),
        "is_order_cancelled": "yes" if chance.random() < 0.03 else "no",
    }
    return order, lines
