"""Axes and figures: round marks for a range, moments and amounts as a person reads them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["amount", "clock_marks", "day", "duration", "marks", "moment", "size"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (
    *(_MINUTE * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * hours for hours in (1, 2, 3, 6, 12)),
    *(_DAY * days for days in (1, 2, 7, 28)),
)


def marks(highest: float, count: int = 4, *, whole: bool = False) -> list[float]:
    """Return round values from 0 to at least `highest`, about `count` steps of them.

    Args:
        highest: What must fit.
        count: Steps.
        whole: Whether there is nothing between 0 and 1, as with documents.
    """
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)
    step = max(1.0, step) if whole else step
    steps = math.ceil(highest / step * 0.9999)
    return [round(step * number, 10) for number in range(steps + 1)]


def clock_marks(first: float, last: float, count: int) -> list[tuple[float, str]]:
    """Return round moments between two Unix times, at most `count`, each with its words."""
    span = max(last - first, 1.0)
    step = next((one for one in _STEPS if span / one <= count), _STEPS[-1])
    start = math.ceil(first / step) * step
    words = "%d %b" if step >= _DAY else "%H:%M"
    found = []
    while start <= last:
        found.append((start, datetime.fromtimestamp(start, UTC).strftime(words).lstrip("0")))
        start += step
    return [(at, text if step >= _DAY else text.zfill(5)) for at, text in found]


def moment(seconds: float) -> str:
    """Return a Unix time in words, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def day(seconds: float) -> str:
    """Return a Unix time as a short label, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %H:%M").lstrip("0")


def amount(value: float) -> str:
    """Return a number as short as an axis wants it."""
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if unit == 'k' else 1e6):.4g}{unit}"
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Return a time as a person says it, with two figures."""
    if seconds <= 0:
        return "0 s"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if seconds >= 0.001 else "under 1 ms"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"


def size(count: float) -> str:
    """Return bytes as a person says them."""
    units: Sequence[str] = ("bytes", "kB", "MB", "GB")
    for unit in units[:-1]:
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} {units[-1]}"
