"""How many requests are under way at once: no more than the service's latency asks for.

What is in flight when a process is killed may have arrived and is sent again, and the quota limits
the speed anyway. So where answers come fast, one connection carries the whole quota.
"""

from __future__ import annotations

import math

__all__ = ["Connections"]

LOST = 0.03
"""Part of the quota's time that waiting for answers one by one may cost."""

WEIGHT = 0.2
"""Of the newest answer in the running mean: some ten answers turn it around."""


class Connections:
    """Counts the connections that are worth having.

    Args:
        most: Never more than these.
        spacing_seconds: Time per request that the quota leaves; 0 where there is none.
    """

    def __init__(self, most: int, spacing_seconds: float) -> None:
        self._most = max(1, most)
        self._patience = spacing_seconds * LOST
        self._latency: float | None = None

    def answered(self, seconds: float) -> None:
        """Take in how long one answer took."""
        before = seconds if self._latency is None else self._latency
        self._latency = before + WEIGHT * (seconds - before)

    @property
    def worthwhile(self) -> int:
        """How many requests may be under way now; one until an answer has told the latency."""
        if not self._patience:
            return self._most
        if self._latency is None:
            return 1
        return min(self._most, max(1, math.ceil(self._latency / self._patience)))
