"""Who waits for a file, who comes first, and who does not count any more."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from replenit_destination.engine.handover import Handover
from replenit_destination.engine.processes import Process
from replenit_destination.exceptions import LedgerBusyError
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Busy:
    """A file that is free at the nth attempt."""

    def __init__(self, free_at: int) -> None:
        self.attempts = 0
        self.free_at = free_at

    def __call__(self) -> str:
        self.attempts += 1
        if self.attempts < self.free_at:
            message = "it is in use."
            raise LedgerBusyError(message)
        return "opened"


def ask(folder: Path, process: Process, moment: int = 0) -> Path:
    turns = folder / "shop.duckdb.turns"
    turns.mkdir(exist_ok=True)
    path = turns / f"{moment:020}-{process.pid}.json"
    path.write_text(json.dumps(process.to_dict()))
    return path


@pytest.fixture
def other() -> Iterator[Process]:
    """Another process that lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        found = Process.find(process.pid)
        assert found
        yield found
        process.kill()


def test_free_file_is_opened_without_a_trace(tmp_path: Path) -> None:
    turns = Handover(tmp_path / "shop.duckdb")
    assert turns.take(Busy(1), seconds=60, clock=FakeClock()) == "opened"
    assert list(tmp_path.iterdir()) == []


def test_newcomer_asks_while_it_waits_and_leaves_no_trace(tmp_path: Path) -> None:
    turns, clock = Handover(tmp_path / "shop.duckdb"), FakeClock()
    seen: list[int] = []

    class Watched(Busy):
        def __call__(self) -> str:
            seen.append(len(list(tmp_path.glob("*.turns/*.json"))))
            return super().__call__()

    assert turns.take(Watched(5), seconds=60, clock=clock) == "opened"
    assert seen == [0, 1, 1, 1, 1]
    assert not turns.asked(), "a process does not wait for itself"
    assert list(tmp_path.iterdir()) == []


def test_wait_ends_with_the_error_that_says_who_holds_it(tmp_path: Path) -> None:
    clock = FakeClock()
    began = clock.monotonic()
    with pytest.raises(LedgerBusyError, match="in use"):
        Handover(tmp_path / "shop.duckdb").take(Busy(10**6), seconds=30, clock=clock)
    assert 30 <= clock.monotonic() - began < 31
    assert list(tmp_path.iterdir()) == []


def test_who_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    clock = FakeClock()
    with pytest.raises(LedgerBusyError):
        Handover(tmp_path / "shop.duckdb").take(
            Busy(10**6), seconds=30, clock=clock, stop=lambda: clock.monotonic() > 1005
        )
    assert clock.monotonic() < 1006


def test_holder_is_asked_by_a_living_process_only(tmp_path: Path, other: Process) -> None:
    turns = Handover(tmp_path / "shop.duckdb")
    dead = ask(tmp_path, Process(other.pid, other.host, other.command, "another birth"))
    assert not turns.asked()
    assert not dead.exists()
    ask(tmp_path, other)
    assert turns.asked()


def test_who_came_first_goes_first(tmp_path: Path, other: Process) -> None:
    path, clock = ask(tmp_path, other), FakeClock()
    busy = Busy(2)

    class Patient(FakeClock):
        def wait(self, seconds: float, wake: object = None) -> None:
            super().wait(seconds)
            if self.monotonic() > 1003:
                path.unlink(missing_ok=True)
            else:
                assert busy.attempts == 1, "others are before us"

    clock = Patient()
    assert Handover(tmp_path / "shop.duckdb").take(busy, seconds=60, clock=clock) == "opened"
    assert clock.monotonic() > 1003


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_file_that_is_no_request_is_passed_over(tmp_path: Path, text: str) -> None:
    turns = tmp_path / "shop.duckdb.turns"
    turns.mkdir()
    (turns / "0.json").write_text(text)
    assert not Handover(tmp_path / "shop.duckdb").asked()
    assert Handover(tmp_path / "shop.duckdb").take(Busy(3), seconds=9, clock=FakeClock())


def test_command_lines_are_told_without_arguments(other: Process) -> None:
    """They may hold keys and addresses."""
    secret = "person1@example.com"
    with subprocess.Popen(
        [sys.executable, "-m", "timeit", "-s", f"print('{secret}', flush=True)", "input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()  # it runs, and the system knows how it was started
        found = Process.find(process.pid)
        process.kill()
    assert found
    assert found.command.endswith("-m timeit")
    assert secret not in str(found)
    assert f"(PID {found.pid}, running since 20" in str(found)
