"""Moments and spans of time, as people type and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from replenit_destination.exceptions import SettingsError

__all__ = ["duration", "moment", "moment_of"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_FORMS = "write 2026-11-21T18:00 (this machine's time), 2026-11-21T18:00Z, 18:00, 30m, 2h or 3d"


def moment_of(option: str, text: str, now: float, *, ahead: bool) -> float:
    """Return the moment that a person means, in Unix seconds.

    Args:
        option: What the person typed it for; messages name it.
        text: ISO 8601 (local time where it names no zone), a time of day, or a span such as `2h`.
        now: Unix seconds.
        ahead: Whether spans and times of day lie in the future, or in the past.

    Raises:
        SettingsError: It is none of these.
    """
    text = text.strip()
    if span := re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text):
        seconds = float(span[1]) * _UNITS[span[2]]
        return now + seconds if ahead else now - seconds
    if re.fullmatch(r"\d{1,2}:\d{2}", text):
        return _time_of_day(option, text, now, ahead=ahead)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        message = f"{option}: `{text}` is no moment; {_FORMS}"
    raise SettingsError(message)


def _time_of_day(option: str, text: str, now: float, *, ahead: bool) -> float:
    hour, minute = map(int, text.split(":"))
    if hour > 23 or minute > 59:
        message = f"{option}: `{text}` is no time of day; {_FORMS}"
        raise SettingsError(message)
    here = datetime.fromtimestamp(now)  # noqa: DTZ006 - a person's own time is meant
    found = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if ahead and found <= here:
        found += timedelta(days=1)
    if not ahead and found > here:
        found -= timedelta(days=1)
    return found.timestamp()


def moment(seconds: float | None) -> str:
    """Return a moment as text, in UTC; empty when there is none."""
    if seconds is None:
        return ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """Return a span of time as text, such as `4 s`, `12 min` or `2.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.0f} h" if hours >= 10 or hours == int(hours) else f"{hours:.1f} h"
