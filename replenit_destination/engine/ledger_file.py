"""The ledger's file: a DuckDB database of its own, attached beside the staged data.

It has a format version: an older program refuses a newer file. While it is attached no other
process can open it, so one run at a time writes.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.sql import literal, queries, quote
from replenit_destination.engine.storage import busy, is_busy
from replenit_destination.exceptions import LedgerVersionError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMAT_VERSION", "LedgerFile"]

FORMAT_VERSION = 1

logger = logging.getLogger(__name__)


class LedgerFile:
    """A ledger file attached to a DuckDB connection.

    Args:
        connection: Of the staging database; the ledger works on cursors of its own.
        path: The ledger's file; created with the current format when it is not there.

    Raises:
        LedgerBusyError: Another process holds the file.
        LedgerVersionError: A newer version of this package wrote it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self.name = "ledger_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
        self.schema = f"{quote(self.name)}.main"
        self.connection = connection.cursor()
        self._attach()
        self._check_format()

    def sql(self, name: str) -> str:
        """Return a named statement of `ledger.sql` for this file."""
        return queries("replenit_destination.engine", "ledger.sql")[name].replace(
            "{ledger}", self.schema
        )

    def close(self) -> None:
        """Detach the file, so that another process may open it."""
        try:
            self.connection.execute(f"DETACH DATABASE IF EXISTS {quote(self.name)}")
        except duckdb.Error as error:
            # It is detached all the same, and whoever opens it next reads the journal instead.
            logger.warning("The ledger's journal could not be written into its file: %s", error)
        self.connection.close()

    def _attach(self) -> None:
        try:
            self.connection.execute(
                f"ATTACH IF NOT EXISTS {literal(str(self.path))} AS {quote(self.name)}"
            )
        except duckdb.IOException as error:
            if not is_busy(error):
                raise
            raise busy(error, f"the ledger `{self.path.name}`", ledger=self.path) from error

    def _check_format(self) -> None:
        tables = self.connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = ?", [self.name]
        ).fetchone()
        if tables == (0,):
            self.connection.execute("BEGIN")
            self.connection.execute(self.sql("schema"))
            self.connection.execute(
                f"INSERT INTO {self.schema}.format VALUES (?, now())", [FORMAT_VERSION]
            )
            self.connection.execute("COMMIT")
            return
        row = self.connection.execute(f"SELECT max(version) FROM {self.schema}.format").fetchone()
        version = row[0] if row else 0
        if version > FORMAT_VERSION:
            message = (
                f"the ledger `{self.path.name}` has format {version}, this version reads up to "
                f"{FORMAT_VERSION}; upgrade dlt-replenit"
            )
            raise LedgerVersionError(message)
