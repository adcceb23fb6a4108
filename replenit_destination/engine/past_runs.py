"""The runs on record: when each began and ended, and its report."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.ledger_file import LedgerFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PastRun", "past_runs"]


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of a push.

    `started` and `finished` are Unix seconds. A run that was killed has neither an end nor a
    report.
    """

    run: str
    started: float
    finished: float | None = None
    report: dict[str, Any] = field(default_factory=dict)


def past_runs(
    ledger: Path,
    *,
    target: str,
    host: str,
    tenant: str,
    upto: str | None = None,
    last: int = 30,
) -> list[PastRun]:
    """Return the last runs of one tenant at one host, the oldest first.

    Args:
        ledger: The ledger's file.
        target: The vendor's name.
        host: Scheme, host and port.
        tenant: The tenant id.
        upto: The beginning of a run's name; later runs are left out, and none is returned when no
            name or more than one begins so. Default: the newest.
        last: How many runs at most.

    Raises:
        LedgerBusyError: A push has the ledger open.
        LedgerVersionError: A newer version of this package wrote the ledger.
    """
    if not ledger.is_file():
        return []
    with duckdb.connect() as connection, closing(LedgerFile(connection, ledger)) as file:
        rows = file.connection.execute(
            "SELECT run, epoch(started_at), epoch(finished_at), report"
            f" FROM {file.schema}.run JOIN {file.schema}.account USING (account)"
            " WHERE target = ? AND host = ? AND tenant = ? ORDER BY started_at, run",
            [target, host, tenant.lower()],
        ).fetchall()
    runs = [
        PastRun(run, started, finished, json.loads(report) if report else {})
        for run, started, finished, report in rows[-_NEEDED_AT_MOST:]
    ]
    if upto is not None:
        named = [place for place, one in enumerate(runs) if one.run.startswith(upto)]
        runs = runs[: named[0] + 1] if len(named) == 1 else []
    return runs[-last:]


_NEEDED_AT_MOST = 10_000  # a year of hourly runs
