from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from replenit_destination.engine.retries import Backoff, CircuitSettings, Health


def health(*, retry: float = 300, throttle: float = 7200) -> Health:
    return Health(CircuitSettings(), retry_budget_seconds=retry, throttle_budget_seconds=throttle)


@given(st.integers(1, 10_000), st.integers())
def test_backoff_doubles_up_to_its_longest_and_keeps_at_least_half(failures, seed):
    backoff = Backoff(first_seconds=1, longest_seconds=30)
    longest = min(30, 2 ** min(failures - 1, 10))
    assert longest / 2 <= backoff.seconds(failures, random.Random(seed)) <= longest


def test_circuit_opens_when_four_of_five_fail():
    state = health()
    for n in range(30):
        assert state.verdict() == ""
        if n % 5 == 4:
            state.succeeded()
        else:
            state.failed(float(n))
    assert state.verdict() == "24 of the last 30 requests failed"


def test_three_faults_in_ten_never_open_the_circuit():
    state, draws = health(), random.Random(7)
    for n in range(100_000):
        if draws.random() < 0.3:
            state.failed(float(n))
        else:
            state.succeeded()
        assert state.verdict() == ""


def test_retry_budget_ends_when_every_request_failed_for_longer():
    state = health(retry=300)
    for moment in (0, 100, 200, 300, 301):
        assert state.verdict() == ""
        state.failed(moment)
    assert state.verdict() == "no request succeeded for 300 seconds"


def test_two_failures_around_a_long_wait_for_the_quota_are_no_outage():
    state = health(retry=300)
    state.failed(0)
    state.failed(1800)
    assert state.verdict() == ""


def test_time_between_stages_is_no_time_of_failing():
    state = health(retry=300)
    for moment in (0, 1, 2, 3, 4):
        state.failed(moment)
    state.begin()
    state.failed(5000)
    assert state.verdict() == ""


def test_endless_throttling_ends_the_delivery():
    state = health(throttle=100)
    for moment in (0, 30, 60, 90, 120):
        state.throttled(moment)
    assert "throttled" in state.verdict()


def test_success_ends_the_trouble():
    state = health()
    for moment in range(3):
        state.failed(moment)
    assert state.troubled
    state.succeeded()
    assert not state.troubled
