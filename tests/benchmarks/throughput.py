"""How fast a delivery is when nothing limits it: a server that only counts, staged orders, sockets.

    python tests/benchmarks/throughput.py [--orders 100000] [--rounds 3]

Three processes per round, one after the other: bodies made beforehand, posted over the product's
own transport and workers (the floor); the whole push of the same orders into an empty ledger; and
the push of nothing new. Prints medians, the ratio to the floor, and where the push spends its time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine import LINES_PER_ORDER, MAPPING, TENANT_ID, stage

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import PushOptions, Staged, push
from replenit_destination.engine.target import Answer, Request
from replenit_destination.engine.workers import Workers
from replenit_destination.targets.replenit.api import HttpTransport
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

CONNECTIONS = 4


class Counter(asyncio.Protocol):
    """Counts the documents of each request and answers in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.received = bytearray()
        self.missing = 0

    def data_received(self, data: bytes) -> None:
        self.received += data
        if len(self.received) < self.missing:
            return
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        names = dict(line.split(b": ", 1) for line in bytes(head.lower()).split(b"\r\n")[1:])
        length = int(names.get(b"content-length", 0))
        if len(body) < length:
            self.missing = len(head) + 4 + length
            return
        answer = b'{"success":true,"data":{"count":%d}}' % body.count(b'"OrderId"')
        self.received.clear()
        self.missing = 0
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (len(answer), answer)
        )


def serve(port: Any) -> None:
    """Run the server; tell its port."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Counter, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def settings(url: str) -> ReplenitSettings:
    """Return the settings of the benchmark's shop."""
    return ReplenitSettings(
        api_key="key", tenant_id=TENANT_ID, base_url=url, customer_identifier_priority="email"
    )


def whole_push(path: Path, url: str, transport: Any) -> dict[str, float]:
    """Push once; return seconds, per step too, and what the main thread and the process spent."""
    target = ReplenitTarget(settings(url))
    began, spent, mine = time.monotonic(), time.process_time(), time.thread_time()
    report = push(
        Staged(path, "shop"),
        target,
        Mapping.load(MAPPING).entities(target.entities),
        transport=transport,
        ledger=path.with_suffix(".ledger.duckdb"),
        clock=SystemClock(),
        random=random.Random(1),
        options=PushOptions(workers=CONNECTIONS),
        quota=UnlimitedQuota(),
    )
    return {
        "seconds": time.monotonic() - began,
        **report.seconds,
        "main thread": time.thread_time() - mine,
        "all threads": time.process_time() - spent,
        "requests": report.requests,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def ready_bodies(path: Path, url: str, folder: Path) -> dict[str, float]:
    """Keep the bodies that a push sends."""
    folder.mkdir()
    made: list[Request] = []

    def keep(request: Request) -> Answer:
        made.append(request)
        count = request.body.count(b'"OrderId"')
        return Answer(200, {}, b'{"success":true,"data":{"count":%d}}' % count)

    whole_push(path, url, keep)
    for number, request in enumerate(made):
        (folder / f"{number:06}").write_bytes(request.body)
    return {"requests": len(made)}


def floor(url: str, folder: Path) -> dict[str, float]:
    """Post the bodies over the product's own workers and connections."""
    path = f"/orders/{TENANT_ID}"
    requests = [Request("POST", path, body=one.read_bytes()) for one in sorted(folder.iterdir())]
    began, spent = time.monotonic(), time.process_time()
    with HttpTransport(settings(url), connections=CONNECTIONS) as transport:
        workers = Workers(transport, CONNECTIONS)
        for ticket, request in enumerate(requests):
            workers.submit(ticket, request)
        answered = 0
        while answered < len(requests):
            workers.wake.wait()
            finished = workers.finished()
            assert all(isinstance(one.result, Answer) for one in finished)
            answered += len(finished)
        workers.close(join=True)
    return {
        "seconds": time.monotonic() - began,
        "all threads": time.process_time() - spent,
        "requests": answered,
    }


def child(given: dict[str, str]) -> dict[str, float]:
    """Run what the parent asked for."""
    folder = Path(given["folder"])
    path, url = folder / "staged.duckdb", given["url"]
    if given["what"] == "bodies":
        return ready_bodies(path, url, folder / "bodies")
    if given["what"] == "floor":
        return floor(url, folder / "bodies")
    with HttpTransport(settings(url), connections=CONNECTIONS) as transport:
        return whole_push(path, url, transport)


def measure(what: str, url: str, folder: Path) -> dict[str, float]:
    """Run in a process of its own."""
    given = json.dumps({"what": what, "url": url, "folder": str(folder)})
    command = [sys.executable, __file__, "--child", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    rounds: dict[str, list[dict[str, float]]] = {"floor": [], "push": [], "nothing new": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stage(folder / "staged.duckdb", arguments.orders)
        ledger = folder / "staged.ledger.duckdb"
        measure("bodies", url, folder)
        for _ in range(arguments.rounds):
            ledger.unlink(missing_ok=True)
            for what in rounds:
                rounds[what].append(measure(what, url, folder))
    server.terminate()
    lines = arguments.orders * LINES_PER_ORDER
    print(f"{arguments.orders:,} orders, {lines:,} lines, {CONNECTIONS} connections; medians")
    middle = {
        what: {name: statistics.median(one[name] for one in done) for name in done[0]}
        for what, done in rounds.items()
    }
    print(f"{'':14}" + "".join(f"{n:>14}" for n in ("seconds", "CPU seconds", "requests", "ratio")))
    for what, one in middle.items():
        ratio = one["seconds"] / middle["floor"]["seconds"]
        row = f"{one['seconds']:>14.2f}{one['all threads']:>14.2f}{one['requests']:>14.0f}"
        print(f"{what:14}{row}{ratio:>14.2f}")
    push = middle["push"]
    steps = ("recover", "diff", "deliver", "record", "main thread", "peak MB")
    print("the push: " + ", ".join(f"{step} {push[step]:.2f}" for step in steps))


if __name__ == "__main__":
    main()
