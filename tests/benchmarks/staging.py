"""Staging costs what plain dlt and DuckDB cost: 50,000 nested orders, in interleaved pairs.

Each load runs in a process of its own, ours and plain in turn with the order swapped from pair to
pair, so that a busy machine slows both. The delivery is left out (`deliver="manual"`) on our side,
since the other has none. Prints a table; exits with 1 when the median ratio is above the limit.

    python tests/benchmarks/staging.py --pairs 5
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDERS = 50_000
LIMIT = 1.10
SIDES = ("plain", "ours")


def orders(count: int) -> Iterator[dict[str, Any]]:
    """Yield orders with one to four lines, the same ones every time."""
    chance = random.Random(7)
    for number in range(count):
        yield {
            "id": number,
            "email": f"person{number % 9000}@example.com",
            "created_at": f"2026-0{1 + number % 9}-1{number % 10}T08:00:00Z",
            "currency": "EUR",
            "total": round(chance.uniform(5, 300), 2),
            "line_items": [
                {
                    "sku": f"SKU-{chance.randrange(2000)}",
                    "product_id": chance.randrange(800),
                    "quantity": chance.randrange(1, 5),
                    "price": round(chance.uniform(1, 90), 2),
                }
                for _ in range(chance.randrange(1, 5))
            ],
        }


def stage(side: str, count: int) -> float:
    """Load the orders in the working directory and return the seconds of `pipeline.run`."""
    import dlt

    from replenit_destination import replenit

    if side == "ours":
        destination: Any = replenit(deliver="manual")
    else:
        destination = dlt.destinations.duckdb("plain.duckdb")
    pipeline = dlt.pipeline(
        "staging", destination=destination, dataset_name="shop", pipelines_dir="pipelines"
    )
    resource = dlt.resource(orders(count), name="orders", primary_key="id")
    started = time.perf_counter()
    pipeline.run(resource, loader_file_format="parquet" if side == "plain" else None)
    return time.perf_counter() - started


def measure(side: str, count: int) -> float:
    """Run one load in a fresh process and folder."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).resolve()),
                "--stage",
                side,
                "--orders",
                str(count),
            ],
            cwd=folder,
            env={**os.environ, "DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false"},
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout.strip().splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--stage", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        print(stage(given.stage, given.orders))
        return 0
    say = sys.stdout.write
    say(f"{given.orders:,} orders\npair   plain    ours   ratio\n")
    ratios = []
    for pair in range(given.pairs):
        order = SIDES if pair % 2 == 0 else SIDES[::-1]
        took = {side: measure(side, given.orders) for side in order}
        ratios.append(took["ours"] / took["plain"])
        say(f"{pair + 1:>4} {took['plain']:>6.2f}s {took['ours']:>6.2f}s {ratios[-1]:>7.2f}\n")
    median = statistics.median(ratios)
    say(f"median ratio {median:.3f} (limit {LIMIT:.2f})\n")
    return 0 if median <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
