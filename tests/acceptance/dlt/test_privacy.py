"""The API key and the people of the data stay out of everything that is shown or kept in the open.

Runs that fail in many ways, each a process of its own with all logs at DEBUG: what they print and
what dlt keeps beside the staged rows is searched for the key and for any e-mail address.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination import InsecureEndpointError
from replenit_destination.sandbox import Fault

from .shop import first_shop, line, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replenit_destination.sandbox import ReplenitSandbox

    from .conftest import Delivery

KEY = "a2V5LXRoYXQtbXVzdC1uZXZlci1hcHBlYXI="
TENANT = "11111111-1111-4111-8111-111111111111"
PERSONAL = ("example.com", "example%2ecom", "Lovelace", KEY)
QUOTING = json.dumps(
    {
        "type": "about:blank",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": {"[0].Email": ["ada@example.com of Ada Lovelace is not welcome here"]},
    }
)
ENVELOPE = json.dumps({"success": False, "message": "Row of ada@example.com (Lovelace) is bad"})


def rows(**changes: Any) -> dict[str, list[dict[str, Any]]]:
    people = [
        {"id": 1, "email": "ada@example.com", "surname": "Lovelace", "optin": True},
        {"id": 2, "email": "bob@example.com", "surname": "Lovelace-Byron", "optin": False},
    ]
    order = {"id": 1, "customer_id": 1, "email": "ada@example.com", "cancelled": False}
    order |= {"created_at": "2026-01-01T10:00:00Z", "total": 20.5, "lines": [line(1, 1, "s")]}
    people[0] |= {name: value for name, value in changes.items() if name in people[0]}
    order |= {name: value for name, value in changes.items() if name in order}
    return {"customers": people, "orders": [order]}


def people_and_orders(**fields: str) -> dict[str, Any]:
    whole = mapping("nested")
    del whole["products"]
    whole["customers"]["fields"] = {**whole["customers"]["fields"], "Surname": "surname"}
    whole["orders"]["fields"] = {**whole["orders"]["fields"], **fields}
    return whole


@pytest.fixture
def box(replenit_sandbox_factory: Any) -> ReplenitSandbox:
    return replenit_sandbox_factory(limits=None, keep_bodies=True, tenants={KEY: [TENANT]})


class Script:
    """Starts `failing_run.py` in its own folder and searches what it leaves."""

    def __init__(self, box: ReplenitSandbox, here: Path, project: Path) -> None:
        self.box = box
        self.here = here
        self.project = project

    def start(
        self, rounds: list[Any], *, key: str = KEY, umask: int = -1, **settings: Any
    ) -> subprocess.Popen[bytes]:
        complete = {"base_url": self.box.url, "tenant_id": TENANT, "hurried": True}
        complete |= {"customer_identifier_priority": "email", "mapping": people_and_orders()}
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.project), os.environ.get("PYTHONPATH", "")]),
            "DESTINATION__REPLENIT__API_KEY": key,
            "RUNTIME__LOG_LEVEL": "DEBUG",
        }
        # A file instead of a pipe: nobody has to read while the test waits for something else.
        with (self.here / "input.json").open("w+") as given, self.output.open("ab") as said:
            json.dump({**complete, **settings, "rounds": rounds}, given)
            given.seek(0)
            return subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("failing_run.py"))],
                stdin=given,
                stdout=said,
                stderr=said,
                cwd=self.here,
                env=environment,
                umask=umask,
            )

    def run(self, rounds: list[Any], **settings: Any) -> str:
        """Run it to its end and return what it said."""
        assert self.start(rounds, **settings).wait(120) == 0, self.output.read_text()[-3000:]
        return self.output.read_text()

    @property
    def output(self) -> Path:
        return self.here / "output.txt"

    def leaks(self) -> list[tuple[str, str]]:
        """Return where something personal stands: file and the words around it."""
        staged = ("_jobs", "replenit_data", "input.json")
        found = []
        for path in self.here.rglob("*"):
            private = any(part.endswith(staged) for part in path.relative_to(self.here).parts)
            if path.is_file() and not private:
                found += [(path.name, words) for words in personal_words(path.read_bytes())]
        return found


def personal_words(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace")
    places = [text.lower().find(word.lower()) for word in PERSONAL]
    return [text[max(0, place - 80) : place + 40] for place in places if place >= 0]


@pytest.fixture
def script(box: ReplenitSandbox, here: Path, project: Path) -> Script:
    return Script(box, here, project)


ALONE = [{**rows(), "customers": rows()["customers"][:1]}]
MOVED = [rows(), rows(email="ada.new@example.com")]
FAILURES: dict[str, tuple[list[Fault], dict[str, Any], list[Any], str]] = {
    "no failure": ([], {}, MOVED, "Everything is delivered"),
    "401": ([], {"key": KEY[:-3] + "XX="}, MOVED, "CredentialsRefusedError"),
    "403": ([Fault("status", status=403)], {}, MOVED, "CredentialsRefusedError"),
    "404 tenant": ([Fault("status", status=404)], {}, MOVED, "TenantNotFoundError"),
    "405 delete": (
        [Fault("status", status=405, method="DELETE")],
        {},
        MOVED,
        "EndpointRefusedError",
    ),
    "500s": ([Fault("status", status=500, body=ENVELOPE)], {}, MOVED, "ServiceUnavailableError"),
    "refused connection": ([], {"base_url": "http://127.0.0.1:9"}, MOVED, "ServiceUnavailable"),
    "reset": ([Fault("reset")], {}, MOVED, "ServiceUnavailableError"),
    "not JSON": ([Fault("not_json")], {}, MOVED, "ServiceUnavailableError"),
    "400 quoting a field": (
        [Fault("status", status=400, body=QUOTING, path="/customers")],
        {},
        ALONE,
        "[value] of Ada [value] is not welcome here",
    ),
    "400 quoting a message": (
        [Fault("status", status=400, body=ENVELOPE, path="/customers")],
        {},
        ALONE,
        "Row of [value] ([value]) is bad",
    ),
    "mapping fault": (
        [],
        {"mapping": people_and_orders(Currency="ada_example(", OrderDate="email")},
        MOVED,
        "MappingError",
    ),
    "cast at run time": (
        [],
        {"mapping": people_and_orders(TotalRevenue="CAST(email AS DECIMAL(18, 2))")},
        MOVED,
        "`orders.fields`: a value of column `email` cannot be computed with",
    ),
    "rejected rows": (
        [],
        {"mapping": people_and_orders(Currency="email", OrderDate="email")},
        [rows(email="ada@@example.com", created_at="ada@example.com")],
        "refused",
    ),
    "missing settings": ([], {"tenant_id": None}, MOVED, "MissingSettingsError"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failing_run_shows_neither_key_nor_people(script: Script, failure: str) -> None:
    faults, settings, rounds, said = FAILURES[failure]
    script.box.faults.add(*faults)
    output = script.run(rounds, **settings)
    assert said in output, output[-3000:]
    assert "DEBUG" in output
    assert script.leaks() == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_killed_run_shows_neither_key_nor_people(script: Script, how: signal.Signals) -> None:
    script.box.faults.add(Fault("delay", seconds=60, path="/orders"))
    process = script.start([rows()], hurried=False, timeout_seconds=2.0, max_seconds=1.0)
    try:
        wait_for_request(script.box, process)
        process.send_signal(how)
        process.wait(60)
    finally:
        process.kill()
    assert script.leaks() == []


def wait_for_request(box: ReplenitSandbox, process: subprocess.Popen[bytes]) -> None:
    """Wait until the first request has arrived, or the process has ended."""
    tick = threading.Event()
    while not box.journal and process.poll() is None:
        tick.wait(0.02)


def test_database_folder_is_closed_whatever_the_umask(script: Script) -> None:
    script.run([rows()], umask=0)
    folder = script.here / "replenit_data"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kept = {path.name for path in folder.iterdir()}
    assert {"shop_replenit.duckdb", "shop_replenit.ledger.duckdb"} <= kept


@pytest.mark.parametrize("host", ["http://api.replen.it", "http://192.168.0.7:8000"])
def test_plain_http_beyond_this_machine_is_refused(delivery: Delivery, host: str) -> None:
    delivery.settings["mapping"] = mapping("nested")
    with pytest.raises(PipelineStepFailed) as stopped:
        delivery.run(first_shop().source("nested", "merge"), base_url=host)
    assert isinstance(stopped.value.__cause__, InsecureEndpointError)
    assert delivery.calls() == []


@contextmanager
def redirecting(status: int, target: str) -> Iterator[str]:
    """Run a server that sends everyone to another one."""

    class Redirect(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("location", f"{target}{self.path}")
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_DELETE = answer  # noqa: N815 - named by http.server

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [302, 308])
def test_key_does_not_follow_a_redirect(script: Script, status: int) -> None:
    with redirecting(status, script.box.url) as elsewhere:
        output = script.run([rows()], base_url=elsewhere)
    assert len(script.box.journal) == 0
    assert "Error" in output
    assert script.leaks() == []
