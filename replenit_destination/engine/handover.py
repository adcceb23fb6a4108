"""Taking turns at a database file: a long push gives way to a newcomer, and the newcomer waits.

    newcomer   finds the file held ─► leaves a request beside it ─► tries again until it is its turn
    holder     looks for requests at every dispatch ─► ends cleanly; what is left is backlog

So an hourly load does not fail because a backfill delivers all night, and what the load brings, a
withdrawn consent first of all, does not wait for the backfill's end. Requests stand in a folder
`<file>.turns`, one file each, named so that the oldest sorts first. Those of dead processes do not
count, and whoever comes across one takes it away.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from replenit_destination.engine.processes import Process
from replenit_destination.exceptions import LedgerBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replenit_destination.engine.clock import Clock

__all__ = ["Handover"]

logger = logging.getLogger(__name__)

TRY_SECONDS = 0.1
SIGN_OF_LIFE_SECONDS = 2.0

_T = TypeVar("_T")

# One thread of a process stands in line for all: when it is in, the others are.
_line = threading.Lock()


class Handover:
    """The turns at one database file.

    Args:
        database: The file that only one process can have open.
    """

    def __init__(self, database: Path) -> None:
        self._name = database.name
        self._folder = database.with_name(f"{database.name}.turns")

    def asked(self) -> bool:
        """Return whether another living process waits for its turn; cheap enough for every request.

        Where nobody ever waited this is one call of the system.
        """
        return any(process.pid != os.getpid() for _, process in self._waiting())

    def take(
        self,
        attempt: Callable[[], _T],
        *,
        seconds: float,
        clock: Clock,
        stop: Callable[[], bool] = lambda: False,
    ) -> _T:
        """Return what the attempt returns as soon as the file is free and nobody was here before.

        Args:
            attempt: Opens the file; raises `LedgerBusyError` while another process has it.
            seconds: How long to wait; 0 tries once.
            clock: Time.
            stop: Asked while waiting; true ends the wait.

        Raises:
            LedgerBusyError: It is not free yet; says who has it.
        """
        try:
            return attempt()
        except LedgerBusyError as error:
            if seconds <= 0:
                raise
            logger.warning("%s Waiting up to %g seconds for it.", error, seconds)
        with _line, self._request() as mine:
            return self._stand(attempt, mine, clock.monotonic() + seconds, clock, stop)

    def _stand(
        self,
        attempt: Callable[[], _T],
        mine: Path,
        until: float,
        clock: Clock,
        stop: Callable[[], bool],
    ) -> _T:
        signed = clock.monotonic()
        while True:
            late = clock.monotonic() >= until or stop()
            if late or self._is_first(mine):
                try:
                    return attempt()
                except LedgerBusyError:
                    if late:
                        raise
            clock.wait(TRY_SECONDS)
            if clock.monotonic() - signed >= SIGN_OF_LIFE_SECONDS:
                signed = clock.monotonic()
                with contextlib.suppress(OSError):
                    mine.touch()

    @contextmanager
    def _request(self) -> Iterator[Path]:
        """Stand in line for the length of a `with` block."""
        name = f"{time.time_ns():020}-{os.getpid()}"
        mine, draft = self._folder / f"{name}.json", self._folder / f".{name}"
        text = json.dumps(Process.current().to_dict())
        # A folder that cannot be written does not keep anyone from waiting, only from asking.
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            draft.replace(mine)
        try:
            yield mine
        finally:
            with contextlib.suppress(OSError):
                mine.unlink(missing_ok=True)
                self._folder.rmdir()  # refused while others wait

    def _is_first(self, mine: Path) -> bool:
        first = next(self._waiting(), None)
        return first is None or first[0] >= mine.name

    def _waiting(self) -> Iterator[tuple[str, Process]]:
        """Yield what living processes ask, the oldest first; take away what dead ones asked."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        except OSError:
            return
        for path in paths:
            try:
                # The file system's time, which no clock of ours can stand for.
                silent = time.time() - path.stat().st_mtime
                process = Process.from_dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # just taken away, or written by something else
            if process.lives(silent):
                yield path.name, process
            else:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
