"""Builders of settings, rows and batches, each complete and legal, to be bent by the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.documents import Batch, Document, Removal
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

if TYPE_CHECKING:
    from collections.abc import Callable

TENANT = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
NOW = 1_760_000_000.0  # 2025-10-09


@pytest.fixture(scope="session")
def settings() -> Callable[..., ReplenitSettings]:
    def build(**changes: Any) -> ReplenitSettings:
        given = {
            "api_key": "c2VjcmV0LWtleQ==",
            "tenant_id": TENANT,
            "customer_identifier_priority": "email",
        }
        return ReplenitSettings(**{**given, **changes})

    return build


@pytest.fixture(scope="session")
def target(settings: Callable[..., ReplenitSettings]) -> Callable[..., ReplenitTarget]:
    def build(**changes: Any) -> ReplenitTarget:
        return ReplenitTarget(settings(**changes), clock=lambda: NOW)

    return build


@pytest.fixture(scope="session")
def customer() -> Callable[..., dict[str, Any]]:
    def build(**changes: Any) -> dict[str, Any]:
        row = {"CustomerId": "c-1", "Email": "anna@example.com", "GdprOptin": True}
        return {**row, **changes}

    return build


@pytest.fixture(scope="session")
def line() -> Callable[..., dict[str, Any]]:
    def build(**changes: Any) -> dict[str, Any]:
        row = {"ProductId": "p-1", "Sku": "sku-1", "Quantity": "1", "Price": "10.00"}
        return {**row, **changes}

    return build


@pytest.fixture(scope="session")
def order(line: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def build(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
        row = {
            "OrderId": "o-1",
            "CustomerId": "c-1",
            "Email": "anna@example.com",
            "OrderDate": "2025-08-22T21:00:00.000Z",
            "TotalRevenue": "10.00",
            "Currency": "EUR",
            "OrderItems": list(lines) or [line()],
        }
        return {**row, **changes}

    return build


@pytest.fixture(scope="session")
def variant() -> Callable[..., dict[str, Any]]:
    def build(**changes: Any) -> dict[str, Any]:
        row = {
            "VariantId": "v-1",
            "Sku": "sku-1",
            "Name": "Shampoo 500 ml",
            "OriginalPrice": "12.50",
            "Currency": "EUR",
            "IsAvailable": True,
        }
        return {**row, **changes}

    return build


@pytest.fixture(scope="session")
def product(variant: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def build(*variants: dict[str, Any], **changes: Any) -> dict[str, Any]:
        row = {
            "ProductId": "p-1",
            "ProductName": "Shampoo",
            "ProductVariants": list(variants) or [variant()],
        }
        return {**row, **changes}

    return build


@pytest.fixture(scope="session")
def upserts() -> Callable[..., Batch]:
    def build(*bodies: bytes, entity: str = "customers", attempt: int = 1) -> Batch:
        bodies = bodies or (b'{"Email":"anna@example.com"}',)
        documents = tuple(
            Document(entity, f"key-{index}@example.com", body, 0, 0)
            for index, body in enumerate(bodies)
        )
        return Batch(1, entity, documents, attempt=attempt)

    return build


@pytest.fixture(scope="session")
def removal() -> Callable[..., Batch]:
    def build(entity: str, key: str, child: str = "", **identifiers: str) -> Batch:
        known = tuple(identifiers.items())
        return Batch(1, entity, (Removal(entity, key, child, identifiers=known),))

    return build
