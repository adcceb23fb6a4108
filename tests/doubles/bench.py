"""A delivery between doubles."""

from __future__ import annotations

import random

from replenit_destination.engine.delivery import Delivery, DeliveryOptions
from replenit_destination.engine.quota import (
    UnlimitedQuota,
)
from tests.doubles.clock import FakeClock
from tests.doubles.recorder import MemoryRecorder
from tests.doubles.vendor import PlainTarget, Service

INLINE = DeliveryOptions(workers=0)


class Bench:
    """A delivery between doubles, on one thread and a fake clock."""

    def __init__(
        self, service: Service, *, batch=10, quota=None, options=INLINE, clock=None, **settings
    ):
        self.clock = clock or FakeClock()
        self.service = service
        service.clock = self.clock
        self.recorder = MemoryRecorder()
        self.target = settings.pop("target", None) or PlainTarget(batch)
        self.delivery = Delivery(
            self.target,
            service,
            self.recorder,
            quota(self.clock) if quota else UnlimitedQuota(),
            clock=self.clock,
            random=random.Random(1),
            options=options,
            **settings,
        )

    def deliver(self, items, label="orders"):
        self.delivery.deliver(items, label=label)
        self.recorder.assert_one_outcome_each(items)

    @property
    def sent(self) -> list[tuple[str, ...]]:
        return [call.keys for call in self.service.calls]


def every_other_fails(call_fault: str):
    turns = iter(range(10**9))
    return lambda _call: call_fault if next(turns) % 2 == 0 else ""
