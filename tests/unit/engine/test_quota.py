from __future__ import annotations

import heapq
import multiprocessing
import random
import stat
import time
from itertools import count

import pytest

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.quota import (
    Grant,
    QuotaShares,
    SharedQuota,
    Wait,
    Window,
    WindowQuota,
    account_path,
)
from tests.doubles.clock import FakeClock
from tests.doubles.vendor import RateLimit

MINUTE = Window(100, 60)
HOUR = Window(5000, 3600)
ALL = QuotaShares(share=1.0)


def sliding_bound(requests: int) -> float:
    """Seconds that both sliding windows ask for at least: one burst per window, then the next."""
    sent, moments = [], 0.0
    for n in range(requests):
        if n >= MINUTE.limit:
            moments = max(moments, sent[n - MINUTE.limit] + MINUTE.seconds)
        if n >= HOUR.limit:
            moments = max(moments, sent[n - HOUR.limit] + HOUR.seconds)
        sent.append(moments)
    return moments


class Simulation:
    """Clients, a network with latency in both directions, and a server that counts arrivals."""

    def __init__(self, limits: list[RateLimit], *, headers: bool, seed: int) -> None:
        self.clock = FakeClock(1_700_000_000.0 + seed * 7.3)
        self.random = random.Random(seed)
        self.limits = limits
        self.headers = headers
        self.throttled = 0
        self.arrived = 0
        self.longest_answer = 0.0
        self._events: list[tuple[float, int, str, tuple]] = []
        self._order = count()

    def run(self, quotas: list[WindowQuota], requests: int, *, parallel: int) -> float:
        began = self.clock.monotonic()
        for quota in quotas:
            for _ in range(parallel):
                self._at(0.0, "client", (quota,))
        granted = 0
        while self._events:
            moment, _, kind, facts = heapq.heappop(self._events)
            self.clock.advance(max(0.0, moment - self.clock.monotonic()))
            if kind == "client" and granted < requests:
                granted += self._client(*facts)
            elif kind == "server":
                self._server(*facts)
            elif kind == "answer":
                self._answer(*facts)
        return self.clock.monotonic() - began

    def _at(self, seconds: float, kind: str, facts: tuple) -> None:
        event = (self.clock.monotonic() + seconds, next(self._order), kind, facts)
        heapq.heappush(self._events, event)

    def _client(self, quota: WindowQuota) -> int:
        granted = quota.acquire()
        if isinstance(granted, Wait):
            self._at(min(granted.seconds, 1.0), "client", (quota,))
            return 0
        there = self.random.uniform(0.005, 0.9) ** 2
        self._at(there, "server", (quota, granted, there))
        return 1

    def _server(self, quota: WindowQuota, grant: Grant, there: float) -> None:
        now = self.clock.now()
        self.arrived += 1
        self.throttled += any(limit.full(now) for limit in self.limits)
        for limit in self.limits:
            limit.count(now)
        headers = self.limits[0].headers(now)
        back = self.random.uniform(0.005, 0.5) ** 2
        self.longest_answer = max(self.longest_answer, there + back)
        self._at(back, "answer", (quota, grant, headers))

    def _answer(self, quota: WindowQuota, grant: Grant, headers: dict[str, str]) -> None:
        if self.headers:
            quota.observed(grant, int(headers["remaining"]), float(headers["reset"]))
        quota.settle(grant)
        self._at(0.0, "client", (quota,))


@pytest.mark.parametrize("headers", [False, True], ids=["silent", "headers"])
@pytest.mark.parametrize("fixed", [False, True], ids=["sliding", "fixed"])
@pytest.mark.parametrize("processes", [1, 2, 8])
def test_no_request_is_throttled_and_no_quota_is_idle(tmp_path, processes, fixed, headers):
    limits = [RateLimit(100, 60, fixed), RateLimit(5000, 3600, fixed)]
    simulation = Simulation(limits, headers=headers, seed=processes)
    quotas: list[WindowQuota] = [
        SharedQuota(tmp_path / "quota.sqlite", [MINUTE, HOUR], clock=simulation.clock, shares=ALL)
        for _ in range(processes)
    ]
    seconds = simulation.run(quotas, 430, parallel=8 // processes)
    assert simulation.arrived == 430
    assert simulation.throttled == 0
    assert seconds <= 1.03 * sliding_bound(430) + simulation.longest_answer
    for quota in quotas:
        quota.close()


@pytest.mark.parametrize("fixed", [False, True], ids=["sliding", "fixed"])
def test_both_windows_hold_over_hours(fixed):
    limits = [RateLimit(100, 60, fixed), RateLimit(5000, 3600, fixed)]
    simulation = Simulation(limits, headers=True, seed=5)
    quota = WindowQuota([MINUTE, HOUR], clock=simulation.clock, shares=ALL)
    seconds = simulation.run([quota], 12_000, parallel=4)
    assert simulation.throttled == 0
    assert seconds <= 1.03 * sliding_bound(12_000) + simulation.longest_answer


def take(quota: WindowQuota, *, urgent: bool = False) -> int:
    """Take and settle what is granted at once."""
    taken = 0
    while isinstance(granted := quota.acquire(urgent=urgent), Grant):
        quota.settle(granted)
        taken += 1
    return taken


def test_share_is_used_by_default_and_the_reserve_by_urgent_requests_only():
    quota = WindowQuota([MINUTE], clock=FakeClock())
    assert take(quota) == 80
    assert take(quota, urgent=True) == 5


def test_second_run_respects_what_the_first_one_used(tmp_path):
    clock = FakeClock()
    first = SharedQuota(tmp_path / "q.sqlite", [MINUTE, HOUR], clock=clock)
    for _ in range(50):
        take(first)
        clock.advance(61)
    assert first.used(HOUR) == 4000
    first.close()
    second = SharedQuota(tmp_path / "q.sqlite", [MINUTE, HOUR], clock=clock)
    assert isinstance(wait := second.acquire(), Wait)
    assert 500 < wait.seconds <= 3600 - 50 * 61 + 2
    second.close()


def test_windows_travel_to_another_machine_and_count_once():
    clock = FakeClock()
    here = WindowQuota([MINUTE], clock=clock)
    take(here)
    there = WindowQuota([MINUTE], clock=clock)
    there.seed(here.entries())
    there.seed(here.entries())
    assert there.used(MINUTE) == 80
    assert take(there) == 0


def test_unsettled_request_holds_its_slot_for_lease_and_window():
    clock = FakeClock()
    quota = WindowQuota([Window(1, 60)], clock=clock, shares=ALL, lease_seconds=90)
    quota.acquire()
    clock.advance(149)
    assert isinstance(quota.acquire(), Wait)
    clock.advance(2)
    assert isinstance(quota.acquire(), Grant)


def test_throttling_pauses_every_process_for_as_long_as_asked(tmp_path):
    clock = FakeClock()
    one, two = (SharedQuota(tmp_path / "q.sqlite", [MINUTE], clock=clock) for _ in range(2))
    one.throttled(30)
    assert isinstance(wait := two.acquire(urgent=True), Wait)
    assert wait.seconds == pytest.approx(30)
    clock.advance(30.001)
    assert isinstance(two.acquire(), Grant)
    one.close()
    two.close()


def test_absurd_wait_is_cut_to_an_hour():
    clock = FakeClock()
    quota = WindowQuota([MINUTE], clock=clock)
    quota.throttled(10**9)
    assert isinstance(wait := quota.acquire(), Wait)
    assert wait.seconds <= 3600


def test_use_by_others_that_headers_show_leaves_us_the_rest():
    clock = FakeClock()
    quota = WindowQuota([MINUTE], clock=clock)
    first = quota.acquire()
    assert isinstance(first, Grant)
    quota.observed(first, remaining=39, reset_seconds=60)  # 61 used, one of them ours
    quota.settle(first)
    assert take(quota) == 39
    clock.advance(62)
    assert take(quota) == 80


def test_headers_of_an_exhausted_longer_window_pause_until_its_end():
    clock = FakeClock()
    quota = WindowQuota([MINUTE], clock=clock)
    first = quota.acquire()
    assert isinstance(first, Grant)
    quota.observed(first, remaining=0, reset_seconds=900)
    assert isinstance(wait := quota.acquire(), Wait)
    assert wait.seconds == pytest.approx(900)


@pytest.mark.parametrize("remaining", [10**9, 100, 99])
def test_generous_headers_loosen_nothing(remaining):
    clock = FakeClock()
    quota = WindowQuota([MINUTE], clock=clock, shares=ALL)
    first = quota.acquire()
    assert isinstance(first, Grant)
    quota.observed(first, remaining=remaining, reset_seconds=-5)
    quota.settle(first)
    assert take(quota) == 99


@pytest.mark.parametrize("step", [-86_400, -50, 50, 86_400])
def test_stepping_wall_clock_changes_nothing_within_a_run(step):
    clock = FakeClock()
    quota = WindowQuota([MINUTE], clock=clock, shares=ALL)
    assert take(quota) == 100
    clock.step(step)
    assert take(quota) == 0
    clock.advance(60.1)
    assert take(quota) == 100


@pytest.mark.parametrize("step", [-86_400, 86_400])
def test_processes_agree_about_time_when_the_wall_clock_steps_between_them(tmp_path, step):
    clock = FakeClock()
    before = SharedQuota(tmp_path / "q.sqlite", [MINUTE], clock=clock, shares=ALL)
    assert take(before) == 100
    clock.step(step)
    after = SharedQuota(tmp_path / "q.sqlite", [MINUTE], clock=clock, shares=ALL)
    assert take(after) == 0
    clock.advance(60.1)
    assert take(after) + take(before) == 100
    before.close()
    after.close()


def test_log_file_is_private_and_names_the_account_by_hash(tmp_path):
    path = account_path(tmp_path / "quota", "shop@example.com")
    quota = SharedQuota(path, [MINUTE], clock=FakeClock())
    assert "example" not in path.name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    quota.close()


def _grab(path: str, seconds: float, moments) -> None:
    clock = SystemClock()
    quota = SharedQuota(path, [Window(20, 1.0), Window(50, 4.0)], clock=clock, shares=ALL)
    until = clock.monotonic() + seconds
    while clock.monotonic() < until:
        granted = quota.acquire()
        if isinstance(granted, Wait):
            clock.wait(min(granted.seconds, 0.01))
            continue
        moments.put(time.monotonic())
        quota.settle(granted)
    quota.close()


def test_real_processes_share_both_windows(tmp_path):
    context = multiprocessing.get_context("spawn")
    moments = context.Queue()
    arguments = (str(tmp_path / "q.sqlite"), 3.0, moments)
    processes = [context.Process(target=_grab, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    taken = sorted(moments.get() for _ in range(moments.qsize()))
    assert len(taken) == 50
    assert all(later - earlier >= 1.0 for earlier, later in zip(taken, taken[20:], strict=False))
