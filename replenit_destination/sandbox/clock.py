"""The sandbox's time: real until someone sets, freezes or scales it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock"]


class Clock:
    """Unix time that a test can move.

    Args:
        source: What real time is measured with, in Unix seconds; a test passes its own fake.
        rate: How many sandbox seconds pass in one second of `source`; 0 stands still.
    """

    def __init__(self, source: Callable[[], float] = time.time, *, rate: float = 1.0) -> None:
        self._source = source
        self._rate = rate
        self._source_anchor = source()
        self._anchor = self._source_anchor

    def __call__(self) -> float:
        """Return the sandbox's time in Unix seconds."""
        return self._anchor + (self._source() - self._source_anchor) * self._rate

    @property
    def rate(self) -> float:
        """How many sandbox seconds pass per second of the source."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self.set(self())
        self._rate = rate

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._rate == 0

    def set(self, when: float | datetime) -> None:
        """Jump to a moment, given in Unix seconds or as an aware datetime."""
        self._anchor = when.timestamp() if isinstance(when, datetime) else float(when)
        self._source_anchor = self._source()

    def advance(self, seconds: float) -> None:
        """Move forward, or back when negative."""
        self.set(self() + seconds)

    def freeze(self) -> None:
        """Stand still until `set`, `advance` or a new `rate`."""
        self.rate = 0

    def timestamp(self, *, milliseconds: bool = True) -> str:
        """Return the sandbox's time the way the vendor writes it: ISO 8601, UTC, `Z`."""
        moment = datetime.fromtimestamp(self(), UTC)
        text = moment.isoformat(timespec="milliseconds" if milliseconds else "seconds")
        return text.replace("+00:00", "Z")
