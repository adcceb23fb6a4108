"""`run_lock`: one process at a time runs a pipeline.

dlt keeps what a run has extracted, and where it goes on, in the pipeline's working folder, and asks
nobody before it takes from there. A second process would load the first one's packages as its own,
or write back an older cursor. A push needs no such lock: it takes turns at the databases.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from dlt.common.runtime import signals

from replenit_destination.destinations.privacy import keep_private
from replenit_destination.destinations.setup import client_of, find_pipeline
from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.handover import Handover
from replenit_destination.engine.processes import Process
from replenit_destination.engine.storage import storage_faults
from replenit_destination.exceptions import LedgerBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dlt import Pipeline

__all__ = ["run_lock"]


@contextmanager
def run_lock(
    pipeline: Pipeline | str | None = None, *, pipelines_dir: str | Path | None = None
) -> Iterator[None]:
    """Keep other processes from running a pipeline for the length of a `with` block.

        with run_lock(pipeline):
            pipeline.run(source())
        push(pipeline)

    A process that comes second waits `lock_wait_seconds` (300), in the order of arrival. The lock
    goes with the process that holds it, however that ends. Taken again inside its own block it
    would wait for itself. It lies beside the staging database; where that is an open connection, no
    other process can have it and nothing is locked.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit, or a setting is missing.
        LedgerBusyError: Another process still ran it after the wait; says which and since when.
        StorageError: The disk is full.
    """
    found = find_pipeline(pipeline, pipelines_dir)
    config = client_of(found).config
    if config.database is None:
        yield
        return
    keep_private(config.database.parent)
    path = config.database.with_name(f"{found.pipeline_name}.run")
    with storage_faults(path.parent):
        try:
            lock = Handover(path).take(
                lambda: _locked(path),
                seconds=config.lock_wait_seconds,
                clock=SystemClock(),
                stop=signals.was_signal_received,
            )
        except LedgerBusyError:
            signals.raise_if_signalled()  # then it was not the wait that ended
            raise
    holder = _holder(path)
    with closing(lock):
        try:
            with storage_faults(path.parent):
                holder.touch(mode=0o600)
                holder.write_text(json.dumps(Process.current().to_dict()), encoding="utf-8")
            yield
        finally:
            holder.unlink(missing_ok=True)


def _locked(path: Path) -> sqlite3.Connection:
    """Return a connection whose lock the system takes away when the process ends.

    SQLite locks files on every system, and leaves this one empty.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        process = _told(_holder(path))
        message = (
            f"pipeline `{path.stem}` is being run by {process or 'another process'}. Two runs at a "
            "time would mix up what dlt keeps of them: run again when that one has ended."
        )
        raise LedgerBusyError(message, holder=process.pid if process else None) from error
    return connection


def _holder(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _told(holder: Path) -> Process | None:
    """Return the process that says it holds the lock, if it lives."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        process = Process.from_dict(json.loads(holder.read_text(encoding="utf-8")))
        return process if process.lives(0.0) else None
    return None
