"""The request windows of one account: who may send when, over runs, processes and tenants.

A request is *granted*, then sent, then *settled* by its answer. Between grant and settlement it may
reach the server at any moment, so it counts as if it arrived last: a window can never hold more
than its limit, whether the server counts sliding or fixed windows, and however latencies differ.
The price is that a slot is free again one window after the answer instead of after the arrival.

What the server says (rate headers, 429) only ever tightens this.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from replenit_destination.engine.quota_log import LogBusyError, MemoryGrantLog, SqliteGrantLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.quota_log import GrantLog

__all__ = [
    "Grant",
    "Quota",
    "QuotaShares",
    "SharedQuota",
    "UnlimitedQuota",
    "Wait",
    "Window",
    "WindowQuota",
    "account_path",
]

# Two clocks may run 100 parts per million apart, and servers round their timestamps.
DRIFT = 1e-4
MARGIN_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 3600.0
# Headers tell whole seconds: the reset is rounded up, the time of the answer down.
ROUNDING_SECONDS = 2.0
# When others' use is thought to be over, one request goes ahead to see; its answer comes meanwhile.
PROBE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` requests within any `seconds`."""

    limit: int
    seconds: float

    @property
    def held_seconds(self) -> float:
        """How long a settled request is counted: the window and a margin for differing clocks."""
        return self.seconds * (1 + DRIFT) + MARGIN_SECONDS


@dataclass(frozen=True, slots=True)
class QuotaShares:
    """How much of the account's limit this product takes (real-shops.md rules 1 and 24).

    Ordinary work gets `share` of each window, because other integrations use the same key.
    Withdrawals and erasures may use `reserve` of it on top, as far as the limit itself allows: at
    `share` 1 nothing is left to reserve.
    """

    share: float = 0.8
    reserve: float = 0.05

    def allowed(self, limit: int, *, urgent: bool) -> int:
        """Return how many requests of a window's limit may be used; at least one."""
        share = min(1.0, self.share + self.reserve) if urgent else self.share
        return max(1, math.floor(limit * share + 1e-9))


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission for one request. Settle it when its answer is here or will not come."""

    number: int
    moment: float


@dataclass(frozen=True, slots=True)
class Wait:
    """No permission yet: ask again in `seconds`, or sooner when a request has been settled."""

    seconds: float


class Quota(Protocol):
    """What delivery asks of a quota. All calls come from one thread."""

    @property
    def spacing_seconds(self) -> float:
        """The time each request has in the narrowest window; 0 where nothing is limited."""

    def acquire(self, *, urgent: bool = False) -> Grant | Wait:
        """Grant one request, or say how long to wait. Never blocks for longer than a moment."""

    def settle(self, grant: Grant) -> None:
        """Note that the request is over."""

    def observed(self, grant: Grant, remaining: int, reset_seconds: float | None) -> None:
        """Note the rate headers of the answer to a granted request, before it is settled."""

    def throttled(self, seconds: float) -> None:
        """Note that the server wants nobody of this account to send for that long."""


class UnlimitedQuota:
    """Grants everything; for servers without limits."""

    spacing_seconds = 0.0

    def acquire(self, *, urgent: bool = False) -> Grant | Wait:
        """Grant one request."""
        return Grant(0, 0.0)

    def settle(self, grant: Grant) -> None:
        """Do nothing."""

    def observed(self, grant: Grant, remaining: int, reset_seconds: float | None) -> None:
        """Do nothing."""

    def throttled(self, seconds: float) -> None:
        """Do nothing: without windows the only wait is delivery's own backoff."""


class WindowQuota:
    """Sliding windows over a log of grants.

    Args:
        windows: The account's limits; the shortest is the one that rate headers describe.
        clock: Wall time is read once; later steps of the wall clock change nothing.
        shares: How much of each limit to use.
        log: Where grants are kept; by default in memory, see `SharedQuota` for all processes of a
            machine.
        lease_seconds: How long an unsettled request is taken to be under way; longer than the
            transport's time-out. A killed process holds its slots for so long and one window.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        *,
        clock: Clock,
        shares: QuotaShares | None = None,
        log: GrantLog | None = None,
        lease_seconds: float = 90.0,
    ) -> None:
        self._windows = sorted(windows, key=lambda window: window.seconds)
        self._clock = clock
        self._shares = shares or QuotaShares()
        self._log = log if log is not None else MemoryGrantLog()
        self._lease_seconds = lease_seconds
        self._unsettled: dict[int, float] = {}
        self._offset = clock.now() - clock.monotonic()
        with self._log.exclusively():
            self._offset = self._log.steady_offset(self._offset, _boot_id())
            now = self._now()
            self._log.clamp(grants=now + lease_seconds, pause=now + LONGEST_PAUSE_SECONDS)

    @property
    def spacing_seconds(self) -> float:
        """The time each request has in the shortest window."""
        shortest = self._windows[0]
        return shortest.seconds / self._shares.allowed(shortest.limit, urgent=False)

    def acquire(self, *, urgent: bool = False) -> Grant | Wait:
        """Grant one request, or say how long to wait."""
        try:
            with self._log.exclusively():
                return self._decide(urgent=urgent)
        except LogBusyError:
            return Wait(0.1)

    def settle(self, grant: Grant) -> None:
        """Note that the request is over: from now on its slot ages."""
        self._unsettled[grant.number] = self._now()
        try:
            with self._log.exclusively():
                self._settle_late()
        except LogBusyError:
            return  # with the next decision

    def observed(self, grant: Grant, remaining: int, reset_seconds: float | None) -> None:
        """Compare the server's count with ours and count what others have used.

        Everything of ours that the server can have counted is in the log, so a smaller remainder
        than ours says has been used by somebody else. If so, what is still under way is taken to
        reach the server later. What others use counts in the shortest window only, which the
        headers describe, until the server's reset, and for all but one request a second longer.
        """
        window = self._windows[0]
        if reset_seconds is not None and not 0 < reset_seconds <= LONGEST_PAUSE_SECONDS:
            reset_seconds = None
        if remaining <= 0 and (reset_seconds or 0.0) > window.seconds + ROUNDING_SECONDS:
            self.throttled(reset_seconds or 0.0)  # another, longer window, and it is used up
            return
        sent = grant.moment - self._lease_seconds
        held = min(window.seconds, reset_seconds or window.seconds)
        try:
            with self._log.exclusively():
                now = self._now()
                ours = self._log.count_since(sent - window.held_seconds)
                used = window.limit - max(0, remaining)
                if used > ours:
                    under_way = self._log.count_since(sent) - 1  # without the answered one
                    foreign = min(window.limit, used - ours + under_way)
                    self._count_foreign(foreign, now - window.seconds + held)
        except LogBusyError:
            return

    def throttled(self, seconds: float) -> None:
        """Let nobody send for so long, at most an hour."""
        until = self._now() + min(max(0.0, seconds), LONGEST_PAUSE_SECONDS)
        try:
            with self._log.exclusively():
                self._log.pause(until)
        except LogBusyError:
            return

    def entries(self) -> list[tuple[int, float]]:
        """Return what is counted, to be given to `seed` by a run on another machine."""
        return self._log.entries()

    def seed(self, entries: Iterable[tuple[int, float]]) -> None:
        """Count grants of an earlier run; those already known are not counted twice."""
        with self._log.exclusively():
            known = dict(self._log.entries())
            latest = self._now()
            for number, moment in entries:
                if number not in known:
                    self._log.put(number, min(moment, latest))

    def used(self, window: Window) -> int:
        """Return how many requests count in a window now."""
        return self._log.count_since(self._now() - window.held_seconds)

    def close(self) -> None:
        """Let go of the log's file."""
        self._log.close()

    def _count_foreign(self, count: int, moment: float) -> None:
        """Count so many requests of others at least until `moment` has left the window."""
        window = self._windows[0]
        known = self._log.foreign_since(self._now() - window.held_seconds)
        for n in range(count):
            number, before = known[n] if n < len(known) else (-_number(), moment)
            # The last of them leaves first.
            self._log.put(number, max(before, moment if n == count - 1 else moment + PROBE_SECONDS))

    def _decide(self, *, urgent: bool) -> Grant | Wait:
        self._settle_late()
        now = self._now()
        seconds = self._log.paused_until() - now
        shortest = self._windows[0]
        for window in self._windows:
            allowed = self._shares.allowed(window.limit, urgent=urgent)
            freed = [self._log.nth_newest(allowed, ours=True)]
            if window is shortest:
                # Others may use what our share leaves them; all of us stay within the limit.
                freed.append(self._log.nth_newest(window.limit, ours=False))
            for moment in freed:
                if moment is not None:
                    seconds = max(seconds, moment + window.held_seconds - now)
        if seconds > 0:
            return Wait(seconds)
        grant = Grant(_number(), now + self._lease_seconds)
        self._log.prune(now - self._windows[-1].held_seconds, foreign=now - shortest.held_seconds)
        self._log.put(grant.number, grant.moment)
        return grant

    def _settle_late(self) -> None:
        """Settle what is over, also what another process's hold on the log has delayed."""
        for number, moment in self._unsettled.items():
            self._log.put(number, moment)
        self._unsettled.clear()

    def _now(self) -> float:
        return self._clock.monotonic() + self._offset


class SharedQuota(WindowQuota):
    """The windows of one account, shared by all processes of this machine through a SQLite file."""

    def __init__(
        self,
        path: str | Path,
        windows: Sequence[Window],
        *,
        clock: Clock,
        shares: QuotaShares | None = None,
        lease_seconds: float = 90.0,
    ) -> None:
        super().__init__(
            windows,
            clock=clock,
            shares=shares,
            log=SqliteGrantLog(path),
            lease_seconds=lease_seconds,
        )


def account_path(folder: str | Path, account: str) -> Path:
    """Return the file of an account's quota; it names the account by a hash only.

    The account is a name, not the key: a rotated key keeps its windows (real-shops.md rule 23).
    """
    digest = hashlib.sha256(account.encode()).hexdigest()[:16]
    return Path(folder) / f"quota-{digest}.sqlite"


def _number() -> int:
    return secrets.randbits(62) + 1


def _boot_id() -> str:
    """Return what identifies the machine's current uptime, or nothing where that is unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
