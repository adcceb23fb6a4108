"""What makes thousands of histories affordable, and hides nothing they could show.

A history lives on small files and on hundreds of SQL statements over a handful of rows, so what
counts is what a statement costs before it does anything.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__all__ = ["new_folder", "quicken"]

_MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - not a fixed name: a new folder is made in it


def new_folder() -> Path:
    """Return a new folder, on a disk in memory where there is one, unless TMPDIR names another.

    Kills are exceptions at which the files are copied: nothing is asked of a disk that it would not
    also do in memory.
    """
    there = os.access(_MEMORY_DISK, os.W_OK) and "TMPDIR" not in os.environ
    prefix = "replenit-history-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY_DISK if there else None))


def quicken(connection: duckdb.DuckDBPyConnection) -> None:
    """Spare a database of a few rows what only large ones gain from."""
    connection.execute("SET threads = 1")
    connection.execute("SET force_compression = 'uncompressed'")
