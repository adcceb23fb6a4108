"""How much work a run is: 1,000,000 staged orders with 3,000,000 lines and 300,000 customers, whole
and after small changes.

    python tests/benchmarks/engine.py [--orders 1000000]

Prints a table of seconds, the ratio of an incremental run to the full one, and the peak resident
memory of each step, measured in processes of their own. `1,000 customers` is a package that touches
another table: what it costs the orders, then both entities.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import PushOptions, Staged, push
from replenit_destination.engine.target import Answer, Request
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

LINES_PER_ORDER = 3
TENANT_ID = "5a11d0b0-0000-4000-8000-000000000001"

MAPPING = {
    "orders": {
        "table": "orders",
        "fields": {
            "OrderId": "id",
            "CustomerId": "customer_id",
            "Email": "email",
            "OrderDate": "created_at",
            "TotalRevenue": "total",
            "Currency": "currency",
            "IsOrderCancelled": "cancelled_at IS NOT NULL",
        },
        "items": {
            "table": "orders__line_items",
            "id": "id",
            "fields": {
                "ProductId": "product_id",
                "Sku": "sku",
                "Quantity": "quantity",
                "Price": "price",
                "Brand": "vendor",
            },
        },
    }
}
CUSTOMERS = {
    "customers": {
        "table": "customers",
        "fields": {"CustomerId": "id", "Email": "email", "Name": "name", "GdprOptin": "consent"},
    }
}
PEOPLE = 300_000


def stage(path: Path, orders: int) -> None:
    """Write the staged tables as dlt would: ids of its own, one load."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute(
            "CREATE TABLE shop.customers AS SELECT i AS id,"
            " 'person' || i || '@example.com' AS email,"
            " 'Name ' || i % 5000 AS name, true AS consent,"
            " md5('c' || i)[:14] AS _dlt_id, 'load-1' AS _dlt_load_id"
            f" FROM range({min(PEOPLE, orders)}) t(i)"
        )
        connection.execute(
            "CREATE TABLE shop.orders AS SELECT i AS id, i % 300000 AS customer_id,"
            " 'person' || i % 300000 || '@example.com' AS email,"
            " TIMESTAMPTZ '2023-01-01' + INTERVAL (i) SECOND AS created_at,"
            " CAST(i % 1000 AS DECIMAL(38, 9)) / 4 AS total, 'EUR' AS currency,"
            " CAST(NULL AS TIMESTAMPTZ) AS cancelled_at,"
            " md5(i::VARCHAR)[:14] AS _dlt_id, 'load-1' AS _dlt_load_id"
            f" FROM range({orders}) t(i)"
        )
        connection.execute(
            "CREATE TABLE shop.orders__line_items AS SELECT j AS id, j % 5000 AS product_id,"
            " 'SKU-' || j % 5000 AS sku, 1 + j % 3 AS quantity,"
            " CAST(j % 9000 AS DECIMAL(18, 4)) / 100 AS price, 'Brand ' || j % 40 AS vendor,"
            f" md5((j // {LINES_PER_ORDER})::VARCHAR)[:14] AS _dlt_parent_id,"
            f" j % {LINES_PER_ORDER} AS _dlt_list_idx, 'c' || j AS _dlt_id"
            f" FROM range({orders * LINES_PER_ORDER}) t(j)"
        )


def change(path: Path, count: int, orders: int) -> None:
    """Merge `count` changed orders the way dlt does: delete, insert, a new load id."""
    with duckdb.connect(str(path)) as connection:
        step = max(1, orders // count)
        connection.execute(
            "CREATE TEMP TABLE changed AS SELECT * FROM shop.orders"
            f" WHERE id % {step} = 0 LIMIT {count}"
        )
        connection.execute("DELETE FROM shop.orders WHERE id IN (SELECT id FROM changed)")
        connection.execute(
            "INSERT INTO shop.orders SELECT * REPLACE (total + 1 AS total,"
            " 'load-' || epoch_us(now()) AS _dlt_load_id) FROM changed"
        )


def change_customers(path: Path, count: int) -> None:
    """Change the names of some customers; no order shows a name."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE shop.customers SET name = name || '!',"
            f" _dlt_load_id = 'load-' || epoch_us(now()) WHERE id < {count}"
        )


def accept_everything(request: Request) -> Answer:
    """Answer like a server that only counts."""
    field = b'"OrderId"' if request.path.startswith("/orders") else b'"CustomerId"'
    count = request.body.count(field)
    body = json.dumps({"success": True, "message": "", "data": {"count": count}}).encode()
    return Answer(200, {}, body)


def run(
    path: Path,
    *,
    max_requests: int | None = None,
    full: bool = False,
    entities: list[str] | None = None,
) -> dict[str, float]:
    """Push once; return the seconds of each step and the requests."""
    settings = ReplenitSettings(
        api_key="key",
        tenant_id=TENANT_ID,
        base_url="http://127.0.0.1:1",
        customer_identifier_priority="email",
    )
    target = ReplenitTarget(settings)
    began = time.monotonic()
    report = push(
        Staged(path, "shop"),
        target,
        Mapping.load({**MAPPING, **CUSTOMERS}).entities(target.entities),
        transport=accept_everything,
        ledger=path.with_suffix(".ledger.duckdb"),
        clock=SystemClock(),
        random=random.Random(1),
        options=PushOptions(max_requests=max_requests, full=full, entities=entities),
        quota=UnlimitedQuota(),
    )
    return {
        **report.seconds,
        "total": time.monotonic() - began,
        "requests": report.requests,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(path: Path, **options: object) -> dict[str, float]:
    """Run in a process of its own, so that its peak memory is its own."""
    given = json.dumps({"path": str(path), **options})
    done = subprocess.run(
        [sys.executable, __file__, "--child", given], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        given = json.loads(arguments.child)
        print(json.dumps(run(Path(given.pop("path")), **given)))
        return
    orders = arguments.orders
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "staged.duckdb"
        stage(path, orders)
        rows = {"whole diff, nothing sent": measure(path, max_requests=0)}
        path.with_suffix(".ledger.duckdb").unlink()
        rows["whole push, no limits"] = measure(path)
        rows["nothing new"] = measure(path)
        for count in (1, 1000, 10_000):
            change(path, count, orders)
            rows[f"{count:,} changed"] = measure(path)
        change_customers(path, 1000)
        rows["1,000 customers: orders"] = measure(path, entities=["orders"])
        rows["1,000 customers: all"] = measure(path)
        rows["compare all again"] = measure(path, full=True)
    columns = ["recover", "diff", "deliver", "record", "total", "requests", "peak MB"]
    print(f"{orders:,} orders, {orders * LINES_PER_ORDER:,} lines; seconds per step")
    print(f"{'':26}" + "".join(f"{name:>10}" for name in columns) + f"{'diff/full':>11}")
    full = rows["whole diff, nothing sent"]["diff"]
    for name, row in rows.items():
        cells = "".join(f"{row.get(column, 0):>10.2f}" for column in columns)
        print(f"{name:26}{cells}{row['diff'] / full:>11.4f}")


if __name__ == "__main__":
    main()
