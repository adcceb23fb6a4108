"""Complete, harmless records for a test tenant: nobody consents, nobody can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["customer", "order", "product"]

_NO_CONSENT = {"EmailOptin": False, "SmsOptin": False, "GdprOptin": False, "IsExcluded": True}


def customer(
    key: str, *, email: bool = True, customer_id: bool = True, name: str | None = "Probe"
) -> dict[str, Any]:
    """Return a customer; `_key`, which is not sent, names it whatever identifiers it has."""
    made: dict[str, Any] = {"_key": key, "Surname": "Test", "Language": "en", **_NO_CONSENT}
    if customer_id:
        made["CustomerId"] = key
    if email:
        made["Email"] = f"{key}@example.com"
    if name:
        made["Name"] = name
    return made


def order(key: str, customer_key: str, lines: Sequence[int] = (1,)) -> dict[str, Any]:
    """Return an order whose lines have their number as product and SKU."""
    return {
        "OrderId": key,
        "CustomerId": customer_key,
        "Email": f"{customer_key}@example.com",
        "OrderDate": "2024-01-01T12:00:00.000Z",
        "TotalRevenue": len(lines),
        "Currency": "EUR",
        "TotalQuantity": len(lines),
        "UniqueQuantity": len(lines),
        "IsOrderCancelled": True,
        "OrderItems": [
            {"ProductId": str(n), "Sku": str(n), "Quantity": 1, "Price": 1} for n in lines
        ],
    }


def product(key: str, variants: Sequence[int]) -> dict[str, Any]:
    """Return a product that cannot be bought, with variants named by their numbers."""
    return {
        "ProductId": key,
        "ProductName": "Probe",
        "ProductVariants": [
            {
                "VariantId": str(n),
                "Sku": f"{key}-{n}",
                "Name": "Probe",
                "OriginalPrice": 1,
                "Currency": "EUR",
                "IsAvailable": False,
            }
            for n in variants
        ],
    }
