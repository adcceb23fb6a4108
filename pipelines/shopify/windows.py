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

__all__ = ["Window", "next_window"]


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


def next_window(
    state: MutableMapping[str, Any], settings: Settings, now: datetime, since: datetime | None
) -> Window | None:
    """Return the window to read now; None when no time has passed since the last one."""
    end = (now - settings.lag).astimezone(UTC).replace(microsecond=0)
    reached = state.get("read_until")
    if reached is None:
        return Window(since, end, first=True)
    last = datetime.fromisoformat(reached)
    return Window(last - settings.overlap, end) if end > last else None


def close_window(state: MutableMapping[str, Any], window: Window) -> None:
    """Remember that a window was read to its end; dlt stores it together with the rows."""
    state["read_until"] = window.end.isoformat()


def _literal(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
