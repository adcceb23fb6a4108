"""Breaking off a long statement of the database when the run is asked to stop.

Comparing ten million rows takes minutes, a scheduler waits seconds before it kills.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable

    from replenit_destination.engine.clock import Clock

__all__ = ["finished", "finished_in_time"]

ASK_SECONDS = 0.2
BOOKS_SECONDS = 1.5
"""How long a stopped run sets its books in order; then it leaves that to the next one."""


def finished(
    work: Callable[[], object],
    *connections: duckdb.DuckDBPyConnection,
    stop: Callable[[], bool],
) -> bool:
    """Do some work and return whether it came to its end; a true `stop` breaks it off.

    A statement that is broken off has no effect.

    Args:
        work: What to do.
        *connections: Those whose statements may be broken off.
        stop: Asked several times a second, on a thread of its own.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(ASK_SECONDS):
            if stop():
                for connection in connections:
                    connection.interrupt()

    watcher = threading.Thread(target=watch, name="stopping", daemon=True)
    watcher.start()
    try:
        work()
    except duckdb.InterruptException:
        return False
    else:
        return True
    finally:
        over.set()
        watcher.join()


def finished_in_time(
    work: Callable[[], object],
    *connections: duckdb.DuckDBPyConnection,
    clock: Clock,
    hurried: bool,
) -> bool:
    """Do some work and return whether it came to its end.

    Args:
        work: What to do.
        *connections: Those whose statements may be broken off.
        clock: Time.
        hurried: Whether it may take `BOOKS_SECONDS` only, as after a signal.
    """
    if not hurried:
        work()
        return True
    until = clock.monotonic() + BOOKS_SECONDS
    return finished(work, *connections, stop=lambda: clock.monotonic() >= until)
