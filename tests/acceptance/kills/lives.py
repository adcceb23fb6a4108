"""Living again and again: start a life, kill it, remember where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from replenit_destination.engine.processes import Process
from replenit_destination.sandbox import Fault, ReplenitSandbox
from tests.acceptance.kills.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

__all__ = ["TARGETS", "Lives", "lives", "without_defaults"]

ROOT = Path(__file__).resolve().parents[3]
KEYS = {"customers": "Email", "orders": "OrderId", "products": "ProductId"}
DEFAULTS = {"EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "IsExcluded"}
DEFAULTS |= {"IsGift", "IsOfflineExclusive"}

# Part → in which of its calls a life of this shop may die.
TARGETS = {
    "staging": 1,
    "handed over": 1,
    "diff": 3,
    "intent": 6,
    "in flight": 6,
    "record": 6,
    "record later": 6,
    "left pending": 1,
    "fold": 2,
    "marked": 3,
    "finish": 1,
    "closing": 1,
    "report kept": 1,
}
AT_THE_END = {"left pending", "fold", "marked", "finish", "closing", "report kept"}
DELIVERING = {"deliver", "in flight", "intent", "record"}


@dataclass
class Lives:
    """A shop, its vendor, and the process that is killed and started again.

    Args:
        folder: Where the source, the databases and dlt's files are.
        random: Decides when and where a life ends.
        workers: Requests under way at once.
        batch: Documents in one request.

    `doubtful` are the documents sent last by a life that was killed, `allowed` how many could be in
    flight at all deaths so far.
    """

    folder: Path
    box: ReplenitSandbox
    source: Source
    process: subprocess.Popen[str]
    random: Random
    workers: int
    batch: int
    hits: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    seen: int = 0
    bodies: dict[tuple[str, str], str] = field(default_factory=dict)
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    allowed: int = 0

    def live(
        self,
        *,
        load: bool = True,
        deliver: str = "load",
        seconds: float | None = None,
        delivering: float | None = None,
        target: str = "",
    ) -> int:
        """Live once and return the exit code, which is -9 when the life was killed.

        Args:
            load: Whether it loads what changed before it pushes.
            deliver: Whether the load delivers too.
            seconds: Kill it so long after its begin.
            delivering: Kill it so long after it has begun to deliver.
            target: The part in which it kills itself, if it comes to that before.
        """
        how: dict[str, Any] = {"workers": self.workers, "batch": self.batch}
        # A budget brings a life to its end before it has delivered everything.
        how |= {
            "deliver": deliver,
            "load": load,
            "max_requests": 5 if target in AT_THE_END else None,
        }
        if target:
            call = self.random.randint(1, TARGETS[target])
            how |= {"die_in": target, "call": call, "step": self.random.randrange(12)}
        self._write(json.dumps(how))
        pid = int(self._read())
        if delivering is not None:
            while self._alive(pid) and self.phase not in DELIVERING:
                time.sleep(0.01)
            seconds = delivering
        until = time.monotonic() + (seconds if seconds is not None else float("inf"))
        while self._alive(pid):
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(min(0.01, max(0.0, until - time.monotonic())))
        code = int(self._read())
        if code == -signal.SIGKILL:
            self._last_requests_arrived()
            self.kills += 1
            self.hits[self.phase] += 1
        return code

    @property
    def phase(self) -> str:
        """Where the life is, or was when it died."""
        return (self.folder / "phase").read_bytes().decode().strip()

    @staticmethod
    def _alive(pid: int) -> bool:
        # The program that forked it waits for it, so a dead one is gone at once or nearly so.
        process = Process.find(pid)
        return process is not None

    def _last_requests_arrived(self) -> None:
        """Return when the vendor has read all that the dead one had sent, and hung up."""
        port = int(self.box.url.rpartition(":")[2])
        until = time.monotonic() + 30
        while any(
            one.laddr.port == port and one.status in {"ESTABLISHED", "CLOSE_WAIT"}
            for one in psutil.Process().net_connections("tcp")
        ):
            assert time.monotonic() < until, "the vendor still talks to the dead"
            time.sleep(0.002)

    def repeated(self, *, killed: bool) -> int:
        """Return how many documents the life that has just ended sent again unchanged.

        Each of them must have been sent last by a life that was killed: what a life that came to
        its end has sent is on record.
        """
        found, sent = 0, set()
        for entry in self.box.journal.requests(since=self.seen):
            self.seen = entry.number
            if entry.method == "DELETE":
                key = (entry.path.split("/")[1], entry.path.rpartition("/")[2] + entry.query)
                # Whoever is deleted may come again with the same words.
                self.bodies.pop((key[0], key[1]), None)
                continue
            for document in json.loads(entry.body or b"[]"):
                name = (entry.entity, str(document[KEYS[entry.entity]]))
                text = json.dumps(document, sort_keys=True)
                if self.bodies.get(name) == text:
                    assert name in self.doubtful, f"{entry.entity} sent for nothing"
                    assert name not in sent, f"{entry.entity} sent twice in one life"
                    found += 1
                self.bodies[name] = text
                sent.add(name)
        self.doubtful -= sent
        if killed:
            self.doubtful |= sent
            # Of what it sent, no more than its connections can carry was in flight.
            self.allowed += min(len(sent), self.workers * self.batch)
        return found

    def held(self) -> dict[str, dict[str, Any]]:
        """Return what the vendor holds, without the flags that it fills in."""
        return without_defaults(self.box.state())

    def report(self) -> dict[str, Any]:
        """Return the report of the last life that came to its end."""
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text("utf-8"))
        return report

    def errors(self) -> str:
        """Return what the lives wrote on stderr."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def _write(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def _read(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.errors()
        return line


@contextmanager
def lives(
    folder: Path,
    random: Random,
    *,
    documents: int = 20_000,
    workers: int = 2,
    batch: int = 50,
    latency: float = 0.05,
) -> Iterator[Lives]:
    """Yield a shop of so many documents, a vendor that answers slowly, and lives to be lived."""
    source = Source.made(
        folder / "source.sqlite",
        customers=documents // 5,
        orders=documents * 3 // 4,
        products=documents // 20,
    )
    (folder / "phase").write_bytes(b"start".ljust(32))
    with (
        ReplenitSandbox(limits=None, keep_bodies=True) as box,
        (folder / "stderr").open("w", encoding="utf-8") as errors,
    ):
        box.faults.add(Fault("delay", seconds=latency))
        with subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.acceptance.kills.life", str(folder)),
                *(box.url, box.api_key, box.tenant_id),
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process:
            yield Lives(folder, box, source, process, random, workers, batch)
            assert process.stdin
            process.stdin.close()


def without_defaults(state: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a vendor's state without the flags that it fills in."""
    return {
        entity: {key: _plain(one) for key, one in documents.items()}
        for entity, documents in state.items()
    }


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [_plain(one) for one in value] if isinstance(value, list) else value
        for name, value in document.items()
        if name not in DEFAULTS
    }
