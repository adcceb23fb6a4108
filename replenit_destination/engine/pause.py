"""Delivery that is held until a moment (real-shops.md rule 22).

Staging goes on, and so do withdrawals of consent and erasures: nobody's "no" waits for a
maintenance window. The pause stands in the ledger, one for each account, and travels with it. It
ends by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.ledger_view import LedgerView

__all__ = ["FOREVER", "Pause", "pause", "pause_now", "pause_of", "resume"]

FOREVER = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Until somebody resumes it."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS {ledger}.pause (account INTEGER NOT NULL, since DOUBLE NOT NULL,"
    " until DOUBLE NOT NULL, reason VARCHAR NOT NULL)"
)
_STANDING = (
    'SELECT since, until, reason FROM {ledger}."pause" WHERE account = ? AND until > ?'
    " ORDER BY until DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Delivery is held from one moment to another, in Unix seconds."""

    since: float
    until: float
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {"since": self.since, "until": self.until, "reason": self.reason}

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        if self.until >= FOREVER:
            return f"delivery is paused until it is resumed{why}"
        moment = datetime.fromtimestamp(math.ceil(self.until), UTC)
        return f"delivery is paused until {moment:%Y-%m-%d %H:%M:%S} UTC{why}"


def pause(ledger: Ledger, until: float, reason: str = "") -> Pause:
    """Hold delivery until a moment; a pause that stands is replaced.

    Args:
        ledger: The account's ledger.
        until: Unix seconds.
        reason: A few words for whoever wonders; no personal data.
    """
    resume(ledger)
    held = Pause(ledger.clock.now(), until, reason)
    ledger.connection.execute(
        f'INSERT INTO {ledger.schema}."pause" VALUES (?, ?, ?, ?)',
        [ledger.account, held.since, held.until, held.reason],
    )
    return held


def resume(ledger: Ledger) -> bool:
    """Let delivery go on; return whether it was held."""
    held = pause_now(ledger)
    ledger.connection.execute(
        f'DELETE FROM {ledger.schema}."pause" WHERE account = ?', [ledger.account]
    )
    return held is not None


def pause_now(ledger: Ledger) -> Pause | None:
    """Return the pause that stands now, None when delivery is free."""
    ledger.connection.execute(_TABLE.replace("{ledger}", ledger.schema))
    row = ledger.connection.execute(
        _STANDING.replace("{ledger}", ledger.schema), [ledger.account, ledger.clock.now()]
    ).fetchone()
    return Pause(*row) if row else None


def pause_of(view: LedgerView, now: float) -> Pause | None:
    """Return the pause that stands at a moment, as a reader of the ledger sees it."""
    if not view.has("pause"):
        return None
    rows = view.rows(_STANDING.replace("{ledger}", "main"), now)
    return Pause(**rows[0]) if rows else None
