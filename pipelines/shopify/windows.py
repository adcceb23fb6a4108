"""Which stretch of time a run reads, kept in the resource's state.

A window is half open and ends `lag` before now, because Shopify's search index lags its writes; the
next one starts `overlap` before that end, and rows are merged on id. The state holds the window's
end, never the newest `updated_at` seen: an object that was written late would be skipped for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from .settings import Settings

__all__ = ["Asked", "Window", "close_window", "next_window"]


@dataclass(frozen=True)
class Window:
    """From `start` (None: the beginning of the shop) up to, not including, `end`."""

    start: datetime | None
    end: datetime
    first: bool = False

    def search(self, field: str, *others: str) -> str:
        """Return Shopify's filter for this window.

        Times are quoted: bare ones are cut at the first colon and read in the shop's zone.
        """
        terms = list(others)
        if self.start:
            terms.append(f"{field}:>='{_literal(self.start)}'")
        terms.append(f"{field}:<'{_literal(self.end)}'")
        return " AND ".join(terms)


@dataclass(frozen=True)
class Asked:
    """What a run was asked to read; the rest follows from the state.

    Args:
        begin: Where the first run begins; None is the beginning of the shop.
        since: Read from there, whatever was read before.
        until: Read only what changed before.
        full: Read everything again.
    """

    begin: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    full: bool = False


def next_window(
    state: MutableMapping[str, Any], settings: Settings, now: datetime, asked: Asked
) -> Window | None:
    """Return the window to read now; None when no time has passed since the last one."""
    end = _second(now - settings.lag)
    if asked.until:
        end = min(end, _second(asked.until))
    reached = state.get("read_until")
    if asked.since or asked.full:
        start = None if asked.full else asked.since
    elif reached is None:
        start = asked.begin
    else:
        last = datetime.fromisoformat(reached)
        if end <= last:
            return None
        start = last - settings.overlap
    window = Window(_second(start) if start else None, end, first=reached is None)
    return window if window.start is None or window.start < end else None


def close_window(state: MutableMapping[str, Any], window: Window) -> None:
    """Remember that a window was read to its end; dlt stores it together with the rows.

    A window that begins after what was read so far leaves a gap, so it is not remembered.
    """
    reached = state.get("read_until")
    last = datetime.fromisoformat(reached) if reached else None
    if last is None or ((window.start is None or window.start <= last) and window.end > last):
        state["read_until"] = window.end.isoformat()


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _literal(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
