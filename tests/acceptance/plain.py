"""A staging database of two plain tables and runs over it, for tests of a single rule."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import PushOptions, Staged, push
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.doubles.clock import FakeClock
from tests.doubles.sandboxed import ServiceTransport

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.report import Report

MAPPING: dict[str, Any] = {
    "customers": {
        "table": "customers",
        "fields": {
            "CustomerId": "id",
            "Email": "email",
            "Name": "first_name",
            "EmailOptin": "optin",
            "GdprOptin": {"rule": "email_optin"},
            "_consent_at": "consent_at",
        },
    }
}


class PlainShop:
    """Customers in a table; every change is written under a load id of its own."""

    def __init__(self, folder: Path, customers: int) -> None:
        self.connection = duckdb.connect(str(folder / "staged.duckdb"))
        self.ledger = folder / "ledger.duckdb"
        self.service = ReplenitService(limits=None)
        self.transport = ServiceTransport(self.service, API_KEY)
        self.mapping = MAPPING
        self._load = 0
        self.connection.execute("CREATE SCHEMA shop")
        self.connection.execute(
            "CREATE TABLE shop.customers AS SELECT i AS id, 'p' || i || '@example.com' AS email,"
            " 'Ada' AS first_name, true AS optin, TIMESTAMPTZ '2026-01-01' AS consent_at,"
            f" 'load-0' AS _dlt_load_id, 'r' || i AS _dlt_id FROM range({customers}) t(i)"
        )

    def change(self, assignments: str, where: str) -> None:
        """Load rows anew with other values."""
        self._load += 1
        self.connection.execute(
            f"UPDATE shop.customers SET {assignments}, _dlt_load_id = 'load-{self._load}'"
            f" WHERE {where}"
        )

    def push(self, settings: dict[str, Any] | None = None, **options: Any) -> Report:
        """Run once against the sandbox's service, without sockets."""
        target = ReplenitTarget(
            ReplenitSettings(
                api_key=API_KEY,
                tenant_id=TENANT_ID,
                base_url="http://127.0.0.1:1",
                customer_identifier_priority="email",
                **(settings or {}),
            )
        )
        return push(
            Staged(self.ledger, "shop", connection=self.connection),
            target,
            Mapping.load(self.mapping).entities(target.entities),
            transport=self.transport,
            ledger=self.ledger,
            clock=FakeClock(),
            random=random.Random(1),
            options=PushOptions(workers=0, **options),
            quota=UnlimitedQuota(),
        )

    def held(self, email: str) -> dict[str, Any]:
        """Return what the vendor holds of a person."""
        customers: dict[str, Any] = self.service.state()["customers"]
        return dict(customers[email])
