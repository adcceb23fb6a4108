"""Who a process is: enough to name it in a message, and to know whether it still lives.

Nothing of a command line but the program's and the script's name is ever read out: the rest may
hold keys and people's data.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

__all__ = ["Process"]

SILENCE_SECONDS = 10.0
"""After so long without a sign of life a process that cannot be looked up counts as dead."""

_PROC = Path("/proc")
_PS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one machine.

    `born` tells apart two processes that had the same number one after the other; `started` is the
    same moment in Unix seconds, as far as the machine tells.
    """

    pid: int
    host: str
    command: str = ""
    born: str = ""
    started: float | None = None

    @classmethod
    def current(cls) -> Self:
        """Return the process this runs in."""
        return cls.find(os.getpid()) or cls(os.getpid(), socket.gethostname())

    @classmethod
    def find(cls, pid: int) -> Self | None:
        """Return a living process of this machine; None when there is none or nobody can tell."""
        found = _from_proc(pid) if (_PROC / "self").exists() else _from_ps(pid)
        return cls(pid, socket.gethostname(), *found) if found else None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the process `to_dict` described."""
        return cls(**{name: values[name] for name in cls.__slots__})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def lives(self, silent_seconds: float) -> bool:
        """Return whether it still runs.

        Args:
            silent_seconds: How long ago it gave a sign of life; decides for processes of other
                machines, and where the system does not tell about processes.
        """
        if self.host == socket.gethostname() and os.name == "posix" and self.born:
            found = Process.find(self.pid)
            return found is not None and found.born == self.born
        return silent_seconds < SILENCE_SECONDS

    def __str__(self) -> str:
        name = f"`{self.command}`" if self.command else "another process"
        since = ""
        if self.started is not None:
            moment = datetime.fromtimestamp(self.started, UTC)
            since = f", running since {moment:%Y-%m-%d %H:%M:%S} UTC"
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"{name} (PID {self.pid}{where}{since})"


def _from_proc(pid: int) -> tuple[str, str, float | None] | None:
    """Return command, birth and start from Linux's /proc, which needs no other program."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        line = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
        machine = (_PROC / "stat").read_text(encoding="ascii")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    state, ticks = fields[0], int(fields[19])
    if state in {"Z", "X"}:
        return None
    boot = re.search(r"^btime (\d+)$", machine, re.MULTILINE)
    started = int(boot[1]) + ticks / os.sysconf("SC_CLK_TCK") if boot else None
    return _named(line.split("\0")), str(ticks), started


def _from_ps(pid: int) -> tuple[str, str, float | None] | None:
    """Return the same from `ps`, which every other Unix has."""
    try:
        told = subprocess.run(  # noqa: S603 - a number is all that is put in
            ["ps", "-o", "state=,lstart=,command=", "-p", str(pid)],  # noqa: S607 - found by PATH
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            text=True,
            timeout=_PS_SECONDS,
            check=False,
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    if len(told) < 6 or told[0].startswith("Z"):  # the state and the five words of `lstart`
        return None
    born = " ".join(told[1:6])
    try:
        started = datetime.strptime(born, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return _named(told[6:]), born, started


def _named(words: list[str]) -> str:
    """Return program and script without folders, and nothing of what follows them."""
    if not words or not words[0]:
        return ""
    program, *rest = words
    names = [Path(program).name]
    if rest[:1] == ["-m"]:
        names += rest[:2]
    elif names[0].startswith("python") and rest and not rest[0].startswith("-"):
        names.append(Path(rest[0]).name)
    return " ".join(name for name in names if name)
