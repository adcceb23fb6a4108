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
