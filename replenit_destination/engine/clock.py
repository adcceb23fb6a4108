"""Time as an argument, so that tests never sleep and quota windows survive a clock step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the engine asks of time; all values are seconds."""

    def now(self) -> float:
        """Return the wall clock as seconds since the epoch; it may step."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never steps back."""

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:
        """Return after `seconds`, or as soon as `wake` is set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return the wall clock as seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since the machine's start, equal in all its processes."""
        return time.monotonic()

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:
        """Return after `seconds`, or as soon as `wake` is set."""
        if wake is not None:
            wake.wait(max(0.0, seconds))
        elif seconds > 0:
            time.sleep(seconds)
