"""Two processes and one pair of databases: who holds them is said, a push of ours gives way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.processes import Process
from replenit_destination.engine.status import read_status, status_path
from replenit_destination.sandbox import Fault
from tests.acceptance.kills.scripts import Scripts
from tests.acceptance.kills.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

WORKERS = 2
HOLD = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reads"):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def shop(tmp_path: Path, replenit_sandbox_factory: Callable[..., ReplenitSandbox]) -> Scripts:
    """A shop whose delivery takes 2,000 requests: each order travels alone."""
    source = Source.made(tmp_path / "source.sqlite", customers=200, orders=2000, products=20)
    box = replenit_sandbox_factory(limits=None, keep_bodies=True)
    settings = {"orders_per_request": 1, "workers": WORKERS, "deliver": "manual"}
    return Scripts(tmp_path, box, source, settings)


@pytest.fixture
def corner(tmp_path: Path, replenit_sandbox_factory: Callable[..., ReplenitSandbox]) -> Scripts:
    """A shop whose delivery takes 200 requests."""
    source = Source.made(tmp_path / "source.sqlite", customers=100, orders=1000, products=10)
    box = replenit_sandbox_factory(limits=None, keep_bodies=True)
    settings = {"orders_per_request": 5, "workers": WORKERS, "deliver": "manual"}
    return Scripts(tmp_path, box, source, settings)


@contextmanager
def held(path: Path, how: str = "writes") -> Iterator[int]:
    """Let a dashboard have a database open; yields its process's number."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.kill()


def withdrawal(scripts: Scripts, customer: int, *, since: int) -> int:
    """Return which request after the first `since` brought a customer's withdrawal; 0 if none."""
    for entry in scripts.box.requests("POST", "/customers"):
        for document in json.loads(entry.body or b"[]"):
            gone = document["CustomerId"] == str(customer) and not document["GdprOptin"]
            if gone and entry.number > since:
                return entry.number - since
    return 0


def asked_at(scripts: Scripts, file: str = "stage.duckdb") -> int:
    """Return how many requests the vendor had answered when a newcomer asked for its turn."""
    folder = scripts.folder / f"{file}.turns"
    until = time.monotonic() + 60
    while not any(folder.glob("*.json")):
        assert time.monotonic() < until, "nobody asked"
        time.sleep(0.001)
    return scripts.box.journal.total


def orders_sent(scripts: Scripts, since: int = 0) -> list[str]:
    """Return the ids of the orders in the order of their arrival."""
    entries = [e for e in scripts.box.requests("POST", "/orders") if e.number > since]
    return [one["OrderId"] for e in entries for one in json.loads(e.body or b"[]")]


def test_opt_out_takes_over_from_a_push_with_2_000_queued_batches(shop: Scripts) -> None:
    """Accepted within the next five requests, whatever the running push still has to send."""
    shop.box.faults.add(Fault("delay", seconds=0.02))
    with shop.started() as backfill:
        shop.wait_for_requests(60)
        shop.source.withdraw(17)
        with shop.started() as newcomer:
            before = asked_at(shop)
            code, errors = backfill.ended()
            assert code == 3, errors
            assert backfill.report()["halted"] == "yielded"
            shop.box.faults.clear()
            code, errors = newcomer.ended()
            assert code == 0, errors
            assert "Waiting up to 300 seconds for it" in errors
            assert "is held by a push, `python" in errors
    place = withdrawal(shop, 17, since=before)
    assert 1 <= place <= 5
    assert before < 200, "and a queue there was"
    assert shop.held() == shop.source.expected()
    sent = orders_sent(shop)
    assert len(sent) == len(set(sent)) == 2000
    assert not list(shop.folder.glob("*.turns"))


def test_opt_out_goes_before_the_backlog_of_an_ended_run(shop: Scripts) -> None:
    assert shop.run(options={"max_requests": 10})["halted"] == "max_requests"
    before = shop.box.journal.total
    shop.source.withdraw(17)
    report = shop.run(options={"max_requests": 5})
    assert report["entities"]["orders"]["backlog"] > 1900
    assert withdrawal(shop, 17, since=before) == 1


def test_newcomers_queue_and_a_dead_one_is_passed_over(corner: Scripts) -> None:
    """The holder does not give way to who died, nor do others wait behind him."""
    corner.box.faults.add(Fault("delay", seconds=0.1))
    turns = corner.folder / "stage.duckdb.turns"
    turns.mkdir()
    dead = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process.find(dead.pid)
    assert process
    dead.kill()
    dead.communicate()
    (turns / f"{0:020}-{dead.pid}.json").write_text(json.dumps(process.to_dict()))
    with corner.started() as first:
        corner.wait_for_requests(20)
        assert not any(turns.glob("*.json")), "the request of a dead process is taken away"
        corner.source.withdraw(5)
        with corner.started() as second:
            asked_at(corner)
            with corner.started(push=False) as third:
                assert first.ended()[0] == 3
                corner.box.faults.clear()
                ends = [second.ended(), third.ended()]
    assert {code for code, *_ in ends} <= {0, 3}, ends
    assert corner.run()["exit_code"] == 0
    assert corner.held() == corner.source.expected()
    sent = orders_sent(corner)
    assert len(sent) == len(set(sent)) == 1000


def test_newcomer_killed_while_it_waits_leaves_the_way_free(corner: Scripts) -> None:
    with corner.started(push=False) as loading:
        assert loading.ended()[0] == 0
    with held(corner.folder / "stage.duckdb"):
        with corner.started(load=False) as newcomer:
            asked_at(corner)
            newcomer.signal(signal.SIGKILL)
            newcomer.ended()
        assert any((corner.folder / "stage.duckdb.turns").glob("*.json"))
    assert corner.run(load=False, options={"max_requests": 3})["requests"] == 3


@pytest.mark.parametrize(
    ("file", "how"), [("stage.duckdb", "reads"), ("stage.ledger.duckdb", "writes")]
)
def test_holder_that_is_not_ours_is_named_after_the_wait(
    corner: Scripts, file: str, how: str
) -> None:
    corner.run(options={"max_requests": 1})
    with (
        held(corner.folder / file, how) as pid,
        corner.started(load=False, lock_wait_seconds=1) as script,
    ):
        code, errors = script.ended()
    assert code == 1
    assert f"{file}` is open in `python" in errors
    assert f"(PID {pid}, running since 20" in errors
    assert "a notebook, a dashboard?" in errors
    assert "LedgerBusyError" in errors
    assert corner.run(load=False, options={"max_requests": 1})["requests"] == 1


def test_two_runs_at_a_time_wait_for_each_other(corner: Scripts) -> None:
    """The second extracts only when the first has staged, and takes nothing of its packages."""
    with (
        held(corner.folder / "stage.duckdb") as dashboard,
        corner.started(push=False) as first,
    ):
        asked_at(corner)
        with corner.started(push=False) as second, corner.started(lock_wait_seconds=0) as third:
            code, errors = third.ended()
            assert code == 1
            assert "LedgerBusyError: pipeline `shop` is being run by `python" in errors
            assert f"(PID {first.process.pid}, running since 20" in errors
            asked_at(corner, "shop.run")
            assert not corner.box.journal.total
            os.kill(dashboard, signal.SIGKILL)
            assert [first.ended()[0], second.ended()[0]] == [0, 0]
    assert sorted(path.name for path in corner.folder.glob("shop.run*")) == ["shop.run"]
    assert corner.run(load=False)["exit_code"] == 0
    assert corner.held() == corner.source.expected()


def test_killed_run_leaves_the_way_free(corner: Scripts) -> None:
    with held(corner.folder / "stage.duckdb"), corner.started() as first:
        asked_at(corner)
        first.signal(signal.SIGKILL)
        first.ended()
    assert (corner.folder / "shop.run.json").exists()
    assert corner.run(lock_wait_seconds=0)["exit_code"] == 0
    assert corner.held() == corner.source.expected()


def test_signal_ends_the_wait(corner: Scripts) -> None:
    corner.run(options={"max_requests": 1})
    with held(corner.folder / "stage.duckdb"), corner.started(load=False) as script:
        asked_at(corner)
        script.signal(signal.SIGTERM)
        began = time.monotonic()
        code, errors = script.ended()
    assert "SignalReceivedException" in errors
    assert code != 0
    assert time.monotonic() - began < 7.5


def test_push_tells_where_it_is_and_its_death_is_noticed(corner: Scripts) -> None:
    corner.box.faults.add(Fault("delay", seconds=0.1))
    assert read_status(corner.ledger) is None
    with corner.started() as script:
        corner.wait_for_stage("orders")
        corner.wait_for_requests(corner.box.journal.total + 60)
        status = read_status(corner.ledger)
        assert status
        assert status.running(time.time())
        assert (status.process.pid, status.step, status.stage) == (
            script.process.pid,
            "deliver",
            "orders",
        )
        assert 0 < status.requests <= corner.box.journal.total + WORKERS
        assert status.documents > 0
        assert status_path(corner.ledger).stat().st_mode & 0o077 == 0
        text = status_path(corner.ledger).read_text(encoding="utf-8")
        assert "person" not in text
        assert corner.box.api_key not in text
        script.signal(signal.SIGKILL)
        script.ended()
    status = read_status(corner.ledger)
    assert status
    assert not status.running(time.time())
    corner.run(load=False, options={"max_requests": 1})
    assert read_status(corner.ledger) is None


def test_backfill_over_four_nights_puts_live_changes_first_and_the_newest_orders_next(
    tmp_path: Path, replenit_sandbox_factory: Callable[..., ReplenitSandbox]
) -> None:
    """5,000 documents, four budgets, and a shop that goes on living in between."""
    source = Source.made(tmp_path / "source.sqlite", customers=1000, orders=3750, products=250)
    box = replenit_sandbox_factory(limits=None, keep_bodies=True)
    settings: dict[str, Any] = {"workers": WORKERS, "deliver": "manual"}
    settings |= dict.fromkeys(["customers_per_request", "products_per_request"], 50)
    settings["orders_per_request"] = 50
    nights = Scripts(tmp_path, box, source, settings)
    draws = random.Random(4)
    live: set[str] = set()
    delivered: set[str] = set()
    last = 0
    for budget in (30, 22, 22, 22, None):
        report = nights.run(options={"max_requests": budget})
        seen = orders_sent(nights, since=last)
        last = box.journal.total
        assert set(seen[: len(live)]) == live, "live changes go before the backlog"
        backlog = seen[len(live) :]
        numbers = [int(number) for number in backlog]
        assert numbers == sorted(numbers, reverse=True), "the newest orders first"
        assert not delivered & set(backlog), "nothing of the backlog travels twice"
        delivered |= set(seen)
        if budget is None:
            break
        assert (report["exit_code"], report["halted"]) == (3, "max_requests")
        before = source.expected()["orders"]
        source.edit(draws, orders=20)
        source.grow(50)
        after = source.expected()["orders"]
        # A change of what still waits leaves it where it waits.
        changed = {number for number, row in after.items() if before.get(number) != row}
        live = {number for number in changed if number in delivered or number not in before}
    assert report["exit_code"] == 0
    assert nights.held() == source.expected()
    assert nights.run()["requests"] == 0
