from __future__ import annotations

import random

import pytest

from replenit_destination.engine.tally import Latencies, Tally


def test_quantiles_are_exact_to_five_per_cent():
    latencies, draws = Latencies(), random.Random(2)
    times = sorted(draws.uniform(0.01, 5) for _ in range(5000))
    for seconds in times:
        latencies.add(seconds)
    assert latencies.quantile(0.5) == pytest.approx(times[2500], rel=0.06)
    assert latencies.quantile(0.95) == pytest.approx(times[4750], rel=0.06)
    assert latencies.summary()["max"] == pytest.approx(times[-1], abs=1e-4)


def test_nothing_sent_gives_zeros():
    assert Tally().as_dict()["latency_seconds"] == {"mean": 0.0, "p50": 0.0, "p95": 0.0, "max": 0.0}


def test_requests_are_counted_by_the_minute_they_left_in():
    tally = Tally()
    for moment in (60.0, 61.5, 119.9, 180.0):
        tally.sent(documents=3, size=100, moment=moment)
    told = tally.as_dict()
    assert told["requests_by_minute"] == [[1, 3], [3, 1]]
    assert (told["requests"], told["documents"], told["bytes"]) == (4, 12, 400)


def test_histogram_holds_every_request_near_its_time():
    latencies = Latencies()
    for seconds in (0.1, 0.1, 0.4):
        latencies.add(seconds)
    (low, twice), (high, once) = latencies.histogram()
    assert (twice, once) == (2, 1)
    assert low == pytest.approx(0.1, rel=0.05)
    assert high == pytest.approx(0.4, rel=0.05)
