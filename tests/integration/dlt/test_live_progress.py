"""What a person sees while a pipeline runs, and what a log gets where nobody looks."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from replenit_destination import push
from replenit_destination.cli.console import Console as Words
from replenit_destination.cli.rendering import report_tables, show_report
from replenit_destination.destinations.live_progress import LiveProgress, told
from replenit_destination.engine.processes import Process
from replenit_destination.engine.quota_use import WindowUse
from replenit_destination.engine.status import Status, StatusFile
from replenit_destination.engine.tally import Tally
from tests.doubles.clock import FakeClock

from .conftest import MAPPING
from .test_whole_path import HINTS, Service, order

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import dlt

USES = (WindowUse(100, 60.0, 80, 19), WindowUse(5000, 3600.0, 4000, 1200))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def console(stream: io.StringIO) -> Console:
    return Console(file=stream, force_terminal=True, width=110, highlight=False, _environ={})


def status(**counts: Any) -> Status:
    return Status(Process.current(), started=100.0, updated=100.0, step="deliver", **counts)


@pytest.mark.parametrize(
    ("counts", "seconds", "sentence"),
    [
        ({"documents": 0, "requests": 0}, 60.0, "0 documents, 0 requests"),
        ({"documents": 9, "remaining": 3, "requests": 1}, 1.0, "9 of 12 documents, 1 request"),
        (
            {"documents": 600, "remaining": 1200, "requests": 6},
            60.0,
            "600 of 1,800 documents, 6 requests, 10 a second, about 2 min left",
        ),
        (
            {"documents": 6, "remaining": 600, "requests": 6},
            60.0,
            "6 of 606 documents, 6 requests, 6 a minute, about 100 min left",
        ),
    ],
)
def test_delivery_is_told_with_rate_and_time_left(
    counts: dict[str, Any], seconds: float, sentence: str
) -> None:
    assert told(status(**counts), seconds) == sentence


def test_a_window_that_is_used_up_makes_the_rest_take_longer() -> None:
    quick = status(documents=800, remaining=400, requests=80)
    used_up = (WindowUse(100, 60.0, 80, 80), WindowUse(5000, 3600.0, 4000, 80))
    assert told(quick, 2.0).endswith("400 a second, about 1 s left")
    assert told(quick, 2.0, used_up).endswith("400 a second, about 30 s left")
    assert told(quick, 2.0, used_up, per_request=5).endswith("about 60 s left")


def watched(tmp_path: Path, clock: FakeClock, stream: io.StringIO, **how: Any) -> LiveProgress:
    """A progress that watches a delivery of 300 documents, of which 100 are done."""
    file = StatusFile(tmp_path / "ledger.duckdb", clock)
    file.enter("deliver", "orders")
    clock.advance(10)
    tally = Tally(requests=4)
    tally.verdicts["accepted"] = 100
    file.refresh(tally, remaining=200)
    progress = LiveProgress(stream, clock=clock, **how)
    progress.watch(tmp_path / "ledger.duckdb", lambda: USES)
    return progress


def test_terminal_shows_bars_of_documents_and_quota(tmp_path: Path) -> None:
    stream, clock = io.StringIO(), FakeClock()
    progress = watched(tmp_path, clock, stream, console=console(stream))
    progress.step = "Deliver shop"
    screen = Console(width=110, record=True, file=io.StringIO(), _environ={})
    screen.print(progress)
    lines = [line.split() for line in screen.export_text().splitlines()]
    assert lines[0][1:] == ["Deliver", "shop,", "orders"]
    done = "100 of 300 documents, 4 requests, 10 a second, about 20 s left"
    assert " ".join(lines[1][2:]) == done
    assert " ".join(lines[2][2:]) == "61 of 80 requests left this minute"
    assert " ".join(lines[3][2:]) == "2,800 of 4,000 requests left this hour"


def test_where_there_is_no_terminal_a_line_is_written_when_one_is_due(tmp_path: Path) -> None:
    stream, clock = io.StringIO(), FakeClock()
    progress = watched(tmp_path, clock, stream, every_seconds=30.0)
    with progress("Deliver shop"):
        clock.advance(29)
        progress.update("Delivered", inc=60)
        assert stream.getvalue() == ""
        clock.advance(1)
        progress.update("Delivered", inc=60, label="orders")
        progress.update("Delivered", inc=1, label="orders")
    assert stream.getvalue() == (
        "Deliver shop: 120 of 300 documents, 4 requests, 3 a second, about 60 s left, "
        "61 left this minute, 2,800 left this hour\n"
    )


def test_dlt_shows_its_steps_and_ours_on_the_terminal_and_nothing_on_stdout(
    pipeline: Callable[..., dlt.Pipeline], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    progress = LiveProgress(console=console(stream))
    fields = {**MAPPING["orders"]["fields"], "CustomerId": "customer"}
    mapping = {"orders": {**MAPPING["orders"], "fields": fields}}
    settings: dict[str, Any] = {"engine": None, "transport": Service(), "mapping": mapping}
    shop = pipeline(progress=progress, deliver="manual", **settings)
    assert shop.collector is deepcopy(progress)
    shop.run([order(number) for number in range(1, 6)], **HINTS)
    push(shop)
    shown = stream.getvalue()
    for step in ("Extract", "Normalize", "Load", "Deliver"):
        assert f"✓\x1b[0m {step} " in shown
    assert "Delivered 5" in shown
    assert "orders 5" in shown
    assert "_dlt_" not in shown
    assert capsys.readouterr().out == ""


def test_a_report_is_tables_on_a_terminal_and_text_elsewhere(
    pipeline: Callable[..., dlt.Pipeline],
) -> None:
    settings: dict[str, Any] = {"engine": None, "transport": Service(), "mapping": MAPPING}
    shop = pipeline(deliver="manual", **settings)
    bad = order(2, email="nobody")
    shop.run([order(1), bad], **HINTS)
    report = push(shop)

    terminal, pipe, program = Terminal(), io.StringIO(), io.StringIO()
    show_report(report, Words(out=terminal))
    show_report(report, Words(out=pipe))
    show_report(report, Words(out=program, json=True))
    assert pipe.getvalue() == f"{report.summary}\n"
    assert program.getvalue().startswith("{")
    assert "Delivered, but not everything" in terminal.getvalue()
    assert "person" not in terminal.getvalue()
    assert terminal.getvalue() != pipe.getvalue()


def test_tables_tell_what_waits_for_a_word_and_the_word() -> None:
    report = {
        "exit_code": 1,
        "seconds": {"diff": 0.5},
        "requests": 1200,
        "entities": {"orders": {"created": 1200, "withheld": 40}},
        "refusals": [],
        "left_out": [],
        "alarms": [{"kind": "volume", "entity": "orders", "text": "nothing changed today"}],
        "withheld": [
            {"entity": "orders", "children": False, "count": 40, "reason": "too many in a week"}
        ],
        "held": [
            {
                "entity": "customers",
                "documents": 7,
                "reasons": ["`name` is gone"],
                "accept": "accept_schema",
                "requests": 1,
                "minutes": 0.1,
            }
        ],
        "notices": [],
        "error": "",
    }
    screen = Console(width=200, record=True, file=io.StringIO(), _environ={})
    for part in report_tables(report):
        screen.print(part)
    text = screen.export_text()
    assert "1,200 requests, 0.5 s" in text
    assert "alarm    orders: nothing changed today" in text
    assert "40 removals: too many in a week; --allow-removals orders lets them go" in text
    assert "7 documents: `name` is gone; --accept-schema lets them go (1 request," in text
