"""Which stretch of time a run reads, kept in the resource's state.

The next window starts `overlap` before the newest change that was read, and not later than the
oldest transaction that was open then: a row carries the time of its transaction's start or of the
shop's own clock, and shows only when that transaction ends. Rows of one moment are all read again,
so that no tie is lost; what is staged already is recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from sqlalchemy.sql import ColumnElement

__all__ = ["Position", "Window"]


@dataclass(frozen=True)
class Window:
    """From `since` on, up to but not including `until`; None: without that end."""

    since: datetime | None = None
    until: datetime | None = None

    def condition(self, column: sa.Column[Any]) -> ColumnElement[bool] | None:
        """Return the rows of the window; those without a time are always among them."""
        zoned = bool(getattr(column.type, "timezone", False))
        terms = []
        if self.since is not None:
            terms.append(column >= _literal(self.since, zoned=zoned))
        if self.until is not None:
            terms.append(column < _literal(self.until, zoned=zoned))
        if not terms:
            return None
        inside = sa.and_(*terms)
        return sa.or_(inside, column.is_(None)) if column.nullable else inside


class Position:
    """How far one table's changes have been read.

    Args:
        state: The resource's own; dlt stores it together with the rows.
        name: Under which the state keeps it.
        horizon: No change is later than this, whatever a row says: a date in the future would
            hide every change until then.
        overlap: What is read again.
    """

    def __init__(
        self, state: MutableMapping[str, Any], name: str, horizon: datetime, overlap: timedelta
    ) -> None:
        self._state = state
        self._name = name
        self._horizon = horizon
        self._overlap = overlap

    @property
    def start(self) -> datetime | None:
        """Where the next window starts; None before the first."""
        reached = self._state.get(self._name)
        return datetime.fromisoformat(reached) - self._overlap if reached else None

    def reach(self, newest: datetime | None) -> None:
        """Note the newest change that was read; it never moves back."""
        if newest is None:
            return
        newest = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
        newest = min(newest, self._horizon)
        reached = self._state.get(self._name)
        if reached is None or newest > datetime.fromisoformat(reached):
            self._state[self._name] = newest.astimezone(UTC).isoformat()


def _literal(moment: datetime, *, zoned: bool) -> datetime:
    # Times without a zone are compared as they stand; the newest was read the same way.
    return moment if zoned else moment.astimezone(UTC).replace(tzinfo=None)
