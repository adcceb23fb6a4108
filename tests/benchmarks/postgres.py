"""Postgres with 500,000 order lines: our source against dlt's defaults, then an increment.

dlt's defaults are `sql_database` with its backend of Python rows, and the files it makes for DuckDB
when nothing is said, insert statements. The second side has the same backend and Parquet files,
which our destination prefers: it shows what the backend alone costs.

Each run is a process of its own: extract, stage and diff; the delivery goes to a double in the same
process and is not counted, since both sides send the same. The server is started here. Prints a
table; exits with 1 when ours is less than ten times as fast, or when the increment after 100
changed rows scans a large table.

    python tests/benchmarks/postgres.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "pipelines")]

LINES = 500_000
LIMIT = 10
SAMPLE = ROOT / "pipelines" / "postgres" / "sample.sql"
SIDES = {
    "defaults": "dlt's defaults",
    "rows": "the same, by Parquet files",
    "ours": "this source",
}
LARGE = {"customers", "orders", "order_items"}  # the planner reads tables of a page at once
TABLES = ("customers", "products", "product_variants", "orders", "order_items")
GROW = """
INSERT INTO customers (id, email, first_name, last_name, email_opt_in, password_hash, updated_at)
SELECT i, 'person' || i || '@example.com', 'Ada', 'Berg', i % 2 = 0, md5(i::text),
  timestamptz '2026-01-05Z' + i * interval '1 minute'
FROM generate_series(2001, {lines} / 10) AS i;
INSERT INTO orders (id, customer_id, total, created_at, updated_at)
SELECT i, 2001 + i % ({lines} / 10 - 2001), 20.00,
  timestamptz '2025-01-05Z' + i * interval '1 minute',
  timestamptz '2025-01-05Z' + i * interval '1 minute'
FROM generate_series(20001, 20000 + {lines} * 2 / 5) AS i;
INSERT INTO order_items (order_id, variant_id, quantity, unit_price, updated_at)
SELECT 20001 + i * 2 / 5, (1 + i % 8) * 10 + 1 + i % 3, 1 + i % 3, 4.50 + i % 20,
  timestamptz '2025-01-05Z' + i * interval '24 seconds'
FROM generate_series(0, {lines} - 1) AS i;
ANALYZE;
"""
CHANGE = """
UPDATE order_items SET quantity = quantity + 1 WHERE id % 5000 = 1 AND id <= 500000;
"""


def run(side: str, address: str) -> None:
    """Extract, stage and diff once in the working directory, and say how long each took."""
    import dlt
    from postgres import postgres
    from postgres.needed import needed_by
    from postgres.sample import REMOVALS

    from replenit_destination import push, replenit
    from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
    from replenit_destination.targets.replenit.target import ReplenitTarget
    from tests.doubles.sandboxed import ServiceTransport

    mapping = {
        "preset": "relational",
        "customers": {"fields": {"GdprOptin": {"rule": "email_optin"}}},
    }
    pipeline = dlt.pipeline(
        "benchmark",
        destination=replenit(
            mapping=mapping,
            api_key=API_KEY,
            tenant_id=TENANT_ID,
            base_url="http://127.0.0.1:1",
            customer_identifier_priority="email",
            requests_per_minute=1_000_000,
            requests_per_hour=1_000_000,
            transport=ServiceTransport(ReplenitService(limits=None), API_KEY),
            deliver="manual",
        ),
        dataset_name="shop",
        pipelines_dir="pipelines",
    )
    started = time.perf_counter()
    if side != "ours":
        from dlt.sources.sql_database import sql_database

        bare = address.replace("postgresql:", "postgresql+psycopg:")
        source: Any = sql_database(bare, schema="public", table_names=list(TABLES))
        for resource in source.resources.values():
            resource.apply_hints(write_disposition="merge")
    else:
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        config: Any = pipeline.destination_client().config
        target = ReplenitTarget(config.target_settings())
        needed = needed_by(config.delivery_mapping(), target, address)
        source = postgres(address, tables=needed, removals=REMOVALS)
    pipeline.extract(
        source, loader_file_format="insert_values" if side == "defaults" else "parquet"
    )
    extracted = time.perf_counter()
    pipeline.normalize()
    pipeline.load()
    staged = time.perf_counter()
    report = push(pipeline)
    sent = sum(one.created + one.updated for one in report.entities.values())
    print(extracted - started, staged - extracted, report.seconds["diff"], sent)


def measure(side: str, address: str, folder: Path) -> tuple[list[float], int]:
    """Run one side in a process of its own; return its seconds per step, and the documents."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--run", side, address],
        cwd=folder,
        env={**os.environ, "DLT_DATA_DIR": str(folder), "RUNTIME__DLTHUB_TELEMETRY": "false"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    *seconds, documents = done.stdout.strip().splitlines()[-1].split()
    return [float(one) for one in seconds], int(documents)


def scans(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return table → how often it was read from its beginning to its end."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    rows = connection.execute("SELECT relname, seq_scan FROM pg_stat_user_tables").fetchall()
    return {str(name): int(count) for name, count in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--run", nargs=2, metavar=("SIDE", "ADDRESS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(*given.run)
        return 0
    from postgres.server import PostgresServer

    say = sys.stdout.write
    server = PostgresServer()
    with tempfile.TemporaryDirectory() as place, server:
        here = Path(place)
        connection = psycopg.connect(server.url(), autocommit=True)
        connection.execute(SAMPLE.read_text(encoding="utf-8").encode())
        connection.execute(GROW.format(lines=given.lines).encode())
        say(f"{given.lines:,} order lines\n{'':28} extract   stage    diff     all\n")
        totals = {}
        for side, label in SIDES.items():
            seconds, sent = measure(side, server.url(), here / side)
            totals[side] = sum(seconds)
            say(f"{label:28} {row([*seconds, sum(seconds)])}   {sent:,} sent\n")
        changed = connection.execute(CHANGE.encode()).rowcount
        before = scans(connection)
        seconds, sent = measure("ours", server.url(), here / "ours")
        after = scans(connection)
        scanned = {name for name in LARGE if after[name] > before[name]}
        label = f"after {changed} changed rows"
        say(f"{label:28} {row([*seconds, sum(seconds)])}   {sent:,} sent\n")
        connection.close()
    server.remove()
    ratio = totals["defaults"] / totals["ours"]
    say(f"{ratio:.1f} times as fast as the defaults (at least {LIMIT})\n")
    say(f"the increment scanned {', '.join(sorted(scanned)) or 'no large table'}\n")
    return 0 if ratio >= LIMIT and not scanned else 1


def row(seconds: list[float]) -> str:
    return " ".join(f"{one:>6.2f}s" for one in seconds)


if __name__ == "__main__":
    sys.exit(main())
