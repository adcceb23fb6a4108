"""A ledger opened to be changed by a person's command, without staged tables.

A push that has it open is asked to give way, as another push would ask it.
"""

from __future__ import annotations

import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.handover import Handover
from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.ledger_view import LedgerView
from replenit_destination.engine.storage import storage_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.target import Target

__all__ = ["ledger_of", "own_ledger", "view_of"]


@contextmanager
def own_ledger(
    path: Path, target: Target, *, clock: Clock, wait_seconds: float = 300.0
) -> Iterator[Ledger]:
    """Yield the ledger of a target's tenant, folded; it is made when it is not there.

    Args:
        path: The ledger's file.
        target: The vendor and tenant.
        clock: Time.
        wait_seconds: How long to wait for whoever has it open.

    Raises:
        LedgerBusyError: It was not free in time.
        LedgerVersionError: A newer version of this package wrote it.
        StorageError: The disk is full.
    """
    with storage_faults(path.parent), duckdb.connect() as memory:
        # Attached before anything else is written, so that a busy file changes nothing.
        file = Handover(path).take(
            lambda: LedgerFile(memory, path), seconds=wait_seconds, clock=clock
        )
        with closing(file):
            ledger = ledger_of(file, target, clock)
            ledger.fold()
            yield ledger


def ledger_of(file: LedgerFile, target: Target, clock: Clock) -> Ledger:
    """Return the part of an attached file that belongs to a target's tenant."""
    return Ledger(
        file,
        target=target.name,
        host=target.host,
        tenant=target.tenant,
        run=uuid.uuid4().hex,
        fingerprint="",
        specs=target.entities,
        clock=clock,
    )


def view_of(ledger: Ledger) -> LedgerView:
    """Return an opened ledger as readers see one."""
    cursor = ledger.connection.cursor()
    cursor.execute(f"USE {ledger.schema}")
    cursor.execute("SET TimeZone = 'UTC'")
    return LedgerView(cursor, ledger.account)
