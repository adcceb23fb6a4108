"""Threads that do HTTP and nothing else.

They are daemons: when the user interrupts a second time, a request that hangs must not keep the
process alive.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replenit_destination.engine.target import Answer, Request, Transport, TransportError

__all__ = ["Exchange", "Workers"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A finished request: its ticket and what came of it."""

    ticket: int
    result: Answer | TransportError | Exception


class Workers:
    """A fixed number of threads around one transport.

    With `count` 0 a request is sent on the calling thread, inside `submit`: one at a time and
    reproducible.
    """

    def __init__(self, transport: Transport, count: int) -> None:
        self._transport = transport
        self._requests: queue.SimpleQueue[tuple[int, Request] | None] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[Exchange] = queue.SimpleQueue()
        self.wake = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"delivery-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, ticket: int, request: Request) -> None:
        """Send a request; the exchange will come out of `finished` and set `wake`."""
        if self._threads:
            self._requests.put((ticket, request))
        else:
            self._finished.put(self._exchange(ticket, request))
            self.wake.set()

    def finished(self) -> list[Exchange]:
        """Return the exchanges that have ended since the last call, without waiting."""
        self.wake.clear()
        exchanges = []
        while not self._finished.empty():
            exchanges.append(self._finished.get_nowait())
        return exchanges

    def close(self, *, join: bool) -> None:
        """Let the threads end after their current request; `join` waits for that."""
        for _ in self._threads:
            self._requests.put(None)
        if join:
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        while (task := self._requests.get()) is not None:
            self._finished.put(self._exchange(*task))
            self.wake.set()

    def _exchange(self, ticket: int, request: Request) -> Exchange:
        try:
            return Exchange(ticket, self._transport(request))
        except Exception as error:  # a worker must not die silently: the caller raises it
            return Exchange(ticket, error)
