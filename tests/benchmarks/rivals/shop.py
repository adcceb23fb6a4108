"""The shop of the side-by-side suite: its orders, what becomes of them, and how they are staged.

Every program reads the same DuckDB file, which plain dlt loads have written: `shop.orders` and
`shop.orders__line_items`. A version of the shop is a load on top of an earlier version.
"""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LARGE", "LINES_PER_ORDER", "VERSIONS", "Shop", "Staging", "document"]

LINES_PER_ORDER = 3
FAT_LINES = 300
LARGE = 10
_OPENED = datetime(2024, 1, 1, tzinfo=UTC)
_TODAY = datetime(2026, 11, 20, tzinfo=UTC)

Row = dict[str, Any]
Rows = dict[int, Row]


class Shop:
    """The orders of every version of a shop."""

    def __init__(self, orders: int) -> None:
        self.orders = orders
        self._documents: dict[str, dict[str, dict[str, Any]]] = {}

    def documents(self, version: str) -> dict[str, dict[str, Any]]:
        """Return key → what the service must hold of a version; made once, not to be changed."""
        if version not in self._documents:
            rows = self.rows(version).values()
            self._documents[version] = {str(row["id"]): document(row) for row in rows}
        return self._documents[version]

    def rows(self, version: str) -> Rows:
        """Return id → order as it is in a version."""
        name, _, shard = version.partition("/")
        chosen = VERSIONS[name]
        rows = self.rows(chosen.after) if chosen.after else self._base()
        if shard:
            place, parts = (int(part) for part in shard.split("of"))
            rows = {number: row for number, row in rows.items() if number % parts == place}
        rows = copy.deepcopy(rows)
        chosen.change(rows)
        return rows

    def _base(self) -> Rows:
        return {number: _order(number) for number in range(1, self.orders + 1)}


@dataclass(frozen=True, slots=True)
class Version:
    """What a load on top of the version `after` changes; `whole` loads every row again."""

    after: str
    change: Callable[[Rows], None]
    whole: bool = False


def _order(number: int) -> Row:
    made = _OPENED + timedelta(minutes=10 * number)
    return {
        "id": number,
        "customer_id": f"c{number % 3000}",
        "email": f"person{number % 3000}@example.com",
        "created_at": made,
        "updated_at": made + timedelta(hours=1),
        "total": Decimal(number % 40000) / 100 + 5,
        "currency": "EUR",
        "cancelled_at": None,
        "deleted": False,
        "line_items": [_line(number, place) for place in range(LINES_PER_ORDER)],
    }


def _line(number: int, place: int) -> Row:
    product = (number * 7 + place) % 5000
    return {
        "product_id": f"p{product}",
        "sku": f"SKU-{product}",
        "quantity": 1 + (number + place) % 3,
        "price": Decimal((number * 13 + place * 101) % 9000) / 100 + 1,
        "brand": f"Brand {product % 40}",
    }


def _touch(row: Row, days: int = 0) -> None:
    row["updated_at"] = _TODAY + timedelta(days=days, seconds=row["id"])


def _nothing(rows: Rows) -> None:
    """Change nothing."""


def _large(rows: Rows) -> None:
    for number in range(len(rows) + 1, LARGE * len(rows) + 1):
        rows[number] = _order(number)


def _touched(rows: Rows) -> None:
    for row in rows.values():
        _touch(row)


def _changed(rows: Rows) -> None:
    for number, row in rows.items():
        if number % 100 == 0:
            row["total"] += 1
            _touch(row)


def _lines(rows: Rows) -> None:
    for number, row in rows.items():
        if number % 100 == 0:
            row["line_items"][0]["price"] += 1


def _deleted(rows: Rows) -> None:
    middle = len(rows) // 2
    del rows[middle]
    rows[middle + 1]["line_items"].pop()
    _touch(rows[middle + 1])


def _there(rows: Rows) -> None:
    rows[7]["total"] += 5
    _touch(rows[7])


def _back(rows: Rows) -> None:
    rows[7]["total"] -= 5
    _touch(rows[7], days=1)


def _fat(rows: Rows) -> None:
    step = len(rows) // 10
    for number in range(1 + step // 2, len(rows) + 1, step):
        rows[number]["line_items"] = [_line(number, place) for place in range(FAT_LINES)]


def _exotic(rows: Rows) -> None:
    for number in [number for number in rows if number > 200]:
        del rows[number]
    berlin = timedelta(hours=2)
    for number, row in rows.items():
        row["total"] = Decimal(f"{number}0123456.{number % 90 + 10}")
        row["created_at"] = row["created_at"].replace(microsecond=123000) + berlin
        row["email"] = f"o'brien+{number}@example.com"
        first, second, third = row["line_items"]
        first["brand"] = "L'Oréal “Größe” \\ \t'' 🧴👩‍👩‍👧"
        second["brand"] = None
        second["price"] = Decimal("0.1")
        third["price"] = Decimal("19.99")
        third["brand"] = "null"


VERSIONS = {
    "base": Version("", _nothing, whole=True),
    "large": Version("", _large, whole=True),
    "again": Version("base", _nothing, whole=True),
    "touched": Version("base", _touched, whole=True),
    "changed": Version("base", _changed),
    "lines": Version("base", _lines),
    "deleted": Version("base", _deleted),
    "there": Version("base", _there),
    "back": Version("there", _back),
    "fat": Version("", _fat, whole=True),
    "exotic": Version("", _exotic, whole=True),
}


def document(row: Row) -> dict[str, Any]:
    """Return the order as the service must hold it: only what is compared, in comparable types."""
    return {
        "OrderId": str(row["id"]),
        "CustomerId": row["customer_id"],
        "Email": row["email"],
        "OrderDate": row["created_at"],
        "TotalRevenue": row["total"],
        "Currency": row["currency"],
        "IsOrderCancelled": row["cancelled_at"] is not None,
        "OrderItems": sorted(
            (line["product_id"], line["sku"], line["quantity"], line["price"], line["brand"] or "")
            for line in row["line_items"]
        ),
    }


class Staging:
    """Makes staged versions once and hands out copies.

    A staged version is a folder with `staged.duckdb` and dlt's working folder `pipelines`.
    """

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop = shop
        self._folder = folder

    def hand_out(self, version: str, site: Path) -> None:
        """Put a version's files into a program's folder, in place of an earlier version's."""
        made = self.made(version)
        site.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(site / "pipelines", ignore_errors=True)
        shutil.copytree(made / "pipelines", site / "pipelines")
        shutil.copy(made / "staged.duckdb", site / "staged.duckdb")

    def made(self, version: str) -> Path:
        """Return the folder of a version, made when first asked for."""
        folder = self._folder / version.replace("/", "-")
        if folder.exists():
            return folder
        name, _, shard = version.partition("/")
        chosen = VERSIONS[name]
        after = chosen.after and chosen.after + (f"/{shard}" if shard else "")
        if after:
            shutil.copytree(self.made(after), folder)
        else:
            folder.mkdir(parents=True)
        self._load(folder, self._news(version, after, whole=chosen.whole))
        return folder

    def _news(self, version: str, after: str, *, whole: bool) -> list[Row]:
        rows = self.shop.rows(version)
        before = self.shop.rows(after) if after else {}
        gone = [{**row, "deleted": True} for number, row in before.items() if number not in rows]
        return [row for number, row in rows.items() if whole or row != before.get(number)] + gone

    @staticmethod
    def _load(folder: Path, rows: list[Row]) -> None:
        import dlt

        pipeline = dlt.pipeline(
            "staging",
            destination=dlt.destinations.duckdb(str(folder / "staged.duckdb")),
            dataset_name="shop",
            pipelines_dir=str(folder / "pipelines"),
        )
        orders = dlt.resource(
            rows,
            name="orders",
            primary_key="id",
            write_disposition="merge",
            columns={
                "deleted": {"data_type": "bool", "hard_delete": True},
                "cancelled_at": {"data_type": "timestamp"},
            },
        )
        pipeline.run(orders, loader_file_format="parquet")
