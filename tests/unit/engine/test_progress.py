from __future__ import annotations

import inspect
import random

from dlt.common.runtime.collector import Collector

from replenit_destination.engine.delivery import Delivery, DeliveryOptions
from replenit_destination.engine.progress import NullProgress, Progress
from replenit_destination.engine.quota import UnlimitedQuota
from tests.doubles.clock import FakeClock
from tests.doubles.recorder import MemoryRecorder
from tests.doubles.vendor import PlainTarget, Service, documents


def parameters(function) -> list[tuple[str, object]]:
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]


def test_shape_is_that_of_dlt_collectors():
    assert parameters(Progress.update) == parameters(Collector.update)
    assert parameters(NullProgress.update) == parameters(Collector.update)


def test_delivery_announces_the_total_and_counts_every_outcome():
    calls: list[tuple[str, int, int | None, str | None]] = []

    class Kept(NullProgress):
        def update(self, name, inc=1, total=None, inc_total=None, message=None, label=None):
            calls.append((name, inc, total, label))

    delivery = Delivery(
        PlainTarget(10),
        Service(),
        MemoryRecorder(),
        UnlimitedQuota(),
        clock=FakeClock(),
        random=random.Random(1),
        progress=Kept(),
        options=DeliveryOptions(workers=0),
    )
    delivery.deliver(documents(25), label="orders", total=25)
    assert calls[0] == ("Delivered", 0, 25, "orders")
    assert sum(inc for _, inc, _, _ in calls) == 25
