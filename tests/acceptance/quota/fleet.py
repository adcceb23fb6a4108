"""Several delivering processes on one account, against the sandbox's server.

Everything is the product's own: delivery, target, transport, quota file. Only the clock is the
tests' (see `clock.py`), and the ledger is a counter.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.delivery import Delivery, DeliveryOptions
from replenit_destination.engine.documents import Document, Lane
from replenit_destination.engine.quota import (
    Grant,
    QuotaShares,
    SharedQuota,
    Wait,
    Window,
    account_path,
)
from replenit_destination.targets.replenit.api import HttpTransport
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.quota.clock import ABSENT, SharedClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from replenit_destination.engine.documents import Batch, Outcome
    from replenit_destination.engine.target import Answer, Request

__all__ = ["Client", "Fleet", "Told"]

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Client:
    """What one process does."""

    requests: int
    account: str = "ours"  # each account has a file; another one is another program
    workers: int = 4
    share: float = 1.0
    reserve: float = 0.05
    urgent: int = 0  # so many of the requests, the last ones, may use the reserve
    wall_step: float = 0.0
    step_after: int = 0  # the wall clock steps when so many answers are here; 0: from the start
    kill_after: int = 0  # the process kills itself when so many answers are here
    per_minute: int = 100
    per_hour: int = 5000
    max_seconds: float | None = None
    poll_seconds: float = 0.2


@dataclass(slots=True)
class Told:
    """What one process says at its end."""

    seat: int
    began: float
    ended: float
    throttled: int
    verdicts: dict[str, int]
    answers: list[float] = field(default_factory=list)  # seconds from grant to settlement
    grants: list[float] = field(default_factory=list)  # moments, by the shared clock
    asking: list[float] = field(default_factory=list)  # real seconds of each call of `acquire`


class WatchedQuota(SharedQuota):
    """The product's quota, with a note of every grant."""

    told: Told
    under_way: dict[int, float]

    def acquire(self, *, urgent: bool = False) -> Grant | Wait:
        began = time.perf_counter()
        granted = super().acquire(urgent=urgent)
        self.told.asking.append(time.perf_counter() - began)
        if isinstance(granted, Grant):
            self.under_way[granted.number] = self._clock.monotonic()
            self.told.grants.append(self.under_way[granted.number])
        return granted

    def settle(self, grant: Grant) -> None:
        super().settle(grant)
        self.told.answers.append(self._clock.monotonic() - self.under_way.pop(grant.number))


class Counting:
    """A ledger that keeps nothing."""

    def intend(self, batch: Batch) -> None:
        pass

    def record(self, outcomes: Sequence[Outcome]) -> None:
        pass

    def flush(self) -> None:
        pass


def orders(client: Client, seat: int) -> Iterator[Document]:
    """Yield one order for each request."""
    for n in range(client.requests):
        key = f"{seat}-{n}"
        body = b'{"OrderId":"%b"}' % key.encode()
        urgent = n >= client.requests - client.urgent
        yield Document("orders", key, body, n, n, Lane.BATCH, urgent=urgent)


def run_client(
    seat: int, client: Client, board: Any, folder: Path, url: str, barrier: Any, pipe: Any
) -> None:
    """Deliver what the client has to deliver; runs in a process of its own."""
    under_way: dict[int, float] = {}
    leaps = board[0] >= 0
    clock = SharedClock(board, seat, busy=lambda: bool(under_way), leaps=leaps)
    clock.wall_step = 0.0 if client.step_after else client.wall_step
    settings = ReplenitSettings(
        api_key="c2FuZGJveC1rZXk=",
        tenant_id="5a11d0b0-0000-4000-8000-000000000001",
        base_url=url,
        customer_identifier_priority="email",
        orders_per_request=1,
        requests_per_minute=client.per_minute,
        requests_per_hour=client.per_hour,
    )
    target = ReplenitTarget(settings, clock=clock.now)
    shares = QuotaShares(client.share, client.reserve)
    windows = [Window(limit, seconds) for limit, seconds in target.windows]
    quota = WatchedQuota(account_path(folder, client.account), windows, clock=clock, shares=shares)
    quota.under_way = under_way
    network = HttpTransport(settings, connections=max(1, client.workers))
    answered = 0
    counting = threading.Lock()

    def transport(request: Request) -> Answer:
        nonlocal answered
        answer = network(request)
        with counting:
            answered += 1
            if answered == client.kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
            if answered == client.step_after:
                clock.wall_step = client.wall_step
        return answer

    delivery = Delivery(
        target,
        transport,
        Counting(),
        quota,
        clock=clock,
        random=random.Random(seat),
        options=DeliveryOptions(
            workers=client.workers,
            max_seconds=client.max_seconds,
            poll_seconds=client.poll_seconds,
        ),
    )
    barrier.wait()
    quota.told = Told(seat, clock.monotonic(), 0.0, 0, {})
    delivery.deliver(orders(client, seat), label="orders")
    quota.told.ended = clock.monotonic()
    quota.told.throttled = delivery.tally.throttled
    quota.told.verdicts = {str(v): n for v, n in Counter(delivery.tally.verdicts).items()}
    quota.close()
    network.close()
    clock.leave()
    pipe.send(quota.told)


class Fleet:
    """Starts processes and waits for them; one after the other, or several at once.

    The quota file in `folder` and the time on `board` go on from one call to the next.
    """

    def __init__(self, folder: Path, *, seats: int = 8, leaps: bool = True) -> None:
        self.folder = folder
        self.board = SPAWN.RawArray("d", [0.0 if leaps else -1e-9, *[ABSENT] * seats])

    def run(self, url: str, clients: Sequence[Client]) -> list[Told]:
        """Run the clients at once; a killed one tells nothing."""
        barrier = SPAWN.Barrier(len(clients))
        running = []
        for seat, client in enumerate(clients):
            self.board[1 + seat] = 0.0  # awake while it starts
            ours, theirs = SPAWN.Pipe(duplex=False)
            facts = (seat, client, self.board, self.folder, url, barrier, theirs)
            process = SPAWN.Process(target=run_client, args=facts, daemon=True)
            process.start()
            theirs.close()
            running.append((process, ours))
        told = []
        for seat, (process, ours) in enumerate(running):
            try:
                told.append(ours.recv())
            except EOFError:  # killed
                self.board[1 + seat] = ABSENT
            process.join()
            ours.close()
        return told

    def pass_time(self, seconds: float) -> None:
        """Let time pass while no process runs."""
        self.board[0] += seconds
