"""Where the grants of an account's quota are kept: in memory, or in a file processes share.

A grant is kept as the latest moment at which its request can have reached the server. While the
request is under way that moment lies ahead (the lease); when the answer is here, it is now.
Counting that moment, and not the time of sending, is what makes a full window safe whatever the
latency does. Numbers below zero are requests that others made with the same key, as far as the
server's headers showed them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from bisect import bisect_left, insort
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["GrantLog", "LogBusyError", "MemoryGrantLog", "SqliteGrantLog"]

BUSY_SECONDS = 5.0


class LogBusyError(Exception):
    """Another process holds the log; ask again shortly."""


class GrantLog(Protocol):
    """Grants as (number, moment), the newest moment first to be asked for."""

    def exclusively(self) -> contextlib.AbstractContextManager[None]:
        """Hold the log for one decision. Raises `LogBusyError`."""

    def nth_newest(self, n: int, *, ours: bool) -> float | None:
        """Return the n-th newest moment, ours or everybody's; None when there are fewer."""

    def count_since(self, moment: float) -> int:
        """Return how many grants have a later moment, ours only."""

    def foreign_since(self, moment: float) -> list[tuple[int, float]]:
        """Return what others used and that has a later moment, the newest first."""

    def put(self, number: int, moment: float) -> None:
        """Add a grant, or move it to another moment."""

    def prune(self, moment: float, *, foreign: float) -> None:
        """Forget our grants older than `moment` and those of others older than `foreign`."""

    def clamp(self, *, grants: float, pause: float) -> None:
        """Move what lies further ahead back to these moments: a clock was set back."""

    def paused_until(self) -> float:
        """Return when the server's last order to wait ends."""

    def pause(self, until: float) -> None:
        """Note that the server told everyone to wait."""

    def steady_offset(self, offset: float, boot: str) -> float:
        """Return the offset between monotonic and wall time that all users of this log share."""

    def entries(self) -> list[tuple[int, float]]:
        """Return all grants, oldest first."""

    def close(self) -> None:
        """Let go of the file, if there is one."""


class MemoryGrantLog:
    """Grants of one process."""

    def __init__(self, entries: Iterable[tuple[int, float]] = ()) -> None:
        self._moments: list[tuple[float, int]] = sorted((moment, n) for n, moment in entries)
        self._by_number = {n: moment for moment, n in self._moments}
        self._foreign = sum(1 for number in self._by_number if number < 0)
        self._paused_until = 0.0

    def exclusively(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: one process has the log for itself."""
        return contextlib.nullcontext()

    def nth_newest(self, n: int, *, ours: bool) -> float | None:
        """Return the n-th newest moment, ours or everybody's; None when there are fewer."""
        if not ours or self._foreign == 0:
            return self._moments[-n][0] if n <= len(self._moments) else None
        newest = (moment for moment, number in reversed(self._moments) if number >= 0)
        return next(islice(newest, n - 1, None), None)

    def count_since(self, moment: float) -> int:
        """Return how many grants have a later moment, ours only."""
        later = len(self._moments) - bisect_left(self._moments, (moment, float("inf")))
        return later - len(self.foreign_since(moment))

    def foreign_since(self, moment: float) -> list[tuple[int, float]]:
        """Return what others used and that has a later moment, the newest first."""
        if self._foreign == 0:
            return []
        first = bisect_left(self._moments, (moment, float("inf")))
        return [(number, at) for at, number in reversed(self._moments[first:]) if number < 0]

    def put(self, number: int, moment: float) -> None:
        """Add a grant, or move it to another moment."""
        before = self._by_number.get(number)
        if before is not None:
            del self._moments[bisect_left(self._moments, (before, number))]
        elif number < 0:
            self._foreign += 1
        insort(self._moments, (moment, number))
        self._by_number[number] = moment

    def prune(self, moment: float, *, foreign: float) -> None:
        """Forget our grants older than `moment` and those of others older than `foreign`."""
        end = bisect_left(self._moments, (moment, float("-inf")))
        for _, number in self._moments[:end]:
            del self._by_number[number]
            self._foreign -= number < 0
        del self._moments[:end]
        if self._foreign:
            for at, number in [one for one in self._moments if one[1] < 0 and one[0] < foreign]:
                del self._moments[bisect_left(self._moments, (at, number))]
                del self._by_number[number]
                self._foreign -= 1

    def clamp(self, *, grants: float, pause: float) -> None:
        """Move what lies further ahead back to these moments."""
        for number in [n for n, at in self._by_number.items() if at > grants]:
            self.put(number, grants)
        self._paused_until = min(self._paused_until, pause)

    def paused_until(self) -> float:
        """Return when the server's last order to wait ends."""
        return self._paused_until

    def pause(self, until: float) -> None:
        """Note that the server told everyone to wait."""
        self._paused_until = max(self._paused_until, until)

    def steady_offset(self, offset: float, boot: str) -> float:
        """Return the process's own offset: nobody else uses this log."""
        return offset

    def entries(self) -> list[tuple[int, float]]:
        """Return all grants, oldest first."""
        return [(number, moment) for moment, number in self._moments]

    def close(self) -> None:
        """Do nothing."""


class SqliteGrantLog:
    """Grants in a SQLite file that processes on one machine share.

    Every decision is one immediate transaction, so a process killed inside it leaves nothing half
    done and blocks nobody. The file holds moments and random numbers, nothing else. A decision
    waits `busy_seconds` for another process's.
    """

    def __init__(self, path: str | Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.touch(mode=0o600)
        self._sql = sqlite3.connect(
            self.path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
        # The switch fails at once while another process makes the same one; the mode stays with the
        # file.
        with contextlib.suppress(sqlite3.OperationalError):
            self._sql.execute("PRAGMA journal_mode = WAL").close()
        # A grant lost in a power cut costs at most one throttled request: no fsync per grant.
        self._sql.execute("PRAGMA synchronous = OFF").close()
        self._sql.executescript(
            """
            BEGIN IMMEDIATE;
            CREATE TABLE IF NOT EXISTS grants (number INTEGER PRIMARY KEY, moment REAL NOT NULL);
            CREATE INDEX IF NOT EXISTS grants_by_moment ON grants (moment);
            CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL, boot TEXT);
            COMMIT;
            """
        ).close()

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the log for one decision. Raises `LogBusyError`."""
        try:
            self._sql.execute("BEGIN IMMEDIATE").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise LogBusyError from error
            raise
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK").close()
            raise
        self._sql.execute("COMMIT").close()

    def nth_newest(self, n: int, *, ours: bool) -> float | None:
        """Return the n-th newest moment, ours or everybody's; None when there are fewer."""
        which = "WHERE number >= 0" if ours else ""
        return self._value(
            f"SELECT moment FROM grants {which} ORDER BY moment DESC LIMIT 1 OFFSET ?", (n - 1,)
        )

    def count_since(self, moment: float) -> int:
        """Return how many grants have a later moment, ours only."""
        ours = "SELECT count(*) FROM grants WHERE moment > ? AND number >= 0"
        return int(self._value(ours, (moment,)) or 0)

    def foreign_since(self, moment: float) -> list[tuple[int, float]]:
        """Return what others used and that has a later moment, the newest first."""
        theirs = (
            "SELECT number, moment FROM grants WHERE moment > ? AND number < 0 ORDER BY moment DESC"
        )
        with contextlib.closing(self._sql.execute(theirs, (moment,))) as rows:
            return [(int(number), float(at)) for number, at in rows]

    def put(self, number: int, moment: float) -> None:
        """Add a grant, or move it to another moment."""
        self._sql.execute("INSERT OR REPLACE INTO grants VALUES (?, ?)", (number, moment)).close()

    def prune(self, moment: float, *, foreign: float) -> None:
        """Forget our grants older than `moment` and those of others older than `foreign`."""
        self._sql.execute(
            "DELETE FROM grants WHERE moment < ?1 OR (number < 0 AND moment < ?2)",
            (moment, foreign),
        ).close()

    def clamp(self, *, grants: float, pause: float) -> None:
        """Move what lies further ahead back to these moments."""
        self._sql.execute("UPDATE grants SET moment = ?1 WHERE moment > ?1", (grants,)).close()
        self._sql.execute(
            "UPDATE facts SET value = min(value, ?) WHERE name = 'paused_until'", (pause,)
        ).close()

    def paused_until(self) -> float:
        """Return when the server's last order to wait ends."""
        return self._value("SELECT value FROM facts WHERE name = 'paused_until'") or 0.0

    def pause(self, until: float) -> None:
        """Note that the server told everyone to wait."""
        self._sql.execute(
            "INSERT INTO facts VALUES ('paused_until', ?, '') "
            "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
            (until,),
        ).close()

    def steady_offset(self, offset: float, boot: str) -> float:
        """Return the offset the first process since the machine's start wrote down.

        Monotonic time is the same for all processes of one boot, so with one offset a stepping wall
        clock cannot make two of them disagree about when a grant was made.
        """
        if not boot:
            return offset
        kept = self._value("SELECT value FROM facts WHERE name = 'offset' AND boot = ?", (boot,))
        if kept is not None:
            return kept
        self._sql.execute(
            "INSERT OR REPLACE INTO facts VALUES ('offset', ?, ?)", (offset, boot)
        ).close()
        return offset

    def entries(self) -> list[tuple[int, float]]:
        """Return all grants, oldest first."""
        with contextlib.closing(
            self._sql.execute("SELECT number, moment FROM grants ORDER BY moment, number")
        ) as rows:
            return [(int(number), float(moment)) for number, moment in rows]

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def _value(self, statement: str, values: tuple[object, ...] = ()) -> float | None:
        with contextlib.closing(self._sql.execute(statement, values)) as rows:
            row = rows.fetchone()
        return None if row is None else float(row[0])
