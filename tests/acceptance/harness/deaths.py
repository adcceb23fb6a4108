"""A process that dies in the middle of a push, without a process.

At the chosen instant the ledger's files are copied as they are on disk; the next push goes on from
the copy, as after `kill -9`, and whatever the dying run writes while it unwinds is lost.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from replenit_destination.engine.target import Answer, Request
    from tests.doubles.clock import FakeClock
    from tests.doubles.sandboxed import ServiceTransport

__all__ = ["Kill", "Killed", "Mortal"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program catches it."""


@dataclass(frozen=True, slots=True)
class Kill:
    """When a push dies: at its nth request, before or after the vendor's work, at its nth look at
    the clock, or before its nth SQL statement.
    """

    at: int
    where: str = "after"  # before, after, clock, statement


class Mortal:
    """The transport and the clock of one push, and the connection it works with.

    Args:
        transport: Reaches the vendor.
        clock: Time.
        ledger: The ledger's file.
        heir: The file that goes on, should this push die.
        kill: When it dies; never when not given.
    """

    def __init__(
        self,
        transport: ServiceTransport,
        clock: FakeClock,
        ledger: Path,
        heir: Path,
        kill: Kill | None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._ledger = ledger
        self._heir = heir
        self._kill = kill
        self._counts = {"before": 0, "clock": 0, "statement": 0}
        self._dead = False

    def connection(self, lender: duckdb.DuckDBPyConnection) -> Any:
        """Return a connection that sees every statement."""
        return _Watched(lender, self._statement)

    def __call__(self, request: Request) -> Answer:
        self._pass("before")
        answer = self._transport(request)
        if self._kill == Kill(self._counts["before"], "after"):
            self._die()
        return answer

    def now(self) -> float:
        self._pass("clock")
        return self._clock.now()

    def monotonic(self) -> float:
        self._pass("clock")
        return self._clock.monotonic()

    def wait(self, seconds: float, wake: Any = None) -> None:
        self._pass("clock")
        self._clock.wait(seconds, wake)

    def _statement(self) -> None:
        if not self._dead:  # afterwards it only unwinds
            self._pass("statement")

    def _pass(self, where: str) -> None:
        self._counts[where] += 1
        if self._dead or self._kill == Kill(self._counts[where], where):
            self._die()

    def _die(self) -> None:
        if not self._dead:
            self._dead = True
            for ending in ("", ".wal"):
                source = self._ledger.with_name(self._ledger.name + ending)
                if source.exists():
                    shutil.copyfile(source, self._heir.with_name(self._heir.name + ending))
        raise Killed


class _Watched:
    """A connection, and every cursor of it, that tells before a statement is executed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tell: Callable[[], None]) -> None:
        self._connection = connection
        self._tell = tell

    def execute(self, *arguments: Any) -> _Watched:
        self._tell()
        self._connection.execute(*arguments)
        return self

    def cursor(self) -> _Watched:
        return _Watched(self._connection.cursor(), self._tell)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
