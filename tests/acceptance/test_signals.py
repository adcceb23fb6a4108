"""Ctrl-C and TERM, sent to real processes: what is in flight is recorded, the next run is right.

Airflow kills 5 seconds after its TERM (60 before its version 3), GitHub Actions sends TERM 7.5
seconds after its Ctrl-C and kills 2.5 seconds later.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from replenit_destination.sandbox import Fault
from tests.acceptance.kills.scripts import Scripts
from tests.acceptance.kills.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

GRACE_SECONDS = 7.5
SIGNALS = {"Ctrl-C": signal.SIGINT, "TERM": signal.SIGTERM}


@pytest.fixture
def scripts(tmp_path: Path, replenit_sandbox_factory: Callable[..., ReplenitSandbox]) -> Scripts:
    """A shop whose delivery takes 120 requests of a vendor that needs a moment for each."""
    source = Source.made(tmp_path / "source.sqlite", customers=50, orders=1000, products=10)
    box = replenit_sandbox_factory(limits=None, keep_bodies=True)
    box.faults.add(Fault("delay", seconds=0.1))
    settings = {"orders_per_request": 10, "workers": 2}
    return Scripts(tmp_path, box, source, settings)


def assert_finished(scripts: Scripts, *, sent_again: int = 0) -> None:
    """Run to the end: the vendor holds the source's state, hardly anything travelled twice."""
    before = stored(scripts)
    assert scripts.in_doubt() <= sent_again
    scripts.box.faults.clear()
    report = scripts.run()
    assert report["exit_code"] == 0
    assert scripts.held() == scripts.source.expected()
    documents = sum(map(len, scripts.source.expected().values()))
    assert stored(scripts) - before <= documents - before + sent_again
    assert scripts.run()["requests"] == 0


def stored(scripts: Scripts) -> int:
    return sum(entry.stored for entry in scripts.box.requests("POST"))


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("deliver", ["load", "manual"])
def test_signal_ends_load_and_push_of_a_plain_script_in_order(
    scripts: Scripts, name: str, deliver: str
) -> None:
    """Also where the load delivers and the script goes on to `push` after it."""
    with scripts.started(deliver=deliver) as script:
        scripts.wait_for_requests(20)
        script.signal(SIGNALS[name])
        began = time.monotonic()
        code, errors = script.ended()
        assert code == 3, errors
        assert time.monotonic() - began < GRACE_SECONDS
        assert script.report()["halted"] == "stopped"
    assert scripts.box.journal.total < 60
    assert_finished(scripts)


def test_request_that_hangs_does_not_hold_the_end_up(scripts: Scripts) -> None:
    scripts.box.faults.clear()
    scripts.box.faults.add(Fault("timeout", seconds=100.0, path="/orders", commit=True))
    with scripts.started(deliver="manual") as script:
        scripts.wait_for_stage("orders")
        script.signal(signal.SIGTERM)
        began = time.monotonic()
        code, errors = script.ended()
        assert code == 3, errors
        assert time.monotonic() - began < GRACE_SECONDS
    assert_finished(scripts, sent_again=20)


@pytest.mark.parametrize(("name", "codes"), [("Ctrl-C", {-2, 1}), ("TERM", {-15})])
def test_second_signal_leaves_at_once(scripts: Scripts, name: str, codes: set[int]) -> None:
    """A shell shows 130 and 143; within a load dlt wraps the first of them, and Python exits 1."""
    scripts.box.faults.clear()
    scripts.box.faults.add(Fault("timeout", seconds=100.0, path="/orders", commit=True))
    with scripts.started(deliver="manual") as script:
        scripts.wait_for_stage("orders")
        script.signal(SIGNALS[name])
        time.sleep(0.5)
        script.signal(SIGNALS[name])
        began = time.monotonic()
        code, errors = script.ended()
        assert code in codes, errors
        assert time.monotonic() - began < 2.5
    assert_finished(scripts, sent_again=20)


@pytest.mark.parametrize(
    ("sent", "code"),
    [("TERM", 3), ("Ctrl-C", 3), ("Ctrl-C, Ctrl-C", 130), ("TERM, TERM", -15)],
)
def test_csv_script_says_how_it_was_left(
    tmp_path: Path,
    project: Path,
    replenit_sandbox_factory: Callable[..., ReplenitSandbox],
    sent: str,
    code: int,
) -> None:
    box = replenit_sandbox_factory(limits=None)
    box.faults.add(Fault("delay", seconds=1.0))
    files = tmp_path / "files"
    files.mkdir()
    people = [f"{n},person{n}@example.com,true" for n in range(1, 401)]
    lines = ["customer_id,email,gdpr_optin", *people]
    (files / "customers.csv").write_text("\n".join(lines), encoding="utf-8")
    settings = {
        "API_KEY": box.api_key,
        "TENANT_ID": box.tenant_id,
        "BASE_URL": box.url,
        "CUSTOMER_IDENTIFIER_PRIORITY": "email",
        "CUSTOMERS_PER_REQUEST": "5",
        "WORKERS": "2",
    }
    with subprocess.Popen(
        [sys.executable, str(project / "pipelines" / "csv_to_replenit.py"), "--folder", str(files)],
        cwd=tmp_path,
        env={
            **os.environ,
            **{f"DESTINATION__REPLENIT__{name}": value for name, value in settings.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while box.journal.total < 4 and process.poll() is None:
            time.sleep(0.01)
        for place, name in enumerate(sent.split(", ")):
            time.sleep(0.3 * place)
            process.send_signal(SIGNALS[name])
        out, errors = process.communicate(timeout=60)
        assert process.returncode == code, (out, errors)
        if code == 3:
            assert "Stopped before the end (stopped); run again to go on" in out
        if code == 130:
            assert "run it again" in errors
