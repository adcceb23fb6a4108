"""Where the staged rows are, and how a run opens them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.sql import literal
from replenit_destination.exceptions import LedgerBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Staged", "opened"]


@dataclass(frozen=True, slots=True)
class Staged:
    """The staged dataset.

    Args:
        database: The DuckDB file; not opened when `connection` is given.
        dataset: The schema with the tables.
        staging_dataset: Where the last merge's rows are, hard-deleted ones among them.
        hard_deletes: Table → its hard-delete column.
        tables_written: What the load that calls has written; None when unknown.
        connection: A connection to borrow; the run works on cursors of its own.
    """

    database: Path
    dataset: str
    staging_dataset: str | None = None
    hard_deletes: Mapping[str, str] = field(default_factory=dict)
    tables_written: frozenset[str] | None = None
    connection: duckdb.DuckDBPyConnection | None = None


@contextmanager
def opened(staged: Staged, *, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a cursor whose DuckDB keeps to the memory limit; its settings are put back afterwards.

    Raises:
        LedgerBusyError: Another process holds the database.
    """
    owned = None
    try:
        lender = staged.connection
        if lender is None:
            lender = owned = duckdb.connect(str(staged.database))
        cursor = lender.cursor()
    except duckdb.IOException as error:
        message = f"the database `{staged.database.name}` is in use; wait until that run has ended"
        raise LedgerBusyError(message) from error
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
        for name, value in before:
            cursor.execute(f"SET {name} = {literal(value)}")
        cursor.close()
        if owned is not None:
            owned.close()
