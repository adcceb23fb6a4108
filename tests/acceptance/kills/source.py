"""The shop's truth, in an SQLite file that a life reads and the test edits between two lives."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

__all__ = ["MAPPING", "Source", "shop"]

TABLES = {
    "customers": "id INTEGER, email TEXT, optin INTEGER",
    "orders": "id INTEGER, customer_id INTEGER, placed_at TEXT, total REAL",
    "lines": "id INTEGER, order_id INTEGER, product_id INTEGER, sku TEXT, quantity INTEGER,"
    " price REAL",
    "products": "id INTEGER, title TEXT, variants TEXT",
}
LINES_PER_ORDER = 3
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

MAPPING: dict[str, Any] = {
    "customers": {
        "table": "customers",
        "fields": {"CustomerId": "id", "Email": "email", "GdprOptin": "optin = 1"},
    },
    "products": {
        "table": "products",
        "fields": {"ProductId": "id", "ProductName": "title"},
        "variants": {
            "column": "variants",
            "fields": {
                "VariantId": "id",
                "Sku": "sku",
                "Name": "name",
                "OriginalPrice": "price",
                "Currency": "'EUR'",
                "IsAvailable": "true",
            },
        },
    },
    "orders": {
        "table": "orders",
        "lookups": {"customer": {"table": "customers", "on": {"id": "customer_id"}}},
        "fields": {
            "OrderId": "id",
            "CustomerId": "customer_id",
            "Email": "customer.email",
            "OrderDate": "placed_at",
            "TotalRevenue": "total",
            "Currency": "'EUR'",
            "IsOrderCancelled": "false",
        },
        "items": {
            "table": "lines",
            "on": {"order_id": "id"},
            "order": "id",
            "id": "id",
            "fields": {
                "ProductId": "product_id",
                "Sku": "sku",
                "Quantity": "quantity",
                "Price": "price",
            },
        },
    },
}


@dataclass(frozen=True)
class Source:
    """The shop as it is; every change carries a new version, by which a load finds it."""

    path: Path

    @classmethod
    def made(cls, path: Path, *, customers: int, orders: int, products: int) -> Source:
        """Write a new shop; each order has three lines."""
        source = cls(path)
        with closing(sqlite3.connect(path)) as sql, sql:
            for table, columns in TABLES.items():
                sql.execute(
                    f"CREATE TABLE {table} ({columns}, version INTEGER, deleted INTEGER,"
                    " PRIMARY KEY (id))"
                )
            source._put(sql, "customers", (_customer(n) for n in range(1, customers + 1)))
            source._put(sql, "products", (_product(n) for n in range(1, products + 1)))
            source._add_orders(sql, range(1, orders + 1), customers, products)
        return source

    def edit(self, random: Random, *, orders: int = 30, withdrawals: int = 2) -> None:
        """Change orders, take a line and an order away, let customers withdraw their consent."""
        with closing(sqlite3.connect(self.path)) as sql, sql:
            alive = [n for (n,) in sql.execute("SELECT id FROM orders WHERE NOT deleted")]
            *changed, shortened, destroyed = random.sample(alive, orders + 2)
            for number in changed:
                self._touch(sql, "orders", number, total=random.randrange(1, 99_999) / 100)
            line = sql.execute(
                "SELECT min(id) FROM lines WHERE order_id = ? AND NOT deleted", [shortened]
            ).fetchone()[0]
            left = sql.execute(
                "SELECT count(*) FROM lines WHERE order_id = ? AND NOT deleted", [shortened]
            ).fetchone()[0]
            if left > 1:
                self._touch(sql, "lines", line, deleted=1)
            self._touch(sql, "orders", destroyed, deleted=1)
            willing = [n for (n,) in sql.execute("SELECT id FROM customers WHERE optin = 1")]
            for number in random.sample(willing, withdrawals):
                self._touch(sql, "customers", number, optin=0)

    def withdraw(self, customer: int) -> None:
        """Let one customer withdraw the consent."""
        with closing(sqlite3.connect(self.path)) as sql, sql:
            self._touch(sql, "customers", customer, optin=0)

    def grow(self, orders: int) -> None:
        """Add orders newer than all others."""
        with closing(sqlite3.connect(self.path)) as sql, sql:
            counts = [
                sql.execute(f"SELECT max(id) FROM {table}").fetchone()[0]
                for table in ("orders", "customers", "products")
            ]
            last, customers, products = counts
            self._add_orders(sql, range(last + 1, last + orders + 1), customers, products)

    def expected(self) -> dict[str, dict[str, Any]]:
        """Return what Replenit must hold, written from the rules and not from the engine."""
        with closing(sqlite3.connect(self.path)) as sql:
            customers = {row["id"]: row for row in _rows(sql, "customers")}
            lines: dict[int, list[dict[str, Any]]] = {}
            for row in _rows(sql, "lines"):
                lines.setdefault(row["order_id"], []).append(row)
            return {
                "customers": {
                    row["email"]: {
                        "CustomerId": str(row["id"]),
                        "Email": row["email"],
                        "GdprOptin": row["optin"] == 1,
                    }
                    for row in customers.values()
                },
                "orders": {
                    str(row["id"]): _order(row, customers[row["customer_id"]], lines[row["id"]])
                    for row in _rows(sql, "orders")
                },
                "products": {str(row["id"]): _told(row) for row in _rows(sql, "products")},
            }

    @staticmethod
    def _add_orders(sql: sqlite3.Connection, numbers: range, customers: int, products: int) -> None:
        orders, lines = [], []
        for n in numbers:
            placed = FIRST + timedelta(minutes=n)
            orders.append(
                (n, n % customers + 1, placed.strftime("%Y-%m-%dT%H:%M:%SZ"), n % 500 + 0.25)
            )
            for place in range(LINES_PER_ORDER):
                product = (n * 7 + place) % products + 1
                sku = f"SKU-{product}"
                lines.append((n * LINES_PER_ORDER + place, n, product, sku, place + 1, 9.5))
        Source._put(sql, "orders", orders)
        Source._put(sql, "lines", lines)

    @staticmethod
    def _put(sql: sqlite3.Connection, table: str, rows: Any) -> None:
        marks = ", ".join("?" * (len(TABLES[table].split(","))))
        version = Source._version(sql)
        sql.executemany(f"INSERT INTO {table} VALUES ({marks}, {version}, 0)", rows)

    @staticmethod
    def _touch(sql: sqlite3.Connection, table: str, number: int, **values: Any) -> None:
        sets = ", ".join(f"{name} = ?" for name in values)
        version = Source._version(sql)
        sql.execute(
            f"UPDATE {table} SET {sets}, version = {version} WHERE id = ?",
            [*values.values(), number],
        )

    @staticmethod
    def _version(sql: sqlite3.Connection) -> int:
        last = [
            sql.execute(f"SELECT coalesce(max(version), 0) FROM {table}").fetchone()[0]
            for table in TABLES
        ]
        return int(max(last)) + 1


@dlt.source(name="shop")
def shop(path: str) -> Any:
    """Return a dlt source that tells, table by table, what changed since the last load."""
    for table in TABLES:
        yield _resource(path, table)


def _resource(path: str, table: str) -> Any:
    columns: dict[str, Any] = {"deleted": {"data_type": "bool", "hard_delete": True}}
    if table == "products":
        columns["variants"] = {"data_type": "json"}

    @dlt.resource(name=table, primary_key="id", write_disposition="merge", columns=columns)
    def rows() -> Iterator[pa.Table]:
        state = dlt.current.resource_state()
        with closing(sqlite3.connect(path)) as sql:
            cursor = sql.execute(
                f"SELECT * FROM {table} WHERE version > ?", [state.get("version", 0)]
            )
            names = [name for name, *_ in cursor.description]
            found = [dict(zip(names, row, strict=True)) for row in cursor]
        if found:
            state["version"] = max(row["version"] for row in found)
            yield pa.Table.from_pylist([{**row, "deleted": row["deleted"] == 1} for row in found])

    return rows


def _rows(sql: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    cursor = sql.execute(f"SELECT * FROM {table} WHERE NOT deleted ORDER BY id")
    names = [name for name, *_ in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _customer(number: int) -> tuple[Any, ...]:
    return number, f"person{number}@example.com", 1


def _product(number: int) -> tuple[Any, ...]:
    variant = {"id": number, "sku": f"SKU-{number}", "name": f"Pot {number}", "price": 9.5}
    return number, f"Pot {number}", json.dumps([variant])


def _told(row: dict[str, Any]) -> dict[str, Any]:
    variants = [
        {"VariantId": str(one["id"]), "Sku": one["sku"], "Name": one["name"]}
        | {"OriginalPrice": one["price"], "Currency": "EUR", "IsAvailable": True}
        for one in json.loads(row["variants"])
    ]
    return {"ProductId": str(row["id"]), "ProductName": row["title"], "ProductVariants": variants}


def _order(
    row: dict[str, Any], customer: dict[str, Any], lines: list[dict[str, Any]]
) -> dict[str, Any]:
    items = [
        {"ProductId": str(one["product_id"]), "Sku": one["sku"], "Quantity": one["quantity"]}
        | {"Price": one["price"]}
        for one in sorted(lines, key=lambda one: (str(one["product_id"]), one["sku"]))
    ]
    return {
        "OrderId": str(row["id"]),
        "CustomerId": str(row["customer_id"]),
        "Email": customer["email"],
        "OrderDate": row["placed_at"].replace("Z", ".000Z"),
        "TotalRevenue": row["total"],
        "Currency": "EUR",
        "IsOrderCancelled": False,
        "TotalQuantity": sum(one["Quantity"] for one in items),
        "UniqueQuantity": len({one["Sku"] for one in items}),
        "OrderItems": items,
    }
