"""A whole sandbox: the service behind a real HTTP server, for the length of a `with` block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from replenit_destination.sandbox.replenit import app
from replenit_destination.sandbox.replenit.control import Control
from replenit_destination.sandbox.replenit.limits import Limits
from replenit_destination.sandbox.replenit.service import ReplenitService
from replenit_destination.sandbox.serve import ServerThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from replenit_destination.sandbox.clock import Clock
    from replenit_destination.sandbox.faults import Faults
    from replenit_destination.sandbox.journal import Entry, Journal

__all__ = ["ReplenitSandbox"]


class ReplenitSandbox:
    """The vendor's API on a loopback port.

    Use it as a context manager, or call `start` and `stop`. All settings but `host` and `port` are
    those of
    `ReplenitService`.

    Args:
        host: Address to listen on; anything but loopback is open to the network.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        *,
        profile: str = "strict",
        switches: Mapping[str, Any] | None = None,
        tenants: Mapping[str, Iterable[str]] | None = None,
        tenant_switches: Mapping[str, Mapping[str, Any]] | None = None,
        limits: Limits | None = Limits(),  # noqa: B008 - frozen
        clock: Clock | Callable[[], float] | None = None,
        state: str | Path | None = None,
        seed: int = 0,
        count_only: bool = False,
        keep_bodies: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.service = ReplenitService(
            profile=profile,
            switches=switches,
            tenants=tenants,
            tenant_switches=tenant_switches,
            limits=limits,
            clock=clock,
            state=state,
            seed=seed,
            count_only=count_only,
            keep_bodies=keep_bodies,
        )
        self._host = host
        self._port = port
        self._server: ServerThread | None = None

    def start(self) -> Self:
        """Listen; returns when connections are accepted."""
        application = app.build(self.service, Control(self.service))
        self._server = ServerThread(
            application, host=self._host, port=self._port, date_header=False
        )
        self._server.start()
        return self

    def stop(self) -> None:
        """Close every connection and the state file."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        self.service.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL, without a final slash."""
        if self._server is None:
            message = "the sandbox is not running: use it in a with block or call start()"
            raise RuntimeError(message)
        return self._server.url

    @property
    def api_key(self) -> str:
        """The first key."""
        return next(iter(self.service.keys))

    @property
    def tenant_id(self) -> str:
        """The first tenant of the first key."""
        return self.service.keys[self.api_key][0]

    @property
    def journal(self) -> Journal:
        """Every request to the vendor's paths since the start or the last reset."""
        return self.service.journal

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose."""
        return self.service.faults

    @property
    def clock(self) -> Clock:
        """The sandbox's time: `box.clock.set(…)`, `.advance(…)`, `.freeze()`, `.rate = 60`."""
        return self.service.clock

    def requests(self, method: str | None = None, path_prefix: str | None = None) -> list[Entry]:
        """Return the journal's entries of one method, below one path."""
        return self.service.journal.requests(method, path_prefix)

    def state(self, tenant_id: str | None = None) -> dict[str, dict[str, dict[str, Any]]]:
        """Return a tenant's documents: entity → key → fields, children as a list in key order."""
        return self.service.state(tenant_id)

    def flags(self, tenant_id: str | None = None) -> dict[str, dict[str, list[str]]]:
        """Return what the sandbox noticed about documents: unlinked orders, unmatched lines."""
        return self.service.flags(tenant_id)

    def configure(
        self,
        *,
        profile: str | None = None,
        switches: Mapping[str, Any] | None = None,
        tenant_id: str | None = None,
    ) -> None:
        """Change the profile, or switches for all tenants or for one; what is stored stays."""
        self.service.configure(profile=profile, switches=switches, tenant_id=tenant_id)

    def settle(self) -> None:
        """Carry out every queued delete now."""
        self.service.settle()

    def reset(self) -> None:
        """Start over: no documents, no journal, no used quota, no faults."""
        self.service.reset()
