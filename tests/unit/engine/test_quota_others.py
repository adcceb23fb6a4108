"""Another client uses the same key: what its use, as headers show it, costs us and what not."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from replenit_destination.engine.quota import (
    Grant,
    QuotaShares,
    SharedQuota,
    Wait,
    Window,
    WindowQuota,
)
from replenit_destination.engine.quota_log import SqliteGrantLog
from tests.doubles.clock import FakeClock

MINUTE = Window(100, 60)
HOUR = Window(5000, 3600)
ALL = QuotaShares(share=1.0)


def open_quota(tmp_path, clock, **settings) -> SharedQuota:
    return SharedQuota(tmp_path / "q.sqlite", [MINUTE, HOUR], clock=clock, **settings)


def take(quota, *, urgent: bool = False) -> int:
    taken = 0
    while isinstance(granted := quota.acquire(urgent=urgent), Grant):
        quota.settle(granted)
        taken += 1
    return taken


def test_first_request_after_others_use_goes_alone_and_sees(tmp_path):
    clock = FakeClock()
    quota = open_quota(tmp_path, clock, shares=ALL)
    first = quota.acquire()
    quota.observed(first, remaining=0, reset_seconds=20)
    quota.settle(first)
    clock.advance(20.1)
    probe = quota.acquire()
    assert isinstance(probe, Grant)
    assert isinstance(quota.acquire(), Wait)
    quota.observed(probe, remaining=10, reset_seconds=20)
    quota.settle(probe)
    clock.advance(1)
    assert take(quota) == 10
    clock.advance(20.1)
    assert take(quota) == 88  # all but the two still in the window and the ten
    quota.close()


def test_others_use_seen_again_and_again_does_not_fill_the_hour(tmp_path):
    clock = FakeClock()
    quota = open_quota(tmp_path, clock, shares=ALL)
    sent = 0
    for _ in range(600):  # a sliding window: its reset is always near
        granted = quota.acquire()
        if isinstance(granted, Grant):
            quota.observed(
                granted, remaining=100 - min(100, 50 + quota.used(MINUTE)), reset_seconds=1
            )
            quota.settle(granted)
            sent += 1
        clock.advance(2.5)
    assert quota.used(HOUR) == sent
    assert sent > 550
    assert len(quota.entries()) - sent <= 100
    quota.close()


def test_what_is_under_way_is_no_reason_to_think_of_others(tmp_path):
    quota = open_quota(tmp_path, FakeClock(), shares=ALL)
    grants = [quota.acquire() for _ in range(8)]
    for arrived, grant in enumerate(grants, start=1):
        quota.observed(grant, remaining=100 - arrived, reset_seconds=60)
        quota.settle(grant)
    assert take(quota) == 92
    quota.close()


def test_urgent_request_passes_an_exhausted_share_but_not_the_limit(tmp_path):
    clock = FakeClock()
    quota = open_quota(tmp_path, clock, shares=QuotaShares(share=0.9, reserve=0.05))
    first = quota.acquire()
    quota.observed(first, remaining=97, reset_seconds=60)  # two of somebody else
    quota.settle(first)
    assert take(quota) == 89
    assert isinstance(quota.acquire(), Wait)
    assert take(quota, urgent=True) == 5
    assert take(quota, urgent=True) == take(quota) == 0
    clock.advance(62)
    assert take(quota) + take(quota, urgent=True) == 95
    quota.close()


def test_reserve_of_the_hour_is_left_when_ordinary_work_used_its_share():
    clock = FakeClock()
    quota = WindowQuota([MINUTE, HOUR], clock=clock)
    used = 0
    while clock.monotonic() < 1000 + 3500:
        used += take(quota)
        clock.advance(61)
    assert used == 4000
    assert isinstance(quota.acquire(), Wait)
    assert take(quota, urgent=True) == 85
    quota.close()


@pytest.mark.parametrize("remaining", [0, -7, -(10**12)])
def test_exhausted_or_absurd_remainder_blocks_for_one_window_at_most(tmp_path, remaining):
    clock = FakeClock()
    quota = open_quota(tmp_path, clock, shares=ALL)
    first = quota.acquire()
    quota.observed(first, remaining=remaining, reset_seconds=None)
    quota.settle(first)
    assert isinstance(wait := quota.acquire(), Wait)
    assert 59 < wait.seconds < 61
    clock.advance(61.1)
    assert take(quota) == 100
    quota.close()


def test_request_that_ended_while_the_file_was_held_is_settled_then(tmp_path):
    clock = FakeClock()
    log = SqliteGrantLog(tmp_path / "q.sqlite", busy_seconds=0.05)
    quota = WindowQuota([Window(1, 60)], clock=clock, shares=ALL, log=log)
    grant = quota.acquire()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        other = sqlite3.connect(tmp_path / "q.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        held.set()
        done.wait()
        other.execute("ROLLBACK")
        other.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    quota.settle(grant)
    assert isinstance(quota.acquire(), Wait)
    done.set()
    holder.join()
    clock.advance(60.1)  # the lease alone would hold the slot for 90 seconds longer
    assert isinstance(quota.acquire(), Grant)
    quota.close()


def test_reset_in_whole_seconds_does_not_make_the_minute_longer(tmp_path):
    clock = FakeClock()
    quota = open_quota(tmp_path, clock, shares=ALL)
    grants = [quota.acquire() for _ in range(100)]
    for grant in grants:
        quota.observed(grant, remaining=0 if grant is grants[-1] else 1, reset_seconds=62)
        quota.settle(grant)
    clock.advance(60.1)
    assert take(quota) == 100
    quota.close()
