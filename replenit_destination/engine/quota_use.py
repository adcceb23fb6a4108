"""How full an account's windows are, told without taking part in them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.quota import QuotaShares, Window, WindowQuota, account_path
from replenit_destination.engine.quota_log import MemoryGrantLog, SqliteGrantLog

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.target import Target

__all__ = ["WindowUse", "account_log", "window_uses"]


@dataclass(frozen=True, slots=True)
class WindowUse:
    """One of the account's windows: its `limit`, our share of it, and what counts in it now."""

    limit: int
    seconds: float
    allowed: int
    used: int

    @property
    def free(self) -> int:
        """How many requests may go at once."""
        return max(0, self.allowed - self.used)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "limit": self.limit,
            "seconds": self.seconds,
            "allowed": self.allowed,
            "used": self.used,
            "free": self.free,
        }

    def __str__(self) -> str:
        return f"{self.used:,} of {self.allowed:,} in {self.seconds:g} s used, {self.free:,} free"


def window_uses(
    target: Target, folder: Path, *, clock: Clock, share: float
) -> tuple[WindowUse, ...]:
    """Return how full the account's windows are, the shortest first.

    Args:
        target: Whose account.
        folder: Where the log is that processes share.
        clock: Time.
        share: Part of each limit that is ours to use.
    """
    windows = sorted((Window(*one) for one in target.windows), key=lambda one: one.seconds)
    shares = QuotaShares(share)
    quota = WindowQuota(windows, clock=clock, shares=shares, log=account_log(target, folder))
    return tuple(
        WindowUse(one.limit, one.seconds, shares.allowed(one.limit, urgent=False), quota.used(one))
        for one in windows
    )


def account_log(target: Target, folder: Path) -> MemoryGrantLog:
    """Return what counts in an account's windows, as a copy in memory.

    Args:
        target: Whose account.
        folder: Where the log is that processes share, if any has sent something yet.
    """
    path = account_path(folder, target.account)
    if not path.is_file():
        return MemoryGrantLog()
    with closing(SqliteGrantLog(path)) as shared:
        log = MemoryGrantLog(shared.entries())
        log.pause(shared.paused_until())
    return log
