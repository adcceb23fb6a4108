"""Running programs as processes of their own, and the server beside them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped] # no stubs among the tools

from tests.benchmarks.rivals.programs import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.benchmarks.rivals.behaviour import Behaviour, Quota
    from tests.benchmarks.rivals.programs import Program

__all__ = ["Hold", "Run", "Server", "run"]

BATCH = 100
_TICK_SECONDS = 0.03
_ROOT = HERE.parents[2]


@dataclass(frozen=True, slots=True)
class Hold:
    """Kill the program when its `at`th request has come, before or after the work is done."""

    at: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program: of one process per site, all at once."""

    seconds: float
    cpu_seconds: float
    """Processor time of all its processes; other work on the machine changes it little."""
    peak_mb: float
    exit_code: int | None
    """The worst of all processes; None when they were killed or had to be ended."""
    killed: bool = False
    said: str = ""


class Server:
    """The server's process, seen by the suite."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **body: Any) -> Any:
        """Return what the control area answers."""
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self.url}/_bench/{path}", data=data)  # noqa: S310 - http
        with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310 - http
            return json.loads(answer.read())

    @classmethod
    @contextlib.contextmanager
    def started(cls, behaviour: Behaviour) -> Iterator[Server]:
        """Start a server of its own for one measurement."""
        command = [sys.executable, "-m", "tests.benchmarks.rivals.server"]
        process = subprocess.Popen(
            [*command, json.dumps(behaviour.to_json())],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield cls(int(process.stdout.readline()))
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


def run(
    program: Program,
    python: Path,
    sites: Sequence[Path],
    server: Server,
    quota: Quota | None,
    *,
    hold: Hold | None = None,
    limit_seconds: float = 300,
) -> Run:
    """Run a program once, one process per site.

    Args:
        program: What to run.
        python: Of its environment.
        sites: Folders with staged rows; the program keeps its own state in `state` below.
        server: Where it delivers to.
        quota: What it is told of the account's quota.
        hold: When to kill it.
        limit_seconds: When to end it.
    """
    reached = Event()
    if hold:
        server.ask("hold", at=hold.at, stored=hold.stored)
        Thread(target=_await_hold, args=(server, reached), daemon=True).start()
    began = time.monotonic()
    processes = [
        _start(program, python, site, place, server, quota) for place, site in enumerate(sites)
    ]
    peak, cpu, ended = 0.0, 0.0, False
    try:
        while under_way := _unended(processes):
            peak = max(peak, sum(_resident(process.pid) for process in under_way))
            if reached.is_set() or time.monotonic() - began > limit_seconds:
                ended = True
                _kill(under_way)
            time.sleep(_TICK_SECONDS)
            cpu += sum(_reap(process) for process in under_way)
    finally:  # whatever ends the suite ends what it has started
        _kill(_unended(processes))
    seconds = time.monotonic() - began
    if hold:
        server.ask("hold", at=0, stored=False)
    worst = max((process.returncode for process in processes), key=abs)
    said = "\n".join((site / "said").read_text(errors="replace")[-3000:] for site in sites)
    return Run(seconds, cpu, peak / 2**20, None if ended else worst, reached.is_set(), said)


def _start(
    program: Program, python: Path, site: Path, place: int, server: Server, quota: Quota | None
) -> subprocess.Popen[bytes]:
    (site / "state").mkdir(exist_ok=True)
    told = {
        "PYTHON": str(python),
        "HERE": str(program.folder),
        "MODEL": str(HERE / "orders.sql"),
        "SITE": str(site),
        "URL": server.url,
        "KEY": "a2V5",
        "TENANT": f"5a11d0b0-0000-4000-8000-{place + 1:012d}",
        "BATCH": str(BATCH),
        "QUOTA_LIMIT": str(quota.limit if quota else 0),
        "QUOTA_SECONDS": str(quota.seconds if quota else 0),
        "HOME": str(site / "state"),
        "DLT_DATA_DIR": str(site / "state" / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "PATH": os.environ["PATH"],
    }
    if not program.packages:
        told["PYTHONPATH"] = str(_ROOT)  # this checkout, whichever one is installed
    with (site / "said").open("wb") as said:
        return subprocess.Popen(
            ["bash", "-o", "pipefail", str(program.folder / "run.sh")],
            cwd=site / "state",
            env=told,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _await_hold(server: Server, reached: Event) -> None:
    with contextlib.suppress(OSError):  # the program ended first, and then the server
        server.ask("held")
        reached.set()


def _unended(processes: Sequence[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    return [process for process in processes if process.returncode is None]


def _kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)


def _reap(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time of a process and all it has waited for, once it has ended."""
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if not pid:
        return 0.0
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and all it has started."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total
