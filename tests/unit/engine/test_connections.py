"""As many connections as the latency asks for, so that little is in flight when a process dies."""

from __future__ import annotations

import pytest

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.connections import Connections
from replenit_destination.engine.quota import QuotaShares, UnlimitedQuota, Window, WindowQuota


def after(latency: float, *, most: int = 4, spacing: float = 0.6) -> int:
    connections = Connections(most, spacing)
    for _ in range(50):
        connections.answered(latency)
    return connections.worthwhile


@pytest.mark.parametrize(("latency", "connections"), [(0.005, 1), (0.018, 1), (0.03, 2), (0.5, 4)])
def test_connections_grow_with_the_latency(latency: float, connections: int) -> None:
    assert after(latency) == connections


def test_first_answer_decides_before_there_are_more() -> None:
    connections = Connections(4, 0.6)
    assert connections.worthwhile == 1
    connections.answered(0.4)
    assert connections.worthwhile == 4


def test_faster_answers_need_fewer_again() -> None:
    connections = Connections(4, 0.6)
    for latency in [0.4] * 5 + [0.004] * 40:
        connections.answered(latency)
    assert connections.worthwhile == 1


def test_without_a_quota_all_are_worth_having() -> None:
    assert UnlimitedQuota().spacing_seconds == 0
    assert Connections(4, 0.0).worthwhile == 4


def test_sending_on_the_calling_thread_is_one_connection() -> None:
    assert after(5.0, most=0) == 1


def test_quota_tells_the_time_each_request_has() -> None:
    windows = [Window(5000, 3600), Window(100, 60)]
    quota = WindowQuota(windows, clock=SystemClock(), shares=QuotaShares(share=0.8))
    assert quota.spacing_seconds == 0.75
