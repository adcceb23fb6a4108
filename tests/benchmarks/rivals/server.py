"""The one server all programs of the side-by-side suite deliver to, a process of its own.

    python -m tests.benchmarks.rivals.server '{"poison": …}'

It prints its port. Nagle's algorithm is off and every answer leaves in one piece: with the standard
library's server each call costs 40 ms and hides every difference between the programs.

    POST   /orders/{tenant}                              an array of orders
    DELETE /orders/{tenant}/{order}[/items?productId=&sku=]
    GET    /_bench/counts, /_bench/result                what arrived
    POST   /_bench/hold                                  {"at": n, "stored": true}: never answer
                                                         the nth request from here on
    GET    /_bench/held                                  answered when that request has come
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from dataclasses import asdict
from typing import Any

import orjson

from tests.benchmarks.rivals.behaviour import Behaviour
from tests.benchmarks.rivals.store import Answer, Gate, Store

_REASONS = {200: b"OK", 207: b"Multi-Status", 400: b"Bad Request", 404: b"Not Found"}


class Server:
    """The state that all connections share."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.store = Store(behaviour)
        self.gate = Gate(behaviour.quota) if behaviour.quota else None
        self.hold_at = 0
        self.hold_stored = False
        self.held = asyncio.Event()

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer | None:
        """Return the answer to one request of a program; None is none, ever."""
        counts = self.store.counts
        counts.requests += 1
        counts.bytes += len(body)
        headers: dict[str, str] = {}
        if self.gate is not None:
            refusal, headers = self.gate.enter()
            if refusal is not None:
                counts.throttled += 1
                return refusal[0], headers, refusal[2]
        hold = self.hold_at and counts.requests >= self.hold_at
        if hold and not self.hold_stored:
            return None
        if method == "DELETE":
            status, _, said = self.store.delete(path, query)
        else:
            status, _, said = self.store.post(body)
        if hold or counts.batches in self.behaviour.lost:
            return None
        return status, headers, said

    async def control(self, path: str, body: bytes) -> Any:
        """Return the answer to the suite itself."""
        if path == "/_bench/hold":
            given = json.loads(body)
            self.hold_at = self.store.counts.requests + given["at"] if given["at"] else 0
            self.hold_stored = given["stored"]
            self.held.clear()
            return {}
        if path == "/_bench/held":
            await self.held.wait()
            return {}
        counts = asdict(self.store.counts)
        if path == "/_bench/counts":
            return counts
        return {"counts": counts, "orders": self.store.orders}


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._received = bytearray()
        self._transport: asyncio.Transport
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            first, *lines = bytes(self._received[:end]).decode("latin-1").split("\r\n")
            fields = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            length = int(headers.get("content-length", 0))
            if len(self._received) < end + 4 + length:
                return
            body = bytes(self._received[end + 4 : end + 4 + length])
            del self._received[: end + 4 + length]
            self._serve(first, body)

    def _serve(self, first: str, body: bytes) -> None:
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        if path.startswith("/_bench/"):
            task = asyncio.get_running_loop().create_task(self._control(path, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        answer = self._server.answer(method, path, query, body)
        if answer is not None:
            self._send(*answer)
        elif self._server.hold_at and self._server.store.counts.requests >= self._server.hold_at:
            self._server.held.set()
        else:
            self._transport.close()

    async def _control(self, path: str, body: bytes) -> None:
        self._send(200, {}, orjson.dumps(await self._server.control(path, body)))

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (
            status,
            _REASONS.get(status, b"-"),
            len(body),
        )
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._transport.write(head + more.encode("latin-1") + b"\r\n" + body)


async def serve(behaviour: Behaviour) -> None:
    """Serve until TERM."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    server = Server(behaviour)
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await stopping.wait()


if __name__ == "__main__":
    asyncio.run(serve(Behaviour.from_json(json.loads(sys.argv[1]))))
