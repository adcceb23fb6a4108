"""Who is told how a run ended: a real server on this machine hears it."""

from __future__ import annotations

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination import (
    RejectedDocumentsError,
    ServiceUnavailableError,
    SettingsError,
    push,
)
from replenit_destination.destinations.notifications import Patience, notify
from replenit_destination.destinations.run_summary import of_error, of_report
from tests.doubles.clock import FakeClock

from .conftest import MAPPING
from .test_whole_path import HINTS, Service, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import dlt

    from .conftest import Engine

SECRET = "T000-B000-a-secret-path"


class Hearing(ThreadingHTTPServer):
    """A server that remembers what it was told and answers as it is asked to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.heard: list[tuple[str, str, str]] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class Listener(BaseHTTPRequestHandler):
    server: Hearing

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.heard.append((self.path, self.headers["content-type"], body))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(status)
        if status == 302:
            self.send_header("location", f"{self.server.url}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[Hearing]:
    with Hearing() as hearing:
        thread = threading.Thread(target=hearing.serve_forever, args=(0.01,))
        thread.start()
        yield hearing
        hearing.shutdown()
        thread.join()


class Hooks:
    """The settings, as far as they are asked."""

    ping_url: str | None = None
    webhook_url: str | None = None
    slack_url: str | None = None
    slack_when = "trouble"
    on_run: Any = None

    def __init__(self, **settings: Any) -> None:
        vars(self).update(settings)


GOOD = of_report({"exit_code": 0, "tenant": "t1", "entities": {"orders": {"created": 3}}})
REFUSED = {"entity": "orders", "field": "Email", "reason": "has <no> domain", "count": 2}
BAD = of_report({"exit_code": 1, "tenant": "t1", "refusals": [{**REFUSED, "samples": ["1a2b"]}]})


def told(server: Hearing, summary: dict[str, Any], **settings: Any) -> list[tuple[str, str, str]]:
    notify(Hooks(**settings), summary, clock=FakeClock())  # type: ignore[arg-type]
    heard, server.heard = sorted(server.heard), []
    return heard


def test_a_good_run_pings_and_a_bad_one_pings_its_failure(server: Hearing) -> None:
    (path, kind, body) = told(server, GOOD, ping_url=server.url)[0]
    assert (path, kind) == (f"/{SECRET}", "text/plain; charset=utf-8")
    assert body == "Replenit, tenant t1: everything is delivered\nChanged: 3 orders."
    failed = told(server, BAD, ping_url=f"{server.url}/?rid=7")[0]
    assert failed[0] == f"/{SECRET}/fail?rid=7"


def test_a_run_that_a_budget_ended_is_no_failure(server: Hearing) -> None:
    stopped = of_report({"exit_code": 3, "halted": "max_seconds", "tenant": "t1"})
    assert told(server, stopped, ping_url=server.url)[0][0] == f"/{SECRET}"
    assert told(server, stopped, slack_url=server.url) == []


def test_slack_hears_of_trouble_and_the_webhook_of_everything(server: Hearing) -> None:
    both = {"slack_url": f"{server.url}/slack", "webhook_url": f"{server.url}/webhook"}
    [(path, kind, body)] = told(server, GOOD, **both)
    assert (path, kind) == (f"/{SECRET}/webhook", "application/json")
    assert json.loads(body) == GOOD
    assert GOOD["entities"] == {"orders": {"created": 3}}
    slack, webhook = told(server, BAD, **both)
    assert json.loads(slack[2]) == {
        "text": "*Replenit, tenant t1: delivered, but not everything*\n"
        "- orders: 2 refused: Email has &lt;no&gt; domain"
    }
    assert json.loads(webhook[2])["failed"] is True
    assert len(told(server, GOOD, **both, slack_when="always")) == 2


def test_it_is_tried_three_times_where_that_may_help(
    server: Hearing, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [500, 429, 200]
    assert len(told(server, GOOD, ping_url=server.url)) == 3
    assert caplog.records == []
    server.answers = [503, 503, 503]
    assert len(told(server, GOOD, ping_url=server.url)) == 3
    server.answers = [404]
    assert len(told(server, GOOD, ping_url=server.url)) == 1
    server.answers = [302]
    assert len(told(server, GOOD, ping_url=server.url)) == 1  # nobody is sent elsewhere
    assert [record.message for record in caplog.records] == [
        "ping_url could not be told: it answered 503",
        "ping_url could not be told: it answered 404",
        "ping_url could not be told: it answered 302",
    ]


def test_nobody_listening_is_a_warning_without_the_address(
    server: Hearing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = server.url
    server.server_close()
    hooks = Hooks(ping_url=url, on_run=lambda _: 1 / 0)
    patience = Patience(timeout_seconds=0.5, pauses=(1.0, 2.0))
    clock = FakeClock()
    notify(hooks, GOOD, patience=patience, clock=clock)  # type: ignore[arg-type]
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [
        "ping_url could not be told: ConnectError",
        "on_run failed: ZeroDivisionError",
    ]
    assert SECRET not in caplog.text
    assert clock.now() == FakeClock().now() + 3.0


def test_a_function_is_found_by_its_place(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    (here / "alerts_of_this_test.py").write_text(
        "import json, pathlib\n"
        "def tell(summary):\n"
        "    pathlib.Path('told.json').write_text(json.dumps(summary))\n"
    )
    hooks = Hooks(on_run="alerts_of_this_test:tell")
    notify(hooks, GOOD)  # type: ignore[arg-type]
    assert json.loads((here / "told.json").read_text()) == GOOD
    nowhere = Hooks(on_run="alerts_of_this_test:whisper")
    notify(nowhere, GOOD)  # type: ignore[arg-type]
    assert [record.message for record in caplog.records] == ["on_run failed: AttributeError"]


def test_of_an_error_that_is_not_ours_only_the_kind_is_told() -> None:
    ours = of_error(ServiceUnavailableError("The service is unavailable."), "t1")
    assert ours["text"].endswith("stopped by an error\n- The service is unavailable.")
    foreign = of_error(KeyError("ada@example.com"), "t1")
    assert "ada" not in json.dumps(foreign)
    assert (foreign["error"], foreign["failed"], foreign["exit_code"]) == ("KeyError", True, 2)


def test_a_push_tells_its_report_and_its_error(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine, server: Hearing
) -> None:
    heard: list[dict[str, Any]] = []
    shop = pipeline(deliver="manual", ping_url=server.url, on_run=heard.append)
    shop.run([{"id": 1}], table_name="orders")
    assert server.heard == []  # nothing was delivered
    push(shop)
    assert [path for path, *_ in server.heard] == [f"/{SECRET}"]
    engine.error = ServiceUnavailableError("It is unavailable.")
    with pytest.raises(ServiceUnavailableError):
        push(shop)
    assert [path for path, *_ in server.heard] == [f"/{SECRET}", f"/{SECRET}/fail"]
    assert [one["state"] for one in heard] == ["delivered", "failed"]


def test_refused_documents_within_the_limit_are_listed_and_no_failure(
    pipeline: Callable[..., dlt.Pipeline], server: Hearing
) -> None:
    settings: dict[str, Any] = {"engine": None, "transport": Service(), "mapping": MAPPING}
    settings |= {"deliver": "manual", "on_rejected": "raise", "ping_url": server.url}
    shop = pipeline(max_rejected_count=1, freshness_hours={"orders": 24}, **settings)
    shop.run([order(1), order(2, email="nobody")], **HINTS)
    report = push(shop)
    assert (report.exit_code, report.alarms, sum(report.refusals.values())) == (0, [], 1)
    assert [path for path, *_ in server.heard] == [f"/{SECRET}"]
    shop.run([order(3, email="nobody")], **HINTS)
    with pytest.raises(RejectedDocumentsError, match="more than max_rejected_count, 1"):
        push(shop)
    assert [path for path, *_ in server.heard][1:] == [f"/{SECRET}/fail"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ping_url": f"http://hooks.example.com/{SECRET}"}, "ping_url: write https"),
        ({"webhook_url": "hooks.example.com"}, "webhook_url: not a web address"),
        ({"slack_when": "never"}, "slack_when: no such answer"),
        ({"on_run": "alerts"}, "on_run: write `module:function`"),
        ({"on_run": 7}, "on_run: not a function"),
        ({"max_rejected_share": 2.0}, "max_rejected_share: must be between 0 and 1"),
        ({"freshness_hours": {"orders": "soon"}}, "freshness_hours: write a number"),
        ({"freshness_hours": {"orders": 0}}, "freshness_hours: must be more than 0"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_happens(
    pipeline: Callable[..., dlt.Pipeline], settings: dict[str, Any], message: str
) -> None:
    shop = pipeline(deliver="manual", **settings)
    with pytest.raises(SettingsError, match=message) as raised:
        push(shop)
    assert SECRET not in str(raised.value)


def test_addresses_are_not_in_the_representation(pipeline: Callable[..., dlt.Pipeline]) -> None:
    shop = pipeline(ping_url=f"https://hooks.example.com/{SECRET}")
    assert SECRET not in repr(shop.destination)
