"""Tenants: our settings, and the sandbox's answers to the same questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox import API_KEY, TENANT_ID, ReplenitService
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.doubles.sandboxed import ServiceTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SHOPS", "Shop"]

NOW = 1_760_000_000.0  # 2025-10-09


@dataclass(frozen=True)
class Shop:
    """One tenant: our settings, and the sandbox's answers to the same questions."""

    name: str
    settings: Mapping[str, Any]
    switches: Mapping[str, Any] = field(default_factory=dict)

    @property
    def priority(self) -> str:
        """The tenant's customer identifier."""
        return str(self.settings["customer_identifier_priority"])

    def target(self) -> ReplenitTarget:
        """Return the client's side."""
        settings = ReplenitSettings(api_key=API_KEY, tenant_id=TENANT_ID, **self.settings)
        return ReplenitTarget(settings, clock=lambda: NOW)

    def vendor(self, profile: str) -> ServiceTransport:
        """Return the vendor's side, as one page describes it."""
        switches = {"customer_priority": self.priority, **self.switches}
        service = ReplenitService(
            profile=profile, switches=switches, limits=None, clock=lambda: NOW
        )
        return ServiceTransport(service, API_KEY)


SHOPS = (
    Shop("by e-mail", {"customer_identifier_priority": "email"}),
    Shop(
        "by id, guests derived",
        {"customer_identifier_priority": "customerid", "guests": "derive"},
    ),
    Shop(
        "refusing",
        {
            "customer_identifier_priority": "email",
            "guests": "drop",
            "optional_invalid": "reject",
            "uncertain": "reject",
        },
    ),
    Shop(
        "mending",
        {
            "customer_identifier_priority": "email",
            "compute_total_revenue": True,
            "duplicate_lines": "keep",
            "language_fallback": True,
            "truncate": (
                "customers.Name",
                "customers.Surname",
                "customers.Username",
                "orders.items.Brand",
                "orders.items.Color",
                "products.ProductName",
                "products.variants.Name",
            ),
        },
        {"line_key": "none"},
    ),
    Shop(
        "with rules of its own",
        {
            "customer_identifier_priority": "customerid",
            "guests": "drop",
            "product_identifier_priority": "sku",
            "required_fields": ("customers.Language", "products.variants.Image"),
            "caps": {
                "customers.Surname": 300,
                "customers.Name": 50,
                "orders.items.Size": 99,
                "products.variants.Name": 300,
            },
        },
        {
            "product_priority": "sku",
            "required_fields": ("Customer.Language", "ProductVariant.Image"),
            "caps": {
                "Customer.Surname": 300,
                "Customer.Name": 50,
                "OrderItem.Size": 99,
                "ProductVariant.Name": 300,
            },
        },
    ),
)
