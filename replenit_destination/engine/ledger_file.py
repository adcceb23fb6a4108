"""The ledger's file: a DuckDB database of its own, attached beside the staged data.

It has a format version: an older program refuses a newer file, a newer one upgrades an older file.
While it is attached no other process can open it, so one run at a time writes.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.ledger_format import (
    FORMAT_VERSION,
    back_up,
    upgrade,
    version_of,
)
from replenit_destination.engine.rewriting import rewrite
from replenit_destination.engine.sql import literal, queries, quote
from replenit_destination.engine.storage import busy, is_busy
from replenit_destination.exceptions import LedgerVersionError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMAT_VERSION", "LedgerFile"]

logger = logging.getLogger(__name__)


class LedgerFile:
    """A ledger file attached to a DuckDB connection.

    Args:
        connection: Of the staging database; the ledger works on cursors of its own.
        path: The ledger's file; created with the current format when it is not there.
        readonly: Only look: nothing is created and no format is asked for.

    Raises:
        LedgerBusyError: Another process holds the file.
        LedgerVersionError: A newer version of this package wrote it.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, path: Path, *, readonly: bool = False
    ) -> None:
        self.path = path
        self.name = "ledger_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
        self.schema = f"{quote(self.name)}.main"
        self.connection = connection.cursor()
        self.log = True
        """Whether what is sent about people is logged."""
        self.purged = False
        """Whether rows were deleted whose bytes must not stay in the file."""
        self._attach(" (READ_ONLY)" if readonly else "")
        if not readonly:
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
        if self.purged:
            rewrite(self.path)

    def _attach(self, how: str = "") -> None:
        try:
            self.connection.execute(
                f"ATTACH IF NOT EXISTS {literal(str(self.path))} AS {quote(self.name)}{how}"
            )
        except duckdb.IOException as error:
            if not is_busy(error):
                raise
            raise busy(error, f"the ledger `{self.path.name}`", ledger=self.path) from error

    def _check_format(self) -> None:
        version = version_of(self.connection, self.name)
        if 0 < version < FORMAT_VERSION:
            # Whoever closes a file that this process has open gives its lock away: detached first.
            self.connection.execute(f"CHECKPOINT {quote(self.name)}")
            self.connection.execute(f"DETACH DATABASE {quote(self.name)}")
            back_up(self.path, version)
            self._attach()
            version = version_of(self.connection, self.name)
        if version > FORMAT_VERSION:
            message = (
                f"the ledger `{self.path.name}` has format {version}, this version reads up to "
                f"{FORMAT_VERSION}; upgrade dlt-replenit"
            )
            raise LedgerVersionError(message)
        if version < FORMAT_VERSION:
            upgrade(self.connection, self.name, version)
