"""What an answer says about the request quota, as far as it can be believed.

Headers may be absent (K24), the wait may stand in the header or in the body (K25), and clocks
differ: a hint that makes no sense is ignored, and of several the longest wait counts.
"""

from __future__ import annotations

import email.utils
import math
from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["quota_hints", "wait_seconds"]

LONGEST_WAIT_SECONDS = 3600.0  # the longest of the vendor's windows
DEFAULT_WAIT_SECONDS = 60.0


def wait_seconds(
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None,
    now: float,
    *,
    default: float | None = DEFAULT_WAIT_SECONDS,
) -> float | None:
    """Return how long the service wants to be left alone: the longest of all its hints.

    Args:
        headers: Of the answer; names in lower case.
        body: The answer's properties, names in lower case.
        now: Unix seconds; an answer that says when it was made (`Date`) is read by that.
        default: For an answer without any hint.
    """
    data = (body or {}).get("data")
    in_body = None
    if isinstance(data, dict):
        in_body = next((one for name, one in data.items() if name.lower() == "retryafter"), None)
    remaining, reset = quota_hints(headers, now)
    asked = headers.get("retry-after")
    hints = [
        _seconds(asked),
        _until(asked, _moment(headers.get("date")) or now),
        _seconds(in_body),
        reset if remaining in {0, None} else None,
    ]
    known = [hint for hint in hints if hint is not None]
    return max(known) if known else default


def quota_hints(headers: Mapping[str, str], now: float) -> tuple[int | None, float | None]:
    """Return the requests left in the window and the seconds to its end, where they are sane."""
    limit = _seconds(headers.get("x-ratelimit-limit"), most=math.inf)
    remaining = _seconds(headers.get("x-ratelimit-remaining"), most=math.inf)
    if remaining is not None and (remaining % 1 or (limit is not None and remaining > limit)):
        remaining = None
    reset = _seconds(headers.get("x-ratelimit-reset"), most=math.inf)
    served = _moment(headers.get("date")) or now
    left = None if reset is None else reset - served
    if left is not None and not 0 <= left <= LONGEST_WAIT_SECONDS:
        left = None
    return None if remaining is None else int(remaining), left


def _seconds(value: object, most: float = LONGEST_WAIT_SECONDS) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, most) if math.isfinite(seconds) and seconds >= 0 else None


def _until(value: str | None, now: float) -> float | None:
    moment = _moment(value)
    return None if moment is None else min(max(moment - now, 0.0), LONGEST_WAIT_SECONDS)


def _moment(value: str | None) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(value or "")
        # RFC 9110 5.6.7: a date in a header is in GMT, also where its zone says nothing ("-0000").
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
