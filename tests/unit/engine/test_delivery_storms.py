from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from replenit_destination.engine.delivery import Halt
from replenit_destination.engine.diagnosis import DiagnosisSettings
from replenit_destination.engine.documents import Verdict
from replenit_destination.engine.quota import (
    QuotaShares,
    Window,
    WindowQuota,
)
from replenit_destination.exceptions import CredentialsRefusedError, ServiceUnavailableError
from tests.doubles.bench import INLINE, Bench, every_other_fails
from tests.doubles.vendor import RateLimit, Service, documents

# Storms


@pytest.mark.parametrize("fault", ["refused", "reset", "timeout", "lost", "500", "503"])
def test_failed_request_is_sent_again(fault):
    bench = Bench(Service(fault=every_other_fails(fault)))
    bench.deliver(documents(40))
    assert bench.recorder.counts() == {"accepted": 40}
    assert bench.delivery.tally.requests == 8
    assert bench.delivery.tally.retries == 4


def test_throttled_request_waits_as_long_as_asked_and_is_no_failure():
    answers = iter(["429"] * 15)
    service = Service(retry_after=7, fault=lambda _c: next(answers, ""))
    bench = Bench(service, options=replace(INLINE, max_attempts=2))
    bench.deliver(documents(5))
    assert bench.recorder.counts() == {"accepted": 5}
    assert bench.delivery.tally.throttled == 15
    moments = [call.moment for call in bench.service.calls]
    assert all(b - a >= 7 for a, b in pairwise(moments))


def test_document_that_makes_the_service_fail_is_found_and_is_backlog():
    service = Service(fault=lambda call: "500" if "k0" in call.keys else "")
    bench = Bench(service, options=replace(INLINE, max_attempts=3))
    bench.deliver(documents(200))
    assert bench.recorder.keys(Verdict.BACKLOG) == ["k0"]
    assert bench.recorder.counts() == {"backlog": 1, "accepted": 199}
    assert bench.delivery.tally.requests <= 20 + 3 + 25
    assert bench.delivery.halted is None


def test_document_that_is_denied_again_and_again_is_quarantined():
    """The vendor's 200 with `success: false`: 299 here."""
    service = Service(fault=lambda call: "299" if "k0" in call.keys else "")
    bench = Bench(service)
    bench.deliver(documents(200))
    assert bench.recorder.keys(Verdict.QUARANTINED) == ["k0"]
    assert bench.recorder.counts() == {"quarantined": 1, "accepted": 199}


def test_denials_of_a_storm_quarantine_nothing():
    for seed in range(10):
        draws = random.Random(seed)
        service = Service(fault=lambda _c, draws=draws: "299" if draws.random() < 0.3 else "")
        bench = Bench(service)
        bench.deliver(documents(400))
        assert not bench.recorder.keys(Verdict.QUARANTINED)


def test_batch_that_alone_keeps_failing_is_suspect_when_the_search_budget_is_used_up():
    service = Service(fault=lambda call: "500" if "k0" in call.keys else "")
    diagnosis = DiagnosisSettings(share=0, floor=0)
    bench = Bench(service, options=replace(INLINE, max_attempts=3, diagnosis=diagnosis))
    bench.deliver(documents(40))
    assert bench.recorder.counts() == {"suspect": 10, "accepted": 30}


def test_dead_service_ends_the_delivery_with_everything_as_backlog():
    bench = Bench(Service(fault=lambda _c: "503"))
    items = iter(documents(1000))
    with pytest.raises(ServiceUnavailableError, match=r"unavailable.*push again"):
        bench.delivery.deliver(items)
    assert bench.delivery.halted is Halt.FAILED
    assert set(bench.recorder.counts()) == {"backlog"}
    assert bench.delivery.tally.requests <= 20
    assert len(list(items)) >= 950, "what was not pulled is untouched"


def test_circuit_opens_when_most_requests_fail():
    draws = random.Random(3)
    service = Service(fault=lambda _c: "500" if draws.random() < 0.95 else "")
    bench = Bench(service, options=replace(INLINE, retry_budget_seconds=10**6))
    with pytest.raises(ServiceUnavailableError, match="of the last 30 requests failed"):
        bench.delivery.deliver(documents(2000))


def test_service_that_comes_back_is_not_given_up():
    service = Service(fault=lambda call: "refused" if call.moment < down_until else "")
    bench = Bench(service)
    down_until = 0.0
    bench.deliver(documents(10, prefix="before"))
    down_until = bench.clock.now() + 200
    later = documents(100)
    bench.delivery.deliver(later)
    assert bench.recorder.counts() == {"accepted": 110}
    assert bench.delivery.tally.requests < 40


@pytest.mark.parametrize("fault", ["refused", "tls"])
def test_address_that_never_answered_is_given_up_within_a_minute(fault):
    bench = Bench(Service(fault=lambda _call: fault))
    began = bench.clock.monotonic()
    with pytest.raises(ServiceUnavailableError, match="check `base_url`"):
        bench.delivery.deliver(documents(100))
    assert 30 < bench.clock.monotonic() - began < 75
    assert set(bench.recorder.counts()) == {"backlog"}


def test_error_counts_what_was_delivered_and_what_remains():
    service = Service(fault=lambda _c: "401" if len(bench.service.calls) > 2 else "")
    bench = Bench(service, remaining=lambda: 980)
    told = "20 documents and deletes were accepted in this run, 980 remain"
    with pytest.raises(CredentialsRefusedError, match=told):
        bench.delivery.deliver(documents(1000))


def test_refused_key_stops_with_the_targets_error_and_what_to_do():
    service = Service(fault=lambda _c: "401" if len(bench.service.calls) > 2 else "")
    bench = Bench(service)
    with pytest.raises(CredentialsRefusedError, match="20 documents and deletes were accepted"):
        bench.delivery.deliver(documents(100))
    assert bench.recorder.counts() == {"accepted": 20, "backlog": 30}
    bench.delivery.deliver(documents(5, prefix="later"))
    assert len(bench.service.calls) == 3


def test_failing_source_is_raised_after_all_that_was_taken_has_its_outcome():
    def stream():
        yield from documents(15)
        raise OSError("disk")

    bench = Bench(Service())
    with pytest.raises(OSError, match="disk"):
        bench.delivery.deliver(stream())
    assert len(bench.recorder.outcomes) == 15


def test_transport_that_breaks_is_raised():
    def broken(_request):
        raise ZeroDivisionError

    bench = Bench(Service())
    bench.delivery._transport = broken
    with pytest.raises(ZeroDivisionError):
        bench.delivery.deliver(documents(15))
    assert bench.recorder.counts() == {"backlog": 15}


# Budgets and stopping


def test_request_budget_ends_the_delivery_cleanly():
    bench = Bench(Service(), options=replace(INLINE, max_requests=3))
    items = iter(documents(1000))
    bench.delivery.deliver(items)
    assert bench.delivery.halted is Halt.MAX_REQUESTS
    assert bench.recorder.counts() == {"accepted": 30, "backlog": 20}
    assert bench.delivery.tally.requests == 3


def test_exact_request_budget_is_no_halt():
    bench = Bench(Service(), options=replace(INLINE, max_requests=3))
    bench.deliver(documents(30))
    assert bench.delivery.halted is None


def test_time_budget_ends_at_once_when_the_quota_would_outlast_it():
    bench = Bench(
        Service(),
        options=replace(INLINE, max_seconds=30),
        quota=lambda clock: WindowQuota(
            [Window(5, 60)], clock=clock, shares=QuotaShares(share=1.0)
        ),
    )
    began = bench.clock.monotonic()
    bench.delivery.deliver(documents(1000))
    assert bench.delivery.halted is Halt.MAX_SECONDS
    assert bench.recorder.counts()["accepted"] == 50
    assert bench.clock.monotonic() - began < 1


def test_stop_ends_the_delivery_and_later_stages_pull_nothing():
    bench = Bench(Service(), stop=lambda: len(bench.service.calls) >= 4)
    bench.delivery.deliver(documents(1000))
    assert bench.delivery.halted is Halt.STOPPED
    assert bench.recorder.counts()["accepted"] == 40
    later = iter(documents(3))
    bench.delivery.deliver(later)
    assert len(list(later)) == 3


def test_quota_paces_requests_and_the_wait_is_counted():
    limit = RateLimit(10, 60)
    bench = Bench(
        Service(limits=(limit,)),
        quota=lambda clock: WindowQuota(
            [Window(10, 60)], clock=clock, shares=QuotaShares(share=1.0)
        ),
    )
    bench.deliver(documents(250))
    assert bench.delivery.tally.throttled == 0
    assert bench.delivery.tally.seconds_waiting_for_quota == pytest.approx(120, abs=2)
