"""The shop's records, as plain JSON values, with the clock that stamps them.

Records hold facts only (lines, prices, consents); totals and GraphQL shapes are derived from them
in `views`. Timestamps carry microseconds here and seconds in answers, as at Shopify.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Record", "ShopStore", "stamp"]

Record = dict[str, Any]
KINDS = ("customers", "orders", "products")


def stamp(moment: datetime) -> str:
    """Return the stored form of a moment: UTC, with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class ShopStore:
    """Customers, orders, products and events of one shop.

    Args:
        name: The shop's name; its domain is `<name>.myshopify.com`.
        currency: The shop's own currency; orders may show another one to the buyer.
        clock: Where edits take their time from; the system's clock unless told.
    """

    def __init__(
        self,
        *,
        name: str = "sample-shop",
        currency: str = "EUR",
        timezone: str = "Europe/Berlin",
        locale: str = "de",
        taxes_included: bool = True,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.name = name
        self.currency = currency
        self.timezone = timezone
        self.locale = locale
        self.taxes_included = taxes_included
        self.clock: Callable[[], datetime] = clock or (lambda: datetime.now(UTC))
        self.customers: dict[int, Record] = {}
        self.orders: dict[int, Record] = {}
        self.products: dict[int, Record] = {}
        self.events: list[Record] = []
        self.last_id = 7_000_000_000_000
        self.lock = threading.RLock()

    def new_id(self) -> int:
        """Return the next number; ids are unique over the whole shop and grow with time."""
        self.last_id += 32
        return self.last_id

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Let everything inside happen at one moment."""
        clock, self.clock = self.clock, lambda: moment
        try:
            yield
        finally:
            self.clock = clock

    def now(self) -> str:
        """Return the time on the shop's clock as it is stored."""
        return stamp(self.clock())

    @contextmanager
    def changing(self, record: Record) -> Iterator[Record]:
        """Change a record and bump its `updatedAt`."""
        with self.lock:
            yield record
            record["updatedAt"] = self.now()

    def find(self, product_id: int | None, variant_id: int | None) -> tuple[Record, Record] | None:
        """Return a product and its variant, None when either is gone."""
        product = self.products.get(product_id or 0)
        if product is None:
            return None
        for variant in product["variants"]:
            if variant["id"] == variant_id:
                return product, variant
        return None

    def destroyed(self, kind: str, number: int) -> None:
        """Write the event that a hard delete leaves behind; the record itself is gone."""
        self.events.append(
            {
                "id": self.new_id(),
                "action": "destroy",
                "createdAt": self.now(),
                "subjectType": kind.upper(),
                "subject": number,
            }
        )

    def save(self, path: Path) -> None:
        """Write everything to a file, in one step."""
        with self.lock:
            content = {
                "settings": {
                    "name": self.name,
                    "currency": self.currency,
                    "timezone": self.timezone,
                    "locale": self.locale,
                    "taxes_included": self.taxes_included,
                },
                "last_id": self.last_id,
                "events": self.events,
                **{kind: list(getattr(self, kind).values()) for kind in KINDS},
            }
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(content), encoding="utf-8")
            fresh.replace(path)

    def restore(self, path: Path) -> None:
        """Replace everything by what a file holds."""
        content = json.loads(path.read_text(encoding="utf-8"))
        with self.lock:
            for name, value in content["settings"].items():
                setattr(self, name, value)
            self.last_id = content["last_id"]
            self.events = content["events"]
            for kind in KINDS:
                setattr(self, kind, {record["id"]: record for record in content[kind]})
