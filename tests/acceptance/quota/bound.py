"""The fastest schedule that both sliding windows allow, without any of the product's code."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["VENDOR", "most_in_any", "schedule", "stalls"]

VENDOR = ((100, 60.0), (5000, 3600.0))  # requests within any so many seconds


def schedule(
    requests: int, windows: Sequence[tuple[int, float]] = VENDOR, used: Sequence[float] = ()
) -> list[float]:
    """Return the earliest moment of each request, in seconds from the start.

    Args:
        windows: Limit and seconds of each.
        used: Moments of earlier requests that still count, before zero, oldest first.
    """
    moments = list(used)
    for _ in range(requests):
        earliest = 0.0
        for limit, seconds in windows:
            if len(moments) >= limit:
                earliest = max(earliest, moments[-limit] + seconds)
        moments.append(earliest)
    return moments[len(used) :]


def stalls(arrivals: Sequence[float], windows: Sequence[tuple[int, float]] = VENDOR) -> list[float]:
    """Return for each request but the first how long a slot was free and none was sent."""
    waits = []
    for n, (before, moment) in enumerate(pairwise(arrivals), start=1):
        freed = [arrivals[n - limit] + seconds for limit, seconds in windows if n >= limit]
        waits.append(moment - max([before, *freed]))
    return waits


def most_in_any(arrivals: Sequence[float], seconds: float) -> int:
    """Return the largest number of arrivals within any window of so many seconds."""
    most = first = 0
    for last, moment in enumerate(arrivals):
        while arrivals[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
