"""A real HTTP server in a thread: uvicorn on a loopback port, started and stopped from Python."""

from __future__ import annotations

import asyncio
import socket
import struct
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["ServerThread"]

_START_SECONDS = 10.0
_GRACE_SECONDS = 2
_KEEP_ALIVE_SECONDS = 120  # longer than any client keeps an idle connection
_LINGER_OFF = struct.pack("ii", 1, 0)  # close sends RST instead of FIN


class ServerThread:
    """Serves one ASGI application; the application finds the server in `scope["sandbox.server"]`.

    Args:
        app: The application.
        host: Address to listen on.
        port: 0 takes a free one.
        date_header: Whether answers carry the machine's time; an application with a clock of its
            own adds `Date` itself.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        date_header: bool = True,
    ) -> None:
        self._app = app
        # Only with the protocol named does asyncio switch Nagle's algorithm off: 40 ms a call.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._ready = Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",  # a bound method is not recognised as one
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=date_header,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = _Server(config, self._started)
        self._thread = Thread(target=self._run, name="sandbox-server", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, without a final slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Return when connections are accepted."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or self._loop is None:
            message = f"the sandbox server did not start on {self.url}"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Finish what is being answered, close every connection, and return when all is closed."""
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._server.should_exit = True
        self._thread.join(_START_SECONDS)
        self._socket.close()

    def hang_up(self, client: tuple[str, int], *, reset: bool) -> None:
        """Close one client's connection from within a request, with a TCP reset or in order.

        What was already sent is delivered, unless the connection is reset.
        """
        for connection in list(self._server.server_state.connections):
            transport = getattr(connection, "transport", None)
            if getattr(connection, "client", None) != client or transport is None:
                continue
            if reset:
                raw = transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
                transport.abort()
            else:
                transport.close()

    async def pause(self, receive: Receive, seconds: float) -> None:
        """Wait from within a request; ends early when the client leaves or the server stops."""
        assert self._stopping is not None  # noqa: S101 - requests come only after the start
        waits = [
            asyncio.ensure_future(receive()),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._ready.set()

    def _started(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._ready.set()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["sandbox.server"] = self
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()
