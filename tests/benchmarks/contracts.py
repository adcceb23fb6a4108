"""Measure how long a full batch takes from assembled rows to canonical JSON.

Run by hand: `python tests/benchmarks/contracts.py`. Prints best and median of 50 rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from replenit_destination.engine.canonical import canonical
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

ROUNDS = 50


def order(number: int, lines: int = 3) -> dict[str, Any]:
    """Return one order row as the assembly renders it."""
    return {
        "OrderId": f"order-{number}",
        "CustomerId": str(70_000_000 + number),
        "Email": f"person.{number}@example.com",
        "OrderDate": "2025-08-22T21:00:00.000Z",
        "TotalRevenue": "119.700000000",
        "Currency": "EUR",
        "TotalQuantity": None,
        "UniqueQuantity": None,
        "IsOrderCancelled": False,
        "OrderItems": [
            {
                "ProductId": f"{90_000_000 + line}",
                "Sku": f"SKU-{line}-{number}",
                "Quantity": "2",
                "Price": "19.950000000",
                "OriginalPrice": "24.900000000",
                "Size": "500ml",
                "Color": None,
                "Brand": "Näturlich",
                "IsGift": False,
                "_line": f"{number}-{line}",
            }
            for line in range(lines)
        ],
    }


def customer(number: int) -> dict[str, Any]:
    """Return one customer row."""
    return {
        "CustomerId": str(70_000_000 + number),
        "Email": f"person.{number}@example.com",
        "Name": "Zoë",
        "Surname": "Müller-Lüdenscheidt",
        "Phone": "+14155550123",
        "Language": "de-DE",
        "Username": None,
        "EmailOptin": True,
        "SmsOptin": False,
        "WhatsappOptin": None,
        "AppPushOptin": None,
        "GdprOptin": True,
        "IsExcluded": False,
    }


def product(number: int, variants: int = 5) -> dict[str, Any]:
    """Return one product row."""
    return {
        "ProductId": f"{90_000_000 + number}",
        "ProductName": f"Shampoo {number}",
        "Taxonomy": ["Care", "Hair", "Shampoo"],
        "IsOfflineExclusive": False,
        "ProductVariants": [
            {
                "VariantId": f"{number}-{variant}",
                "Sku": f"SKU-{number}-{variant}",
                "Name": f"Shampoo {variant}00 ml",
                "OriginalPrice": "24.900000000",
                "Currency": "EUR",
                "IsAvailable": True,
                "Image": "https://cdn.example.com/shampoo.jpg",
                "Size": f"{variant}00ml",
                "Stock": "17",
                "SalePrice": "19.950000000",
                "Language": "de",
                "BrandName": "Näturlich",
            }
            for variant in range(variants)
        ],
    }


def measure(
    target: ReplenitTarget, entity: str, rows: list[dict[str, Any]]
) -> tuple[float, float, float, int]:
    """Return milliseconds (median of judging, best and median of both steps) and bytes."""
    judging, both, size = [], [], 0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        verdicts = [target.judge(entity, row) for row in rows]
        judged = time.perf_counter()
        bodies = [canonical(verdict.payload) for verdict in verdicts]
        ended = time.perf_counter()
        judging.append((judged - started) * 1000)
        both.append((ended - started) * 1000)
        size = sum(len(body) for body in bodies)
        if any(verdict.rejected for verdict in verdicts):
            message = f"the benchmark's {entity} are refused"
            raise SystemExit(message)
    return statistics.median(judging), min(both), statistics.median(both), size


def main() -> None:
    """Print the table."""
    target = ReplenitTarget(
        ReplenitSettings(
            api_key="benchmark",
            tenant_id="00000000-0000-0000-0000-000000000000",
            customer_identifier_priority="email",
        )
    )
    cases = (
        ("200 orders x 3 lines", "orders", [order(number) for number in range(200)]),
        ("200 orders x 3, one phone-like error each", "orders", [broken(n) for n in range(200)]),
        ("500 customers", "customers", [customer(number) for number in range(500)]),
        ("100 products x 5 variants", "products", [product(number) for number in range(100)]),
    )
    sys.stdout.write(f"{'batch':44}{'judge ms':>10}{'all ms':>10}{'best ms':>10}{'bytes':>10}\n")
    for label, entity, rows in cases:
        judged, best, median, size = measure(target, entity, rows)
        sys.stdout.write(f"{label:44}{judged:>10.2f}{median:>10.2f}{best:>10.2f}{size:>10,}\n")


def broken(number: int) -> dict[str, Any]:
    """Return an order whose optional flag is broken, so that it is repaired and validated again."""
    return {**order(number), "IsOrderCancelled": "perhaps"}


if __name__ == "__main__":
    main()
