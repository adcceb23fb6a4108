"""A clock that moves when told to, and when somebody waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading


class FakeClock:
    """Waiting takes no time: it moves the clock."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._wall = now
        self._monotonic = 1000.0

    def now(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is None or not wake.is_set():
            self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._wall += seconds
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock, as an administrator or a time server does."""
        self._wall += seconds
