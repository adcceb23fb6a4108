"""Starts a user's script as a process of its own, against a shop and a vendor of the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.status import read_status
from tests.acceptance.kills.lives import without_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replenit_destination.sandbox import ReplenitSandbox
    from tests.acceptance.kills.source import Source

__all__ = ["Script", "Scripts"]

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 120.0


@dataclass
class Script:
    """A script that runs, and what it has written."""

    process: subprocess.Popen[str]
    report_file: Path

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return the exit code and what it said on stderr."""
        _, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, errors

    def report(self) -> dict[str, Any]:
        """Return the report it wrote."""
        report: dict[str, Any] = json.loads(self.report_file.read_text(encoding="utf-8"))
        return report


@dataclass
class Scripts:
    """A shop, its vendor, and the scripts that run on one pair of databases.

    Args:
        settings: Arguments of `replenit`, beyond those that name the vendor.
    """

    folder: Path
    box: ReplenitSandbox
    source: Source
    settings: dict[str, Any] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def ledger(self) -> Path:
        """The ledger of all scripts."""
        return self.folder / "stage.ledger.duckdb"

    @contextmanager
    def started(
        self,
        *,
        load: bool = True,
        push: bool = True,
        options: dict[str, Any] | None = None,
        name: str = "shop",
        **settings: Any,
    ) -> Iterator[Script]:
        """Start the script; it is killed when it still runs at the end of the block."""
        number = next(self._numbers)
        report = self.folder / f"report-{number}.json"
        given = self.folder / f"script-{number}.json"
        vendor = {
            "api_key": self.box.api_key,
            "tenant_id": self.box.tenant_id,
            "base_url": self.box.url,
            "customer_identifier_priority": "email",
            "quota_share": 1.0,
            "requests_per_minute": 1_000_000,
            "requests_per_hour": 1_000_000,
        }
        told = {
            "folder": str(self.folder),
            "name": name,
            "load": load,
            "push": push,
            "options": options or {},
            "report": str(report),
            "settings": {**vendor, **self.settings, **settings},
        }
        given.write_text(json.dumps(told), encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.kills.script", str(given)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Script(process, report)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)

    def run(self, **how: Any) -> dict[str, Any]:
        """Start the script, wait for its end and return its report."""
        with self.started(**how) as script:
            code, errors = script.ended()
            report = script.report()
            assert code == report["exit_code"], errors
            return report

    def wait_for_requests(self, number: int) -> None:
        """Return when the vendor has been asked so often."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.box.journal.total < number:
            assert time.monotonic() < until, f"only {self.box.journal.total} requests"
            time.sleep(0.005)

    def wait_for_stage(self, stage: str) -> None:
        """Return when a push says that it delivers this, and has had a moment for it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (status := read_status(self.ledger)) is None or status.stage != stage:
            assert time.monotonic() < until, status
            time.sleep(0.005)
        time.sleep(0.3)

    def held(self) -> dict[str, dict[str, Any]]:
        """Return what the vendor holds, without the flags that it fills in."""
        return without_defaults(self.box.state())

    def in_doubt(self) -> int:
        """Return how many documents the ledger knows only as perhaps sent."""
        with duckdb.connect(str(self.ledger)) as ledger:
            found = ledger.execute(
                "SELECT count(*) FROM entry WHERE sent AND content_hash IS NULL"
            ).fetchone()
        return int(found[0]) if found else 0
