"""A push without effect: the same code on a copy of the ledger, before a service that takes all.

    ledger ── copied under its lock ──► copy ── run.push ──► report
                                                   │
                       virtual clock · the account's windows as they are · no network

So a plan is what the push does, not a second opinion of it. The staged tables are only read.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tempfile
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from replenit_destination.engine import run
from replenit_destination.engine.documents import Removal
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.processes import Process
from replenit_destination.engine.quota import QuotaShares, Wait, Window, WindowQuota
from replenit_destination.engine.quota_use import account_log
from replenit_destination.engine.removals import RETIRED
from replenit_destination.engine.sql import literal, quote
from replenit_destination.engine.staging import connect
from replenit_destination.engine.storage import storage_faults
from replenit_destination.engine.target import Answer, Reading, Ruling

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    import duckdb

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.documents import Batch, Item
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.options import PushOptions
    from replenit_destination.engine.quota import Grant
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import Request, Target

__all__ = ["Rehearsal", "Sending", "VirtualClock", "rehearsing", "sweep"]

USUAL_SECONDS = 0.5
"""How long an exchange takes where no run has measured it [C]."""

_FOLDER = ".rehearsal-"
_REPORTS = 20


@dataclass(frozen=True, slots=True)
class Sending:
    """One request that a push would make."""

    entity: str
    action: str  # upsert, delete or delete_child
    documents: int
    bytes: int


class VirtualClock:
    """A clock that begins now and leaps over every wait."""

    def __init__(self, clock: Clock) -> None:
        self._now, self._monotonic = clock.now(), clock.monotonic()
        self.passed_seconds = 0.0

    def now(self) -> float:
        """Return the wall clock as seconds since the epoch."""
        return self._now + self.passed_seconds

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        return self._monotonic + self.passed_seconds

    def wait(self, seconds: float, wake: threading.Event | None = None) -> None:
        """Let the time pass, unless `wake` is set."""
        if wake is None or not wake.is_set():
            self.passed_seconds += max(0.0, seconds)


@dataclass
class Rehearsal:
    """A push that can be run on a copy, and what it asked of the service.

    `keys` is (entity, what became of them) → keys: `created`, `updated`, `deleted`, and
    `child_deleted` once per child. `quota` holds the account's windows as they are at `clock`.
    """

    connection: duckdb.DuckDBPyConnection
    ledger: Path
    staged: Staged
    target: Target
    clock: VirtualClock
    quota: _Leaping
    options: PushOptions
    sendings: list[Sending] = field(default_factory=list)
    keys: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def push(self, mapping: Mapping[str, EntityMapping]) -> Report:
        """Run the push and return its report; to be called once.

        Raises:
            MappingError: The mapping does not fit the tables.
            LedgerVersionError: A newer version of this package wrote the ledger.
        """
        seconds = self._usual_seconds() / max(1, self.options.workers)

        def service(_request: Request) -> Answer:
            self.clock.wait(seconds)
            return Answer(200, {}, b"", seconds)

        return run.push(
            self.staged,
            cast("Target", _Willing(self)),
            mapping,
            transport=service,
            ledger=self.ledger,
            clock=self.clock,
            random=random.Random(0),  # noqa: S311 - nothing fails here, so nothing is retried
            options=replace(self.options, workers=0, lock_wait_seconds=0.0),
            quota=self.quota,
        )

    @contextmanager
    def opened(self) -> Iterator[tuple[LedgerFile, int | None]]:
        """Yield the copy and the account's number in it, None where it has none yet."""
        with closing(LedgerFile(self.connection, self.ledger)) as file:
            row = file.connection.execute(
                f"SELECT account FROM {file.schema}.account"
                " WHERE target = ? AND host = ? AND tenant = ?",
                [self.target.name, self.target.host, self.target.tenant.lower()],
            ).fetchone()
            yield file, int(row[0]) if row else None

    def took(self, batch: Batch) -> None:
        """Note a request."""
        item = batch.items[0]
        action = "upsert"
        if isinstance(item, Removal):
            action = "delete_child" if item.child else "delete"
        size = 0 if batch.is_removal else batch.size_bytes
        self.sendings.append(Sending(batch.entity, action, len(batch.items), size))
        for one in batch.items:
            self.keys.setdefault((one.entity, _became(one)), []).append(one.key)

    def _usual_seconds(self) -> float:
        """Return how long an exchange took on average in the last run that had any."""
        with self.opened() as (file, account):
            reports = file.connection.execute(
                f"SELECT report FROM {file.schema}.run WHERE account = ? AND report IS NOT NULL"
                f" ORDER BY started_at DESC LIMIT {_REPORTS}",
                [account],
            ).fetchall()
        for (text,) in reports:
            delivery = json.loads(text).get("delivery", {})
            if delivery.get("requests"):
                return float(delivery["latency_seconds"]["mean"])
        return USUAL_SECONDS


@contextmanager
def rehearsing(
    staged: Staged,
    target: Target,
    *,
    ledger: Path,
    clock: Clock,
    options: PushOptions,
) -> Iterator[Rehearsal]:
    """Yield a rehearsal of a push; its copy of the ledger is gone afterwards.

    Args:
        staged: The tables; a database is opened unless a connection is lent.
        target: The vendor.
        ledger: The ledger's file; it need not be there yet, and is not made.
        clock: Time.
        options: Those of the push.

    Raises:
        LedgerBusyError: Another process has one of the files. It is neither waited for nor asked to
            give way.
        StorageError: The disk is full.
    """
    ledger.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(ledger.parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=ledger.parent))
    owned = None
    try:
        with storage_faults(ledger.parent):
            lender = staged.connection
            if lender is None:
                lender = owned = connect(staged.database, ledger=ledger)
            virtual = VirtualClock(clock)
            yield Rehearsal(
                lender,
                _copied(lender, ledger, folder),
                # Without its file nobody can ask the rehearsal for a turn at it: it is short.
                replace(staged, connection=lender, database=Path()),
                target,
                virtual,
                _windows(target, ledger.parent, virtual, options),
                options,
            )
    finally:
        if owned is not None:
            owned.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Leaping(WindowQuota):
    """The account's windows on a virtual clock: a wait is over at once.

    Where the push may take so many seconds only, the delivery decides what to wait for.
    """

    leaps = True
    waited_seconds = 0.0

    def acquire(self, *, urgent: bool = False) -> Grant | Wait:
        """Grant one request at the moment when the windows allow it."""
        granted = super().acquire(urgent=urgent)
        while self.leaps and isinstance(granted, Wait):
            self._clock.wait(granted.seconds)
            self.waited_seconds += granted.seconds
            granted = super().acquire(urgent=urgent)
        return granted


def _windows(target: Target, folder: Path, clock: VirtualClock, options: PushOptions) -> _Leaping:
    windows = [Window(limit, seconds) for limit, seconds in target.windows]
    log = account_log(target, folder)
    quota = _Leaping(windows, clock=clock, shares=QuotaShares(options.quota_share), log=log)
    quota.leaps = options.max_seconds is None
    return quota


class _Willing:
    """A target whose service takes everything, and counts it."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rehearsal.target, name)

    def read(self, batch: Batch, _answer: Answer) -> Reading:
        """Return that all of a batch was taken."""
        self._rehearsal.took(batch)
        return Reading(Ruling.ACCEPTED, confirmed=len(batch.items))


def _became(item: Item) -> str:
    if isinstance(item, Removal):
        return "child_deleted" if item.child else "deleted"
    if item.source_hash == RETIRED:
        return "deleted"
    return "updated" if item.known else "created"


def _copied(connection: duckdb.DuckDBPyConnection, ledger: Path, folder: Path) -> Path:
    """Return a copy of the ledger, if there is one, made while no other process can write it.

    DuckDB copies, not the file system: closing a second handle of a file would drop its lock.
    """
    copy = folder / ledger.name
    if not ledger.is_file():
        return copy
    with connection.cursor() as cursor, closing(LedgerFile(cursor, ledger, readonly=True)) as file:
        name = quote(folder.name)
        cursor.execute(f"ATTACH {literal(str(copy))} AS {name}")
        try:
            cursor.execute(f"COPY FROM DATABASE {quote(file.name)} TO {name}")
        finally:
            cursor.execute(f"DETACH {name}")
    return copy


def sweep(folder: Path) -> None:
    """Take away what killed rehearsals have left in a folder."""
    for path in folder.glob(f"{_FOLDER}*"):
        named = re.match(r"\d+", path.name.removeprefix(_FOLDER))
        if named and Process.find(int(named[0])) is None:
            with suppress(OSError):
                shutil.rmtree(path)
