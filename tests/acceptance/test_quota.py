"""The quota's promise, kept by real processes against the sandbox's server.

No 429, no idle quota, whatever the number of processes, the kind of window and the headers. The
longer versions are in `tests/benchmarks/quota.py`.
"""

from __future__ import annotations

import pytest

from replenit_destination.sandbox import Limits, ReplenitSandbox
from tests.acceptance.quota.bound import VENDOR, most_in_any, schedule, stalls
from tests.acceptance.quota.clock import server_time
from tests.acceptance.quota.fleet import Client, Fleet

SLACK = 1.03
LONGEST_STALL_SECONDS = SLACK * 60 - 60


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path)


@pytest.fixture
def sandbox(fleet):
    """Start the server on the fleet's clock; call it with the switches."""
    started = []

    def start(**switches):
        server = ReplenitSandbox(clock=server_time(fleet.board), count_only=True, switches=switches)
        started.append(server.start())
        return server

    yield start
    for server in started:
        server.stop()


def arrivals(sandbox) -> list[float]:
    assert [entry.outcome for entry in sandbox.journal if entry.status == 429] == []
    return [entry.time for entry in sandbox.journal]


def clients(processes: int, requests: int, **settings) -> list[Client]:
    each = [requests // processes + (n < requests % processes) for n in range(processes)]
    settings = {"workers": max(1, 4 // processes), "poll_seconds": 1.0, **settings}
    return [Client(own, **settings) for own in each]


@pytest.mark.parametrize(
    ("processes", "window", "headers"),
    [(1, "sliding", "on"), (2, "fixed", "on"), (8, "fixed", "off")],
)
def test_processes_use_the_whole_quota_and_no_more(fleet, sandbox, processes, window, headers):
    """None of them starves: in two minutes each gets at least a quarter of its equal part."""
    server = sandbox(window=window, rate_headers=headers)
    told = fleet.run(server.url, clients(processes, 350))
    moments = arrivals(server)
    assert len(moments) == 350
    assert most_in_any(moments, 60) == 100
    seconds = max(one.ended for one in told) - min(one.began for one in told)
    response = max(answer for one in told for answer in one.answers)
    assert seconds <= SLACK * schedule(350)[-1] + response
    assert max(stalls(moments)[100:]) <= LONGEST_STALL_SECONDS + response
    until = min(one.began for one in told) + 120
    assert min(sum(grant < until for grant in one.grants) for one in told) >= 200 / processes / 4


def test_second_run_in_the_hour_starts_where_the_first_one_stopped(fleet, sandbox):
    server = sandbox(window="sliding")
    fleet.run(server.url, clients(1, 250, per_hour=300))
    fleet.pass_time(600)
    (second,) = fleet.run(server.url, clients(1, 60, per_hour=300))
    moments = arrivals(server)
    first = [moment - moments[250] for moment in moments[:250]]
    bound = schedule(60, [(100, 60.0), (300, 3600.0)], used=first)[-1]
    assert 2800 < bound <= second.ended - second.began <= SLACK * bound
    assert most_in_any(moments, 3600) == 300


def test_killed_run_keeps_its_slots_until_they_are_certainly_free(fleet, sandbox):
    server = sandbox(window="sliding", rate_headers="off")
    killed = fleet.run(server.url, clients(1, 200, workers=8, kill_after=60))
    assert killed == []
    reached = len(server.journal)
    assert reached >= 60
    (second,) = fleet.run(server.url, clients(1, 240))
    moments = arrivals(server)
    assert len(moments) == reached + 240
    # At most eight were under way; their slots come back after lease and window.
    assert second.ended - second.began <= SLACK * schedule(reached + 248)[-1]


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_wall_clock_may_step_within_a_run_and_between_two(fleet, sandbox, step):
    server = sandbox(window="sliding", rate_headers="off")
    fleet.run(server.url, clients(2, 130, wall_step=step, step_after=30))
    (second,) = fleet.run(server.url, clients(1, 120, wall_step=2 * step))
    moments = arrivals(server)
    assert len(moments) == 250
    assert second.ended - second.began <= SLACK * 180


@pytest.mark.parametrize("window", ["sliding", "fixed"])
def test_headers_keep_us_from_429_beside_a_foreign_client(fleet, sandbox, window):
    """The other one stays within what our share leaves it; a burst of its own came before."""
    server = sandbox(window=window)
    fleet.run(server.url, [Client(70, account="foreign", per_minute=70)])
    ours = Client(150, share=0.8, workers=2, poll_seconds=1.0)
    fleet.run(server.url, [ours, ours, Client(60, account="foreign", workers=1, per_minute=20)])
    assert len(arrivals(server)) == 70 + 300 + 60


def test_urgent_requests_pass_an_exhausted_share_at_once(fleet, sandbox):
    server = sandbox()
    (backfill,) = fleet.run(server.url, clients(1, 80, share=0.8))
    (withdrawals,) = fleet.run(server.url, clients(1, 5, share=0.8, urgent=5))
    assert withdrawals.ended - backfill.began < 30
    fleet.run(server.url, clients(1, 20, share=0.8))
    moments = arrivals(server)
    assert moments[85] - moments[0] >= 59
    assert most_in_any(moments, 60) <= 85


def test_higher_tier_is_used_in_full(fleet, sandbox):
    server = sandbox(window="sliding")
    server.service.limits = Limits(per_minute=300, per_hour=10_000)
    tier = [(300, 60.0), (10_000, 3600.0)]
    told = fleet.run(server.url, clients(2, 700, workers=4, per_minute=300, per_hour=10_000))
    moments = arrivals(server)
    assert most_in_any(moments, 60) == 300
    response = max(answer for one in told for answer in one.answers)
    seconds = max(one.ended for one in told) - min(one.began for one in told)
    assert seconds <= SLACK * schedule(700, tier)[-1] + response


def test_bound_is_one_burst_a_minute_and_fifty_bursts_an_hour():
    moments = schedule(10_001)
    assert [moments[n] for n in (0, 99, 100, 4999, 5000, 5600, 10_000)] == [
        0, 0, 60, 2940, 3600, 3960, 7200,
    ]  # fmt: skip
    assert [most_in_any(moments, seconds) for _, seconds in VENDOR] == [100, 5000]
    assert max(stalls(moments)) == 0
