"""How long N requests take against the bound of the two sliding windows, and what asking costs.

    python tests/benchmarks/quota.py                    # all 12 combinations, 5,600 requests each
    python tests/benchmarks/quota.py --requests 1000    # shorter than the hour
    python tests/benchmarks/quota.py --real --requests 430   # without leaps: in real time

Processes, quota file, HTTP and the sandbox's server are real; time that all processes sleep through
is leapt over (`tests/acceptance/quota/clock.py`), so that latencies are what they are.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.delivery import Delivery, DeliveryOptions
from replenit_destination.engine.quota import (
    Grant,
    Quota,
    QuotaShares,
    SharedQuota,
    UnlimitedQuota,
    Window,
)
from replenit_destination.engine.target import Answer, Request
from replenit_destination.sandbox import Limits, ReplenitSandbox
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.quota.bound import most_in_any, schedule, stalls
from tests.acceptance.quota.clock import server_time
from tests.acceptance.quota.fleet import Client, Counting, Fleet, orders

CONNECTIONS = 8  # of all processes together


def combination(
    processes: int, window: str, headers: str, requests: int, *, leaps: bool
) -> dict[str, float]:
    """Run one combination and return its figures; seconds are the shared clock's."""
    each = [requests // processes + (n < requests % processes) for n in range(processes)]
    workers = max(1, CONNECTIONS // processes)
    clients = [Client(own, workers=workers, poll_seconds=5.0) for own in each]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        fleet = Fleet(Path(name), leaps=leaps)
        switches = {"window": window, "rate_headers": headers}
        clock = server_time(fleet.board)
        with ReplenitSandbox(clock=clock, count_only=True, switches=switches) as sandbox:
            told = fleet.run(sandbox.url, clients)
            journal = list(sandbox.journal)
    moments = [entry.time for entry in journal if entry.status != 429]
    answers = sorted(answer for one in told for answer in one.answers)
    asking = sorted(seconds for one in told for seconds in one.asking)
    start = min(one.began for one in told)
    bound = schedule(requests)[-1]
    took = max(one.ended for one in told) - start
    everyone = min(one.ended for one in told) - start  # until then all have work
    counted = min(everyone // 60 * 60, 3600) if everyone >= 120 else 0
    shares = [sum(grant < start + counted for grant in one.grants) for one in told]
    return {
        "bound s": bound,
        "took s": took,
        "ratio": (took - answers[-1]) / bound if bound else 0.0,
        "429s": len(journal) - len(moments),
        "in 60 s": most_in_any(moments, 60),
        "in 1 h": most_in_any(moments, 3600),
        "idle s": max(stalls(moments)[100:], default=0.0),
        "answer s": answers[-1],
        "least share": min(shares) / statistics.mean(shares) if counted else 1.0,
        "ask ms": statistics.median(asking) * 1000,
        "ask p99": asking[int(len(asking) * 0.99)] * 1000,
        "real s": time.monotonic() - began,
    }


def contended(folder: Path, processes: int, requests: int) -> list[float]:
    """Return the real seconds of each `acquire` when nothing but the file holds anybody up."""
    fleet = Fleet(folder, leaps=False)
    clients = [
        Client(requests // processes, workers=1, per_minute=10**6, per_hour=10**7)
        for _ in range(processes)
    ]
    with ReplenitSandbox(count_only=True, limits=Limits.unlimited()) as sandbox:
        told = fleet.run(sandbox.url, clients)
    return sorted(seconds for one in told for seconds in one.asking)


def overhead(quota: Quota, requests: int) -> float:
    """Return the real seconds that one request takes when the service answers in no time."""
    settings = ReplenitSettings(
        api_key="key",
        tenant_id="5a11d0b0-0000-4000-8000-000000000001",
        customer_identifier_priority="email",
        orders_per_request=1,
    )
    answer = Answer(200, {}, b'{"success":true,"data":{"count":1}}')

    def transport(_request: Request) -> Answer:
        return answer

    delivery = Delivery(
        ReplenitTarget(settings),
        transport,
        Counting(),
        quota,
        clock=SystemClock(),
        random=random.Random(1),
        options=DeliveryOptions(workers=0),
    )
    began = time.perf_counter()
    delivery.deliver(orders(Client(requests), 0), label="orders")
    return (time.perf_counter() - began) / requests


def costs() -> None:
    """Print what asking costs."""
    with tempfile.TemporaryDirectory() as name:
        for processes in (1, 2, 8):
            folder = Path(name, str(processes))
            folder.mkdir()
            asking = contended(folder, processes, 4000)
            middle, rare = statistics.median(asking), asking[int(len(asking) * 0.99)]
            print(
                f"acquire, {processes} processes at full speed: median {middle * 1000:.2f} ms, "
                f"99 % {rare * 1000:.1f} ms, longest {asking[-1] * 1000:.0f} ms"
            )
        windows = [Window(10**6, 60), Window(10**7, 3600)]
        shares = QuotaShares(1.0)
        shared = SharedQuota(Path(name, "q"), windows, clock=SystemClock(), shares=shares)
        without, with_file = overhead(UnlimitedQuota(), 5000), overhead(shared, 5000)
        shared.close()
        full = SharedQuota(
            Path(name, "full"),
            [Window(10**4, 60), Window(5000, 3600)],
            clock=SystemClock(),
            shares=shares,
        )
        full.seed((n, SystemClock().now() - 1800 + n / 10) for n in range(1, 4900))
        began = time.perf_counter()
        for _ in range(100):
            granted = full.acquire()
            assert isinstance(granted, Grant)
            full.settle(granted)
        nearly = (time.perf_counter() - began) / 100
        full.close()
    print(
        f"a request of delivery without quota {without * 1000:.2f} ms, with the shared file "
        f"{with_file * 1000:.2f} ms; grant and settlement with 4,900 of 5,000 used "
        f"{nearly * 1000:.2f} ms"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=5600)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--real", action="store_true", help="no leaps: takes as long as it takes")
    arguments = parser.parse_args()
    print(f"{arguments.requests:,} requests, quota_share 1, {CONNECTIONS} connections in all")
    for n, chosen in enumerate(product(arguments.processes, ("sliding", "fixed"), ("on", "off"))):
        figures = combination(*chosen, arguments.requests, leaps=not arguments.real)
        if n == 0:
            names = ("processes", "window", "headers", *figures)
            print("| " + " | ".join(names) + " |\n|" + " --- |" * len(names))
        texts = [
            f"{value:,.0f}" if name in {"429s", "in 60 s", "in 1 h", "bound s"} else f"{value:,.3f}"
            for name, value in figures.items()
        ]
        print("| " + " | ".join([*map(str, chosen), *texts]) + " |", flush=True)
    costs()


if __name__ == "__main__":
    main()
