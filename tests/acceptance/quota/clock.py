"""Time that several processes share, and that leaps over what all of them sleep through.

A scaled clock makes every real millisecond longer: at 40 times, a loopback answer of 10 ms takes
0.4 s and a lock looks like a slow service. Here nothing is scaled: a request, a lock or a busy
processor takes as long as it takes. Only when every process waits for a moment to come does time
go on to the earliest of these moments at once.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, MutableSequence

__all__ = ["ABSENT", "EPOCH", "SharedClock", "server_time"]

EPOCH = 1_700_000_000.0  # the wall clock when the machine's monotonic clock stood at zero
ABSENT = math.inf
AWAKE = 0.0
GLANCE_SECONDS = 0.0005


class SharedClock:
    """The engine's clock for one of several processes.

    Args:
        board: Shared memory: how far time has leapt, then one seat per process with the moment
            until which it sleeps.
        seat: The number of this process, from 0.
        busy: Whether a request is under way; then nobody's time leaps.
        wall_step: How far this process's wall clock is off.
        leaps: Without, time passes as it does.
    """

    def __init__(
        self,
        board: MutableSequence[float],
        seat: int,
        *,
        busy: Callable[[], bool] = lambda: False,
        wall_step: float = 0.0,
        leaps: bool = True,
    ) -> None:
        self._board = board
        self._seat = seat + 1
        self.busy = busy
        self.wall_step = wall_step
        self._leaps = leaps

    def now(self) -> float:
        return EPOCH + self.monotonic() + self.wall_step

    def monotonic(self) -> float:
        return time.monotonic() + self._board[0]

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is not None and (self.busy() or not self._leaps):
            wake.wait(max(0.0, seconds))
            return
        until = self.monotonic() + seconds
        self._board[self._seat] = until
        while until > self.monotonic() and not (wake is not None and wake.is_set()):
            self._leap(until)
            time.sleep(max(0.0, min(GLANCE_SECONDS, until - self.monotonic())))
        self._board[self._seat] = AWAKE

    def leave(self) -> None:
        """Hold nobody up any more."""
        self._board[self._seat] = ABSENT

    def _leap(self, until: float) -> None:
        """Move time to `until` if nobody is awake or wakes up earlier."""
        if self._leaps and all(until <= moment for moment in self._board[1:]):
            self._board[0] = max(self._board[0], until - time.monotonic())


def server_time(board: Any) -> Callable[[], float]:
    """Return the server's clock: it has no seat, its time passes with that of the clients."""
    return lambda: EPOCH + time.monotonic() + float(board[0])
