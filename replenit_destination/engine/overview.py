"""How a tenant stands: its last runs, what waits, what is refused, and the quota that is used.

ledger free   ──► runs, entries and the pause, read from the ledger
ledger in use ──► the running push's status file, and what the last finished run said
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.last_run import last_run
from replenit_destination.engine.ledger_view import read_ledger
from replenit_destination.engine.pause import pause_of
from replenit_destination.engine.quota import QuotaShares, SharedQuota, Window, account_path
from replenit_destination.engine.status import read_status
from replenit_destination.exceptions import LedgerBusyError

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.ledger_view import LedgerView
    from replenit_destination.engine.pause import Pause
    from replenit_destination.engine.status import Status
    from replenit_destination.engine.target import Target

__all__ = ["Overview", "Run", "Used", "overview"]

COUNTS = ("accepted", "backlog", "withheld", "skipped", "rejected", "quarantined")
"""What is told of every entity: documents in these states."""

_ENTITIES = """
SELECT entity,
  count(*) FILTER (WHERE sent AND content_hash IS NOT NULL) AS accepted,
  count(*) FILTER (WHERE backlog IS NOT NULL AND backlog <> 'withheld') AS backlog,
  count(*) FILTER (WHERE backlog = 'withheld') AS withheld,
  count(*) FILTER (WHERE refusal = 'skipped') AS skipped,
  count(*) FILTER (WHERE refusal = 'rejected') AS rejected,
  count(*) FILTER (WHERE refusal IN ('quarantined', 'suspect')) AS quarantined
FROM entry WHERE account = ? GROUP BY entity ORDER BY entity
"""
_REFUSALS = """
SELECT entity, field, reason, count(*) AS count, list(key ORDER BY key)[:3] AS samples
FROM entry WHERE account = ? AND refusal IS NOT NULL AND refusal <> 'skipped'
GROUP BY ALL ORDER BY count DESC, entity, field, reason
"""
_RUNS = """
SELECT epoch(started_at) AS started, epoch(finished_at) AS finished, report FROM run
WHERE account = ? ORDER BY started_at DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: when it began and ended (Unix seconds), and the main numbers of its report.

    A run without an end was killed, or is under way.
    """

    started: float
    finished: float | None
    exit_code: int | None = None
    halted: str = ""
    error: str = ""
    requests: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0

    @classmethod
    def of(cls, report: dict[str, Any], *, started: float, finished: float | None) -> Run:
        """Return the run that a report is of; an empty report is of one that did not end."""
        entities = report.get("entities", {}).values()
        return cls(
            started=started,
            finished=finished,
            exit_code=report.get("exit_code"),
            halted=report.get("halted", ""),
            error=report.get("error", ""),
            requests=report.get("requests", 0),
            created=sum(one.get("created", 0) for one in entities),
            updated=sum(one.get("updated", 0) for one in entities),
            deleted=sum(one.get("deleted", 0) + one.get("children_deleted", 0) for one in entities),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Used:
    """One window of the account's quota: how many requests count in it now, of how many.

    `ours` is the share of the limit that this product takes.
    """

    seconds: float
    limit: int
    ours: int
    used: int

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass
class Overview:
    """How a tenant stands.

    `source` says where the counts are from: `ledger`, `last run` (the ledger is in use), or
    `nothing` (there is no ledger yet). `running` is the push under way, `busy` who else has the
    ledger. `unfolded` are verdicts of a run that was killed; the next run takes them in.
    """

    target: str
    host: str
    tenant: str
    source: str = "nothing"
    runs: list[Run] = field(default_factory=list)
    entities: dict[str, dict[str, int]] = field(default_factory=dict)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    quota: list[Used] = field(default_factory=list)
    pause: Pause | None = None
    running: Status | None = None
    busy: str = ""
    unfolded: int = 0

    @property
    def exit_code(self) -> int:
        """0 when nothing is refused or withheld and the last run ended well, otherwise 1."""
        troubled = any(
            one.get(name) for one in self.entities.values() for name in _TROUBLES
        ) or bool(self.unfolded)
        last = self.runs[0] if self.runs and not self.running else None
        return 1 if troubled or (last and last.exit_code not in {0, 3}) else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the overview as plain JSON values; `docs/operating.md` explains every key."""
        running = self.running
        return {
            "target": self.target,
            "host": self.host,
            "tenant": self.tenant,
            "source": self.source,
            "running": None
            if running is None
            else {
                "pid": running.process.pid,
                "machine": running.process.host,
                "started": running.started,
                "step": running.step,
                "stage": running.stage,
                "documents": running.documents,
                "requests": running.requests,
                "seconds_waiting_for_quota": running.seconds_waiting_for_quota,
            },
            "busy": self.busy,
            "pause": self.pause.to_dict() if self.pause else None,
            "runs": [one.to_dict() for one in self.runs],
            "entities": self.entities,
            "refusals": self.refusals,
            "quota": [one.to_dict() for one in self.quota],
            "unfolded": self.unfolded,
        }


_TROUBLES = ("withheld", "rejected", "quarantined")


def overview(
    ledger: Path, target: Target, *, clock: Clock, runs: int = 5, quota_share: float = 0.8
) -> Overview:
    """Return how a tenant stands; nothing is changed, and nothing is waited for.

    Args:
        ledger: The ledger's file.
        target: The vendor and tenant.
        clock: Time.
        runs: How many of the last runs to tell.
        quota_share: The configured share of the account's quota.

    Raises:
        LedgerVersionError: A newer version of this package wrote the ledger.
    """
    found = Overview(target.name, target.host, target.tenant)
    found.quota = _quota(ledger.parent, target, clock, quota_share)
    status = read_status(ledger)
    found.running = status if status and status.running(clock.now()) else None
    try:
        with read_ledger(ledger, target) as view:
            if view is not None:
                found.source = "ledger"
                _read(found, view, clock.now(), runs)
    except LedgerBusyError as error:
        found.busy = "" if found.running else str(error)
        _from_last_run(found, ledger, target)
    return found


def _read(found: Overview, view: LedgerView, now: float, runs: int) -> None:
    found.pause = pause_of(view, now)
    found.runs = [
        Run.of(json.loads(row["report"] or "{}"), started=row["started"], finished=row["finished"])
        for row in view.rows(_RUNS, runs)
    ]
    found.entities = {row.pop("entity"): row for row in view.rows(_ENTITIES)}
    for row in view.rows(_REFUSALS):
        names = [key_hash(row["entity"], key) for key in row["samples"]]
        found.refusals.append({**row, "samples": names})
    count = view.connection.execute(
        "SELECT (SELECT coalesce(sum(documents), 0) FROM journal WHERE kind = 'outcome')"
        " + (SELECT count(*) FROM outcome)"
    ).fetchone()
    found.unfolded = int(count[0]) if count else 0


def _from_last_run(found: Overview, ledger: Path, target: Target) -> None:
    """Take what the last finished run said, which is all that can be known for now."""
    last = last_run(ledger, target)
    if last is None:
        return
    found.source = "last run"
    report = last.report
    took = sum(report.get("seconds", {}).values())
    found.runs = [Run.of(report, started=last.finished - took, finished=last.finished)]
    for name, one in report.get("entities", {}).items():
        accepted = one.get("unchanged", 0) + one.get("created", 0) + one.get("updated", 0)
        counts = {state: one.get(state, 0) for state in COUNTS}
        found.entities[name] = {**counts, "accepted": accepted}
    found.refusals = report.get("refusals", [])


def _quota(folder: Path, target: Target, clock: Clock, share: float) -> list[Used]:
    windows = [Window(limit, seconds) for limit, seconds in target.windows]
    shares = QuotaShares(share)
    path = account_path(folder, target.account)
    used = [0] * len(windows)
    if path.is_file():
        with closing(SharedQuota(path, windows, clock=clock, shares=shares)) as shared:
            used = [shared.used(window) for window in windows]
    return [
        Used(window.seconds, window.limit, shares.allowed(window.limit, urgent=False), count)
        for window, count in zip(windows, used, strict=True)
    ]
