"""A ledger as people's questions read it: beside the runs, and without changing anything.

A run has its ledger open for itself; DuckDB then lets nobody else look, and `read_ledger` says who
has it. Between runs any number of readers may look at once.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.ledger_file import FORMAT_VERSION
from replenit_destination.engine.storage import busy, is_busy
from replenit_destination.exceptions import LedgerVersionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replenit_destination.engine.target import Target

__all__ = ["LedgerView", "read_ledger"]


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What a ledger says about one account; `account` is None where it says nothing yet."""

    connection: duckdb.DuckDBPyConnection
    account: int | None

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of a query on the ledger's tables, column by column.

        Args:
            query: The first `?` is the account.
            *values: For the others.
        """
        cursor = self.connection.execute(query, [self.account, *values])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def has(self, table: str) -> bool:
        """Return whether a table is there; those of later versions are made by the next run."""
        found = self.connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [table]
        ).fetchone()
        return found != (0,)


@contextmanager
def read_ledger(path: Path, target: Target) -> Iterator[LedgerView | None]:
    """Yield what a ledger says about a target's tenant; None where there is no ledger yet.

    Raises:
        LedgerBusyError: A run, or another program, has it open to write.
        LedgerVersionError: A newer version of this package wrote it.
    """
    if not path.is_file():
        yield None
        return
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.IOException as error:
        if not is_busy(error):
            raise
        raise busy(error, f"the ledger `{path.name}`", ledger=path) from error
    with closing(connection):
        # Moments are told in UTC, wherever this machine is.
        connection.execute("SET TimeZone = 'UTC'")
        if connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,):
            yield None  # killed while it was made
            return
        version = connection.execute("SELECT max(version) FROM format").fetchone() or (0,)
        if version[0] > FORMAT_VERSION:
            message = f"the ledger `{path.name}` has format {version[0]}; upgrade dlt-replenit"
            raise LedgerVersionError(message)
        found = connection.execute(
            "SELECT account FROM account WHERE target = ? AND host = ? AND tenant = ?",
            [target.name, target.host, target.tenant.lower()],
        ).fetchone()
        yield LedgerView(connection, found[0] if found else None)
