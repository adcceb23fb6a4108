"""What a person sees while a push of another process is under way."""

from __future__ import annotations

import signal
import subprocess
import sys

from .conftest import Desk, order


def test_status_and_questions_while_a_push_runs(desk: Desk) -> None:
    """The push has the ledger for itself and waits for its quota; nobody makes it give way."""
    desk.set("deliver", "manual")
    desk.set("requests_per_minute", 2)
    desk.set("orders_per_request", 1)
    desk.load(orders=[order(number) for number in range(1, 9)])
    where = ["--pipelines-dir", str(desk.here / "pipelines")]
    command = [sys.executable, "-m", "replenit_destination", "push", "--json", *where]
    push = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        while not (told := desk.type("status", "--json").json)["running"]:
            assert push.poll() is None
        while not told["running"]["requests"]:
            told = desk.type("status", "--json").json
            assert push.poll() is None
        assert told["running"]["pid"] == push.pid
        assert told["running"]["stage"] == "orders"
        assert "a push is under way: it delivers orders" in desk.type("status").out
        explained = desk.type("explain", "orders", "1")
        assert explained.code == 2
        assert "is held by a push" in explained.err
        assert push.poll() is None
    finally:
        push.send_signal(signal.SIGTERM)
        out, _ = push.communicate(timeout=30)
    assert push.returncode == 3
    assert '"halted": "stopped"' in out
    found = desk.type("status", "--json").json
    assert (found["running"], found["source"]) == (None, "ledger")
    assert found["entities"]["orders"]["backlog"] > 0
    assert found["quota"][0]["used"] == found["quota"][0]["ours"] == 1
