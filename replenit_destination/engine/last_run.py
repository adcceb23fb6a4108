"""The report of the last finished run, in a small file beside the ledger.

While a run has the ledger, nobody can read the reports inside it. The file holds one report for
each account of the ledger; reports hold no personal data.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.target import Target

__all__ = ["LastRun", "keep_last_run", "last_run", "last_run_path"]


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last finished run said, and when; the moment is Unix seconds."""

    finished: float
    report: dict[str, Any]


def last_run_path(ledger: Path) -> Path:
    """Return where the report of a ledger's last run is."""
    return ledger.with_name(f"{ledger.name}.last.json")


def last_run(ledger: Path, target: Target) -> LastRun | None:
    """Return what the last finished run of an account said; None when there was none."""
    try:
        kept = _read(ledger)[_account(target)]
        return LastRun(float(kept["finished"]), dict(kept["report"]))
    except (KeyError, TypeError, ValueError):
        return None


def keep_last_run(ledger: Path, target: Target, report: dict[str, Any], *, moment: float) -> None:
    """Write down what a run said; a disk that takes nothing more never stops a run for it."""
    path = last_run_path(ledger)
    text = json.dumps({**_read(ledger), _account(target): {"finished": moment, "report": report}})
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)


def _read(ledger: Path) -> dict[str, Any]:
    try:
        kept = json.loads(last_run_path(ledger).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _account(target: Target) -> str:
    return f"{target.name} {target.host} {target.tenant.lower()}"
