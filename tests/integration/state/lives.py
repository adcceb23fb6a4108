"""Machines that live and die around one folder of generations; started by test_state_kills.py.

Each life is a process: it fetches, sends one row unless its ledger knows it, and stores; told so,
it kills itself after a step. What was sent stands in a file that nobody takes back. Writes one line
of JSON per history: the step of the death, where the run after it was, what was sent and is known.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import duckdb
import pyarrow  # noqa: F401 - imported once, before the lives are forked

from replenit_destination.destinations.state import StateSession
from replenit_destination.destinations.state_files import LocalFiles
from replenit_destination.destinations.state_store import StateStore
from replenit_destination.engine.clock import SystemClock

STEPS = ("claimed", "downloaded", "unpacked", "replaced", "opened")
STEPS += ("packed", "uploaded", "published", "stored", "pruned")
FACTS = {"host": "example.com", "tenant": "t", "account": "a", "pipeline": "shop"}


def session_on(machine: Path, die_after: str = "") -> StateSession:
    def step(name: str) -> None:
        if name == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    machine.mkdir(parents=True, exist_ok=True)
    names = ("ledger.duckdb", "staging.duckdb", "quota.sqlite")
    files = LocalFiles(*(machine / name for name in names), working=None)
    store = StateStore(f"file://{machine.parent}/remote", clock=SystemClock())
    return StateSession(files, store, FACTS, step=step)


def known(session: StateSession) -> list[str]:
    with duckdb.connect(str(session.files.ledger)) as ledger:
        ledger.execute("CREATE TABLE IF NOT EXISTS accepted (row VARCHAR)")
        return [row for (row,) in ledger.execute("FROM accepted ORDER BY 1").fetchall()]


def live(machine: Path, row: str, die_after: str = "") -> None:
    session = session_on(machine, die_after)
    session.begin()
    if row not in known(session):
        with (machine.parent / "sent").open("a") as sent:
            sent.write(f"{row}\n")
        with duckdb.connect(str(session.files.ledger)) as ledger:
            ledger.execute("INSERT INTO accepted VALUES (?)", [row])
    session.store()


def life(machine: Path, row: str, die_after: str = "") -> None:
    """Let a process live it; it must end as it was told to."""
    child = os.fork()
    if not child:
        live(machine, row, die_after)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) == bool(die_after), f"{row}: {status}"


def history(folder: Path, step: str, *, same: bool) -> dict[str, object]:
    """A first run elsewhere, one that dies, two more on its machine or on a new one."""
    life(folder / "first", "1")
    life(folder / "second", "2", die_after=step)
    if not same:
        shutil.rmtree(folder / "second")
    last = folder / ("second" if same else "third")
    life(last, "2")
    life(last, "3")
    session = session_on(folder / "looker")
    session.begin()
    sent = (folder / "sent").read_text().split()
    told = {"step": step, "same": same, "sent": sent, "known": known(session)}
    session.release()
    return told


def main(folder: Path) -> None:
    for step in STEPS:
        # On a new machine nothing tells the steps of a fetch apart.
        for same in (True, False) if step in STEPS[4:] else (True,):
            here = folder / f"{step}-{same}"
            here.mkdir()
            child = os.fork()  # the looker has threads, and a life is forked before there are any
            if not child:
                sys.stdout.write(json.dumps(history(here, step, same=same)) + "\n")
                sys.stdout.flush()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0, step


if __name__ == "__main__":
    main(Path(sys.argv[1]))
