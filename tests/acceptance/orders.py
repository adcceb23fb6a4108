"""Staged orders of one line each and runs over them: what many documents need to be tested."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import PushOptions, Staged, push
from replenit_destination.sandbox.faults import Poison
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.pace import quicken
from tests.doubles.clock import FakeClock
from tests.doubles.sandboxed import ServiceTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replenit_destination.engine.report import Report
    from replenit_destination.engine.target import Answer, Request

__all__ = ["MAPPING", "WORDS", "Orders"]

WORDS = "The value is not acceptable."
MAPPING: dict[str, Any] = {
    "orders": {
        "table": "orders",
        "fields": {
            "OrderId": "id",
            "CustomerId": "customer",
            "Email": "email",
            "OrderDate": "placed_at",
            "TotalRevenue": "total",
            "Currency": "'EUR'",
        },
        "items": {
            "table": "lines",
            "on": {"order_id": "id"},
            "fields": {
                "ProductId": "product",
                "Sku": "sku",
                "Quantity": "quantity",
                "Price": "total",
            },
        },
    }
}


class Orders:
    """Orders in two tables, a ledger, and the sandbox without sockets.

    Args:
        folder: Where the ledger lives.
        orders: How many.
        per_request: The setting `orders_per_request`.
        database: Where the tables are.
        switches: Of the sandbox.
        error_style: One of them.
        settings: More of the target's settings.
    """

    def __init__(
        self,
        folder: Path,
        orders: int,
        *,
        per_request: int = 200,
        database: Path | str = ":memory:",
        switches: dict[str, Any] | None = None,
        error_style: str = "problem",
        **settings: Any,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.ledger = folder / "orders.ledger.duckdb"
        self.settings = {"orders_per_request": per_request, **settings}
        self.service = ReplenitService(
            limits=None, switches={"error_style": error_style, **(switches or {})}
        )
        self.transport: Callable[[Request], Answer] = ServiceTransport(self.service, API_KEY)
        self.clock = FakeClock()
        self.mapping = MAPPING
        self.orders = 0
        self._load = 0
        self.connection = duckdb.connect(str(database))
        quicken(self.connection)
        self.connection.execute(
            "CREATE SCHEMA shop; CREATE TABLE shop.orders (id VARCHAR, customer VARCHAR,"
            " email VARCHAR, total DECIMAL(9, 2), note VARCHAR, placed_at TIMESTAMPTZ,"
            " _dlt_load_id VARCHAR, _dlt_id VARCHAR);"
            "CREATE TABLE shop.lines (order_id VARCHAR, product VARCHAR, sku VARCHAR,"
            " quantity INTEGER, total DECIMAL(9, 2), _dlt_load_id VARCHAR, _dlt_id VARCHAR)"
        )
        self.add(orders)

    def add(self, orders: int) -> None:
        """Load new orders."""
        self._load += 1
        self.connection.execute(
            "INSERT INTO shop.orders SELECT 'o' || i, 'c' || i, 'p' || i || '@example.com', 9.90,"
            " NULL, TIMESTAMPTZ '2026-01-01' + to_seconds(hash(i) % 8_000_000),"
            f" 'load-{self._load}', 'r' || i"
            f" FROM range({self.orders}, {self.orders + orders}) t(i)"
        )
        self.connection.execute(
            "INSERT INTO shop.lines SELECT id, 'p1', 's1', 1, total, _dlt_load_id, 'l' || id"
            f" FROM shop.orders WHERE _dlt_load_id = 'load-{self._load}'"
        )
        self.orders += orders

    def change(self, assignments: str, where: str = "true") -> None:
        """Load orders anew with other values."""
        self._load += 1
        self.connection.execute(
            f"UPDATE shop.orders SET {assignments}, _dlt_load_id = 'load-{self._load}'"
            f" WHERE {where}"
        )

    def poison(self, culprits: int, seed: int, field: str = "Currency") -> set[str]:
        """Make random orders bad and return their keys."""
        chosen = random.Random(seed).sample(range(self.orders), culprits)
        keys = {f"o{n}" for n in chosen}
        self.service.faults.add(Poison("orders", keys=keys, field=field, message=WORDS))
        return keys

    def push(self, **options: Any) -> Report:
        """Run once."""
        target = ReplenitTarget(
            ReplenitSettings(
                api_key=API_KEY,
                tenant_id=TENANT_ID,
                base_url="http://127.0.0.1:1",
                customer_identifier_priority="email",
                **self.settings,
            )
        )
        return push(
            Staged(self.ledger, "shop", connection=self.connection),
            target,
            Mapping.load(self.mapping).entities(target.entities),
            transport=self.transport,
            ledger=self.ledger,
            clock=self.clock,
            random=random.Random(1),
            options=PushOptions(**{"workers": 0, **options}),
            quota=UnlimitedQuota(),
        )

    def source(self) -> dict[str, float]:
        """Return key → total of the staged orders."""
        rows = self.connection.execute("SELECT id, total FROM shop.orders").fetchall()
        return {key: float(total) for key, total in rows}

    def held(self) -> dict[str, float]:
        """Return key → total of the orders the vendor holds."""
        orders = self.service.state()["orders"]
        return {key: float(one["TotalRevenue"]) for key, one in orders.items()}

    def entries(self, where: str) -> list[tuple[Any, ...]]:
        """Return key, field, reason, words and request id of entries in the ledger."""
        with duckdb.connect(str(self.ledger)) as ledger:
            return ledger.execute(
                "SELECT key, field, reason, words, request_id FROM entry"
                f" WHERE {where} ORDER BY ALL"
            ).fetchall()

    @property
    def suspects(self) -> int:
        """How many orders an earlier run could not tell apart from the culprit."""
        return len(self.entries("refusal = 'suspect'"))
