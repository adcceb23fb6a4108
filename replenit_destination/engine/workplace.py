"""Opens what a run works with: the staged tables, the ledger, the status file, the quota.

Files that another process has open are waited for. While a run has them, it tells where it is, and
sees who waits.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from replenit_destination.engine.handover import Handover
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.quota import QuotaShares, SharedQuota, Window, account_path
from replenit_destination.engine.staging import connect, tuned
from replenit_destination.engine.status import StatusFile
from replenit_destination.engine.storage import storage_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import duckdb

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.options import PushOptions
    from replenit_destination.engine.quota import Quota
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.tally import Tally
    from replenit_destination.engine.target import Target

__all__ = ["Workplace", "windows_of", "workplace"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a run has open."""

    connection: duckdb.DuckDBPyConnection
    file: LedgerFile
    status: StatusFile
    turns: tuple[Handover, ...]

    def give_way(self, tally: Tally, remaining: int) -> bool:
        """Tell how far the delivery is; return whether another process waits for a file."""
        self.status.refresh(tally, remaining)
        return any(each.asked() for each in self.turns)


@contextmanager
def workplace(
    staged: Staged,
    ledger: Path,
    *,
    clock: Clock,
    options: PushOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Workplace]:
    """Yield everything opened, and close it afterwards.

    Args:
        staged: The tables; a database is opened unless a connection is lent.
        ledger: The ledger's file; made when it is not there.
        clock: Time.
        options: How long to wait, and how much memory to use.
        stop: Asked while waiting; true ends the wait.

    Raises:
        LedgerBusyError: Another process kept one of the files.
        LedgerVersionError: A newer version of this package wrote the ledger.
        StorageError: The disk is full, at any time inside the block.
        MemoryLimitError: `memory_limit` is too low, likewise.
    """

    def wait(file: Path, attempt: Callable[[], _T]) -> _T:
        seconds = options.lock_wait_seconds
        return Handover(file).take(attempt, seconds=seconds, clock=clock, stop=stop)

    owned = None
    with storage_faults(ledger.parent):
        lender = staged.connection
        if lender is None:
            database = staged.database
            lender = owned = wait(database, lambda: connect(database, ledger=ledger))
        try:
            with (
                tuned(lender, memory_limit=options.memory_limit) as connection,
                closing(wait(ledger, lambda: LedgerFile(connection, ledger))) as file,
                closing(StatusFile(ledger, clock)) as status,
            ):
                file.log = options.delivery_log
                files = [ledger, *([staged.database] if staged.database.is_file() else [])]
                yield Workplace(connection, file, status, tuple(map(Handover, files)))
        finally:
            if owned is not None:
                owned.close()


@contextmanager
def windows_of(
    target: Target, folder: Path, given: Quota | None, *, clock: Clock, options: PushOptions
) -> Iterator[Quota]:
    """Yield the given windows, or the account's in a file of the folder that processes share."""
    if given is not None:
        yield given
        return
    windows = [Window(limit, seconds) for limit, seconds in target.windows]
    path = account_path(folder, target.account)
    shares = QuotaShares(options.quota_share)
    with closing(SharedQuota(path, windows, clock=clock, shares=shares)) as shared:
        yield shared
