"""Where the staged rows are, and how a run opens them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.sql import literal
from replenit_destination.engine.storage import busy, is_busy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Staged", "connect", "tuned"]


@dataclass(frozen=True, slots=True)
class Staged:
    """The staged dataset.

    Args:
        database: The DuckDB file; not opened when `connection` is given.
        dataset: The schema with the tables.
        staging_dataset: Where the last merge's rows are, hard-deleted ones among them.
        hard_deletes: Table → its hard-delete column.
        tables_written: What the load that calls has written; None when unknown.
        load_id: The load that calls; None for a push by itself.
        connection: A connection to borrow; the run works on cursors of its own.
    """

    database: Path
    dataset: str
    staging_dataset: str | None = None
    hard_deletes: Mapping[str, str] = field(default_factory=dict)
    tables_written: frozenset[str] | None = None
    load_id: str | None = None
    connection: duckdb.DuckDBPyConnection | None = None


def connect(database: Path, *, ledger: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database file.

    Raises:
        LedgerBusyError: Another process has it open.
    """
    try:
        return duckdb.connect(str(database))
    except duckdb.IOException as error:
        if not is_busy(error):
            raise
        raise busy(error, f"the database `{database.name}`", ledger=ledger) from error


@contextmanager
def tuned(
    lender: duckdb.DuckDBPyConnection, *, memory_limit: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a cursor whose DuckDB keeps to the memory limit; afterwards it is as it was."""
    cursor = lender.cursor()
    before = cursor.execute(
        "SELECT name, value FROM duckdb_settings()"
        " WHERE name IN ('memory_limit', 'preserve_insertion_order', 'checkpoint_threshold')"
    ).fetchall()
    cursor.execute(f"SET memory_limit = {literal(memory_limit)}")
    cursor.execute("SET preserve_insertion_order = false")
    # The ledger's journal ends up in its entries; rewriting it into the file before is for nothing.
    cursor.execute("SET checkpoint_threshold = '128MB'")
    try:
        yield cursor
    finally:
        with suppress(duckdb.Error):  # a database that a full disk has closed takes no settings
            for name, value in before:
                cursor.execute(f"SET {name} = {literal(value)}")
        cursor.close()
