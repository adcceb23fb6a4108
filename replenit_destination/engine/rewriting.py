"""Rewrites a database file, so that what was deleted in it is gone from the disk too.

DuckDB only marks deleted rows; their bytes stay in the file until something else takes their place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.sql import literal
from replenit_destination.engine.storage import busy, is_busy

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["rewrite"]

_MEMORY = "512MB"
_OWNER = 0o600


def rewrite(path: Path) -> None:
    """Copy a database that nobody has open into a new file and put that in its place.

    The new file is for its owner only. Killed at any moment, either file is whole: the old one, or
    the new one. What a killed attempt has left is taken away by the next.

    Raises:
        LedgerBusyError: Another process has it open.
    """
    part = path.with_name(f"{path.name}.rewriting")
    for left in (part, part.with_name(f"{part.name}.wal")):
        left.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = {literal(_MEMORY)}")
        connection.execute("SET preserve_insertion_order = false")
        try:
            connection.execute(f"ATTACH {literal(str(path))} AS old")
        except duckdb.IOException as error:
            if not is_busy(error):
                raise
            raise busy(error, f"the database `{path.name}`") from error
        connection.execute("CHECKPOINT old")
        connection.execute(f"ATTACH {literal(str(part))} AS fresh")
        part.chmod(_OWNER)
        connection.execute("COPY FROM DATABASE old TO fresh")
        connection.execute("DETACH fresh")
        _to_disk(part)
        part.replace(path)  # while the old one is still locked: nobody writes into it any more
        _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
