"""What goes wrong with database files: another process holds one, disk or memory take no more.

DuckDB tells all in its own words, as several kinds of errors; here they become ours, with who
holds the file and since when, which file system is full, or which setting allows more memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.processes import Process
from replenit_destination.engine.status import read_status
from replenit_destination.exceptions import LedgerBusyError, MemoryLimitError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["busy", "full", "is_busy", "storage_faults"]

_FULL = (
    "No space left on device",
    "File too large",
    "Disk quota exceeded",
    "Read-only file system",
    "Input/output error",
    "max_temp_directory_size",
    "database or disk is full",  # SQLite's words, where the quota is kept
    "disk I/O error",
)
_NEEDS_MEMORY = "SET memory_limit"  # advice in DuckDB's errors of several kinds
_CODES = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EIO}


def is_busy(error: BaseException) -> bool:
    """Return whether a file could not be opened because another process has it open."""
    return "Could not set lock on file" in str(error)


def busy(error: BaseException, what: str, *, ledger: Path | None = None) -> LedgerBusyError:
    """Return the error that says who has a file open, since when, and how far it is.

    Args:
        error: DuckDB's, or one that quotes it.
        what: The file by its name, as a message begins with it.
        ledger: Where a push of ours tells how far it is.
    """
    pid = re.search(r"\(PID (\d+)\)", str(error))
    holder = Process.find(int(pid[1])) if pid else None
    who = str(holder) if holder else f"another process{f' {pid[0]}' if pid else ''}"
    told = read_status(ledger) if ledger else None
    if told and holder and (told.process.pid, told.process.born) == (holder.pid, holder.born):
        return LedgerBusyError(
            f"{what} is held by a push, {who}: {told}. Run again when it has ended.",
            holder=holder.pid,
        )
    return LedgerBusyError(
        f"{what} is open in {who}. Only one process at a time can have it open, even to read: "
        "close it there (a notebook, a dashboard?) or wait until that run has ended.",
        holder=int(pid[1]) if pid else None,
    )


def full(error: BaseException, folder: Path) -> StorageError | None:
    """Return the error that names the file system that takes no more; None for any other error.

    Args:
        error: DuckDB's, the system's, or one that quotes them.
        folder: Where the file is when the error does not say.
    """
    text = str(error)
    reason = next((words for words in _FULL if words in text), None)
    if reason is None:
        code = error.errno if isinstance(error, OSError) else None
        if code not in _CODES:
            return None
        reason = os.strerror(code)
    quoted = re.search(r'file "([^"]+)"', text)
    named = error.filename if isinstance(error, OSError) else None
    path = Path(quoted[1] if quoted else named if isinstance(named, str) else folder)
    return StorageError(path, _mount(path), reason, free_bytes=_free(path))


@contextmanager
def storage_faults(folder: Path) -> Iterator[None]:
    """Turn errors of disk and memory inside the block into ours.

    Args:
        folder: Where the files are.

    Raises:
        StorageError: The disk takes no more.
        MemoryLimitError: DuckDB needs more memory than it may have.
    """
    try:
        yield
    except (duckdb.Error, sqlite3.Error, OSError) as error:
        told = full(error, folder)
        if told:
            raise told from error
        if _NEEDS_MEMORY in str(error):
            raise MemoryLimitError from error
        raise


def _mount(path: Path) -> Path:
    """Return the root of the file system a path is on."""
    found = path.absolute()
    while not (found.exists() and os.path.ismount(found)) and found != found.parent:
        found = found.parent
    return found


def _free(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(_mount(path)).free
    return None
