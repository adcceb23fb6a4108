"""A vendor without sockets and with a fake clock, and documents that every profile accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replenit_destination.sandbox import API_KEY, TENANT_ID, Clock, ReplenitService

NOON = 1_780_315_200.0  # 2026-06-01T12:00:00Z, the start of a minute and of an hour


def customer(number: int = 1, **changes: Any) -> dict[str, Any]:
    return _without_ellipsis(
        {"CustomerId": f"c{number}", "Email": f"p{number}@example.com", **changes}
    )


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    values = {"ProductId": f"p{number}", "Sku": f"s{number}", "Quantity": 1, "Price": 9.99}
    return _without_ellipsis({**values, **changes})


def order(number: int = 1, **changes: Any) -> dict[str, Any]:
    values = {
        "OrderId": f"o{number}",
        "CustomerId": "c1",
        "Email": "p1@example.com",
        "OrderDate": "2026-05-01T10:00:00.000Z",
        "TotalRevenue": 9.99,
        "Currency": "EUR",
        "OrderItems": [line()],
    }
    return _without_ellipsis({**values, **changes})


def variant(number: int = 1, **changes: Any) -> dict[str, Any]:
    values = {
        "VariantId": f"v{number}",
        "Sku": f"s{number}",
        "Name": "Soap",
        "OriginalPrice": 5,
        "Currency": "EUR",
        "IsAvailable": True,
    }
    return _without_ellipsis({**values, **changes})


def product(number: int = 1, **changes: Any) -> dict[str, Any]:
    values = {"ProductId": f"p{number}", "ProductName": "Soap", "ProductVariants": [variant()]}
    return _without_ellipsis({**values, **changes})


def _without_ellipsis(values: dict[str, Any]) -> dict[str, Any]:
    """Drop what a test sets to `...`: that is how it leaves a field out."""
    return {name: value for name, value in values.items() if value is not ...}


class Reply:
    """One answer, decoded."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.text = body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def count(self) -> int:
        return self.json["data"]["count"]

    @property
    def errors(self) -> dict[str, list[str]]:
        return self.json["errors"]


class Vendor:
    """Calls a service the way a client would, as the only holder of its first key."""

    customer = staticmethod(customer)
    order = staticmethod(order)
    line = staticmethod(line)
    product = staticmethod(product)
    variant = staticmethod(variant)

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("clock", Clock(lambda: NOON))
        settings.setdefault("limits", None)
        self.service = ReplenitService(**settings)
        self.key = next(iter(self.service.keys))
        self.tenant = self.service.tenant_ids[0]

    def call(
        self, method: str, path: str, query: Any = "", body: bytes = b"", key: str | None = None
    ) -> Reply:
        headers = {"X-Replenit-Auth-Key": self.key if key is None else key}
        return Reply(*self.service.handle(method, path, query, headers, body))

    def post(self, entity: str, *documents: Any) -> Reply:
        return self.call("POST", f"/{entity}/{self.tenant}", body=json.dumps(documents).encode())

    def delete(self, entity: str, rest: str = "", **query: str) -> Reply:
        return self.call("DELETE", f"/{entity}/{self.tenant}{rest}", list(query.items()))

    def stored(self, entity: str) -> dict[str, Any]:
        return self.service.state()[entity]


@pytest.fixture
def vendor():
    """Start a vendor with the settings of `ReplenitService`; quota off unless asked for."""
    started: list[Vendor] = []

    def start(**settings: Any) -> Vendor:
        started.append(Vendor(**settings))
        return started[-1]

    yield start
    for each in started:
        each.service.close()


@pytest.fixture
def switched(vendor):
    """Start a vendor with these switches."""
    return lambda **switches: vendor(switches=switches)


@pytest.fixture
def default_key() -> tuple[str, str]:
    return API_KEY, TENANT_ID
