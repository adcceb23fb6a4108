"""What a running push tells about itself: a small file beside the ledger.

DuckDB lets nobody look into a database that another process writes, so the run says by itself where
it is. The file holds counts and names of entities, no keys and no personal data; it is replaced as
a whole, so that a reader never sees half of one, and is gone when the run has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.tally import Tally

__all__ = ["Status", "StatusFile", "read_status", "status_path"]

REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Status:
    """Where a push is.

    `step` is one of the report's (`recover`, `diff`, `deliver`, `record`), `stage` what is being
    delivered, such as `orders`. `documents` and `requests` are those of this run so far,
    `remaining` documents and removals have no verdict yet, as far as the comparison told,
    `seconds_waiting_for_quota` is how much of its time it waited for the account's windows. Moments
    are Unix seconds.
    """

    process: Process
    started: float
    updated: float
    step: str = ""
    stage: str = ""
    requests: int = 0
    documents: int = 0
    remaining: int = 0
    seconds_waiting_for_quota: float = 0.0

    def running(self, now: float) -> bool:
        """Return whether the run that wrote this still lives; otherwise it died."""
        return self.process.lives(now - self.updated)

    def __str__(self) -> str:
        stage = f"delivers {self.stage}" if self.stage else "compares" if self.step else "begins"
        return f"it {stage}, {self.documents:,} documents in {self.requests:,} requests so far"


def status_path(ledger: Path) -> Path:
    """Return where a push with this ledger tells where it is."""
    return ledger.with_name(f"{ledger.name}.status.json")


def read_status(ledger: Path) -> Status | None:
    """Return what the push with this ledger last told of itself, or None when none is under way.

    A run that was killed leaves its file behind: ask `Status.running`.
    """
    try:
        values: dict[str, Any] = json.loads(status_path(ledger).read_text(encoding="utf-8"))
        return Status(**{**values, "process": Process.from_dict(values["process"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


class StatusFile:
    """Keeps the file up to date; a disk that takes nothing more never stops the push for it.

    Args:
        ledger: The push's ledger.
        clock: Time.
    """

    def __init__(self, ledger: Path, clock: Clock) -> None:
        self._path = status_path(ledger)
        self._clock = clock
        self._written = float("-inf")
        now = clock.now()
        self._status = Status(Process.current(), started=now, updated=now)

    def enter(self, step: str, stage: str = "") -> None:
        """Note that a step or a stage of the delivery begins."""
        self._status = replace(self._status, step=step, stage=stage)
        self._write()

    def refresh(self, tally: Tally, remaining: int = 0) -> None:
        """Tell the counts, at most once a second.

        Args:
            tally: What the delivery has counted.
            remaining: Documents and removals without a verdict.
        """
        if self._clock.monotonic() - self._written < REFRESH_SECONDS:
            return
        self._status = replace(
            self._status,
            requests=tally.requests,
            documents=tally.verdicts.total(),
            remaining=remaining,
            seconds_waiting_for_quota=round(tally.seconds_waiting_for_quota, 3),
        )
        self._write()

    def close(self) -> None:
        """Take the file away: the run has ended."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = self._clock.monotonic()
        self._status = replace(self._status, updated=self._clock.now())
        text = json.dumps(asdict(self._status))
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            fresh.replace(self._path)
