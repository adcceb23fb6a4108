"""Whatever the service does, the state converges, nothing good is refused, little is repeated."""

from __future__ import annotations

import json
import os
import random
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from replenit_destination.engine.target import TransportError
from replenit_destination.exceptions import (
    ActivationError,
    CredentialsRefusedError,
    ServiceUnavailableError,
    TenantNotFoundError,
)
from replenit_destination.sandbox import API_KEY, Fault, ReplenitSandbox, storm
from replenit_destination.targets.replenit.api import HttpTransport
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from tests.acceptance.orders import Orders
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replenit_destination.engine.target import Answer, Request

ORDERS, PER_REQUEST = 10_000, 25
SEEDS = int(os.environ.get("REPLENIT_STORMS", "3"))
UNREACHED = ("refused", "tls")
EVERY_KIND = (
    *(Fault("status", status=status) for status in (500, 502, 503, 504)),
    Fault("status", status=504, commit=True),
    Fault("reset"),
    Fault("reset", commit=True),
    Fault("timeout"),
    Fault("close"),
    Fault("truncate"),
    Fault("not_json"),
    Fault("success_false"),
)


class Unreachable:
    """A transport that sometimes does not reach the service at all."""

    def __init__(self, inner: Callable[[Request], Answer], chance: float, seed: int) -> None:
        self.inner = inner
        self.chance = chance
        self.draws = random.Random(f"unreachable/{seed}")
        self.requests = 0

    def __call__(self, request: Request) -> Answer:
        self.requests += 1
        if self.draws.random() < self.chance:
            raise TransportError(self.draws.choice(UNREACHED), "no connection could be made")
        return self.inner(request)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_three_faults_in_ten_of_every_kind_cost_little_and_change_nothing(
    tmp_path: Path, seed: int
) -> None:
    """A request that fails with 0.3 is sent 1.43 times; nothing else may be added to that."""
    shop = Orders(tmp_path, ORDERS, per_request=PER_REQUEST)
    share = 0.3 / (len(EVERY_KIND) + len(UNREACHED))
    unreachable = share * len(UNREACHED)
    shop.transport = Unreachable(shop.transport, unreachable, seed)
    shop.service.faults.reseed(seed)
    shop.service.faults.add(*storm((0.3 - unreachable) / (1 - unreachable), EVERY_KIND))

    report = shop.push()

    assert shop.held() == shop.source()
    assert (report.exit_code, report.refusals, report.unconfirmed) == (0, {}, {})
    assert report.entities["orders"].created == ORDERS
    assert report.requests <= 1.6 * ORDERS / PER_REQUEST
    assert report.requests >= 1.3 * ORDERS / PER_REQUEST, "the storm was there"


def test_storm_and_refused_documents_together_quarantine_exactly_these(tmp_path: Path) -> None:
    shop = Orders(tmp_path, 2000, error_style="minimal")
    bad = shop.poison(5, seed=1)
    shop.service.faults.add(*storm(0.3, EVERY_KIND))
    reports = [shop.push(diagnosis_share=1.0)]
    while reports[-1].entities["orders"].backlog:
        reports.append(shop.push(diagnosis_share=1.0))
        assert len(reports) < 10
    assert {row[0] for row in shop.entries("refusal = 'quarantined'")} == bad
    assert shop.held() == {key: one for key, one in shop.source().items() if key not in bad}


# Over sockets


class FastClock(FakeClock):
    """Waiting for an answer waits for it; any other wait only moves the clock."""

    def wait(self, seconds: float, wake: Any = None) -> None:
        if wake is None or not wake.wait(0.02):
            self.advance(seconds)


@pytest.fixture
def sandbox() -> Iterator[ReplenitSandbox]:
    with ReplenitSandbox(limits=None) as running:
        yield running


def settings(url: str) -> ReplenitSettings:
    return ReplenitSettings(
        api_key=API_KEY,
        tenant_id="5a11d0b0-0000-4000-8000-000000000001",
        base_url=url,
        customer_identifier_priority="email",
        timeout_seconds=0.5,
    )


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_storm_over_sockets_changes_nothing(tmp_path: Path, sandbox: ReplenitSandbox) -> None:
    """Every kind of fault as the network shows it: closed ports, plain text where TLS should be."""
    shop = Orders(tmp_path, 5000, per_request=PER_REQUEST)
    shop.clock = FastClock()
    elsewhere = (f"http://127.0.0.1:{unused_port()}", f"https://{sandbox.url.split('//')[1]}")
    with (
        HttpTransport(settings(sandbox.url)) as real,
        HttpTransport(settings(elsewhere[0])) as closed,
        HttpTransport(settings(elsewhere[1])) as plain,
    ):
        draws = random.Random(3)
        reasons: set[str] = set()

        def transport(request: Request) -> Answer:
            where = draws.choices((real, closed, plain), (0.95, 0.025, 0.025))[0]
            try:
                return where(request)
            except TransportError as error:
                reasons.add(error.reason)
                raise

        slow = [replace(one, seconds=0.8) for one in EVERY_KIND]
        sandbox.faults.add(*storm(0.26, slow))
        shop.transport = transport
        report = shop.push(workers=4)
    assert reasons >= {"refused", "tls", "timeout", "reset"}
    assert sandbox.state()["orders"].keys() == shop.source().keys()
    assert (report.exit_code, report.refusals) == (0, {})
    assert report.requests <= 1.7 * 5000 / PER_REQUEST


# Ends


def told(shop: Orders) -> dict[str, Any]:
    """Return the last report in the ledger."""
    with duckdb.connect(str(shop.ledger)) as ledger:
        row = ledger.execute("SELECT report FROM run ORDER BY started_at DESC LIMIT 1").fetchone()
    assert row is not None
    found: dict[str, Any] = json.loads(row[0])
    return found


@pytest.mark.parametrize(
    ("status", "error", "setting"),
    [
        (401, CredentialsRefusedError, "api_key"),
        (403, CredentialsRefusedError, "tenant_id"),
        (404, TenantNotFoundError, "tenant_id"),
    ],
)
def test_refused_key_or_tenant_parks_the_delivery_and_staging_goes_on(
    tmp_path: Path, status: int, error: type[ActivationError], setting: str
) -> None:
    shop = Orders(tmp_path, 1000)
    shop.service.faults.add(Fault("delay", seconds=0, times=2), Fault("status", status=status))
    with pytest.raises(error, match=f"`{setting}`") as raised:
        shop.push()
    assert "400 documents and deletes were accepted in this run, 600 remain" in str(raised.value)
    assert "push again" in str(raised.value)
    report = told(shop)
    assert (report["exit_code"], report["error"]) == (2, str(raised.value))

    shop.add(50)
    with pytest.raises(error, match="0 documents and deletes were accepted in this run, 650"):
        shop.push()
    shop.service.faults.clear()
    orders = shop.push().entities["orders"]
    assert orders.created + orders.updated == 650, "one request was refused after it was sent"
    assert shop.held() == shop.source()


def test_dead_service_ends_the_run_and_the_next_one_goes_on(tmp_path: Path) -> None:
    shop = Orders(tmp_path, 1000)
    shop.service.faults.add(Fault("delay", seconds=0, times=3), Fault("status", status=503))
    began = shop.clock.monotonic()
    with pytest.raises(ServiceUnavailableError, match=r"600 documents.* accepted.* 400 remain"):
        shop.push(retry_budget_seconds=100)
    assert 100 < shop.clock.monotonic() - began < 200
    shop.service.faults.clear()
    assert shop.push().requests == 2
    assert shop.held() == shop.source()


def test_address_without_a_service_is_given_up_soon(tmp_path: Path) -> None:
    shop = Orders(tmp_path, 1000)
    shop.clock = FastClock()
    with HttpTransport(settings(f"http://127.0.0.1:{unused_port()}")) as nobody:
        shop.transport = nobody
        with pytest.raises(ServiceUnavailableError, match=r"check `base_url`.* 1000 remain"):
            shop.push()
    assert shop.clock.monotonic() - 1000 < 90


# Sizes


def test_size_the_service_takes_is_learned_remembered_and_tried_again(tmp_path: Path) -> None:
    shop = Orders(tmp_path, 5000, per_request=50, switches={"max_body_bytes": 8000})
    report = shop.push()
    assert shop.held() == shop.source()
    taken = [entry.bytes for entry in shop.service.journal.requests() if entry.status == 200]
    refused = report.requests - len(taken)
    assert 1 <= refused <= 8, "tried again, each time after twice as many requests"
    assert max(taken) > 6000

    shop.add(100)
    assert 3 <= shop.push().requests <= 5, "what was learned is remembered"

    shop.service.configure(switches={"max_body_bytes": 0})
    shop.add(3000)
    shop.push()
    shop.add(50)
    assert shop.push().requests == 1, "it has grown back to a full batch"


@pytest.mark.parametrize("per_request", [200, 500])
def test_no_request_holds_more_than_the_settings_allow(tmp_path: Path, per_request: int) -> None:
    shop = Orders(tmp_path, 2000, per_request=per_request, max_batch_bytes=40_000)
    shop.push()
    sent = shop.service.journal.requests()
    assert max(entry.bytes for entry in sent) <= 40_000
    assert max(entry.documents for entry in sent) <= per_request
    shop = Orders(tmp_path / "roomy", 2000, per_request=per_request)
    assert shop.push().requests == 2000 / per_request
