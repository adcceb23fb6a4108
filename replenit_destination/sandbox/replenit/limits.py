"""The vendor's quota: two windows per key, counted over all of the key's tenants.

[R] [G:root] [D:rate]: 100 requests a minute, 5,000 an hour. [G:rate] leaves the hour out; K23
enforces it.
Batch size does not matter, deletes and failed requests count [D:rate] [G:rate].
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Allowance", "Limits", "RateLimiter"]

MINUTE = 60
HOUR = 3600


def _maxima() -> dict[str, int]:
    # [G:rate] is the only page that names maxima per entity (K26).
    return {"customers": 1000, "orders": 500, "products": 200}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a key may ask for; `None` lifts a window. `batch` is documents per request."""

    per_minute: int | None = 100
    per_hour: int | None = 5000
    batch: Mapping[str, int] = field(default_factory=_maxima)

    @classmethod
    def unlimited(cls) -> Limits:
        """Return limits without windows; the batch maxima stay."""
        return cls(per_minute=None, per_hour=None)

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """The windows in force as (seconds, requests), shortest first."""
        both = ((MINUTE, self.per_minute), (HOUR, self.per_hour))
        return tuple((seconds, limit) for seconds, limit in both if limit is not None)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key has left in one window."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: float  # Unix seconds: when the next request fits, or the fixed window ends
    retry_after_seconds: int = 0  # whole seconds, above 0 only when not allowed


class RateLimiter:
    """Counts the requests of every key in every window."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._times: dict[tuple[str, int], deque[float]] = {}

    def reset(self) -> None:
        """Forget what was used."""
        self._times.clear()

    def take(
        self, key: str, now: float, *, sliding: bool, count_refused: bool
    ) -> tuple[Allowance, ...]:
        """Use one request of every window, or say which window has none left.

        Returns: One allowance per window, shortest first; empty without limits. The request may go
        on when
        all are allowed.
        """
        counted = [
            (self._used(key, seconds, now, sliding=sliding), seconds, limit)
            for seconds, limit in self.limits.windows
        ]
        allowed = all(len(times) < limit for times, _, limit in counted)
        if allowed or count_refused:
            for times, _, _ in counted:
                times.append(now)
        return tuple(
            self._allowance(times, seconds, limit, now, sliding=sliding, fits=allowed)
            for times, seconds, limit in counted
        )

    def _used(self, key: str, seconds: int, now: float, *, sliding: bool) -> deque[float]:
        times = self._times.setdefault((key, seconds), deque())
        start = now - seconds if sliding else math.floor(now / seconds) * seconds
        while times and (times[0] <= start if sliding else times[0] < start):
            times.popleft()
        return times

    @staticmethod
    def _allowance(
        times: deque[float], seconds: int, limit: int, now: float, *, sliding: bool, fits: bool
    ) -> Allowance:
        full = not fits and len(times) >= limit
        if not sliding:
            reset_at = float(math.floor(now / seconds) * seconds + seconds)
        elif len(times) >= limit:
            reset_at = times[len(times) - limit] + seconds
        else:
            reset_at = (times[0] if times else now) + seconds
        retry_after = max(1, math.ceil(reset_at - now)) if full else 0
        return Allowance(not full, limit, max(0, limit - len(times)), reset_at, retry_after)
