from __future__ import annotations

import random
import threading
import time

import pytest

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.delivery import Delivery, DeliveryOptions
from replenit_destination.engine.quota import (
    QuotaShares,
    SharedQuota,
    UnlimitedQuota,
    Window,
    WindowQuota,
)
from replenit_destination.engine.target import TransportError
from tests.doubles.recorder import MemoryRecorder
from tests.doubles.vendor import PlainTarget, RateLimit, Service, documents

# Threads


def threaded(transport, *, workers=4, stop=lambda: False, **options):
    recorder = MemoryRecorder()
    delivery = Delivery(
        PlainTarget(10),
        transport,
        recorder,
        UnlimitedQuota(),
        clock=SystemClock(),
        random=random.Random(1),
        stop=stop,
        options=DeliveryOptions(workers=workers, **options),
    )
    return delivery, recorder


def test_workers_send_side_by_side_and_the_caller_alone_records():
    service, barrier = Service(), threading.Barrier(4)
    lock = threading.Lock()

    def transport(request):
        barrier.wait(timeout=5)  # passes only when four requests are under way
        with lock:
            return service(request)

    delivery, recorder = threaded(transport)
    items = documents(400)
    delivery.deliver(items)
    recorder.assert_one_outcome_each(items)
    assert recorder.counts() == {"accepted": 400}


def test_stop_is_seen_within_a_moment_while_waiting_for_the_quota():
    asked = threading.Event()
    delivery, recorder = threaded(Service(), stop=asked.is_set)
    clock = SystemClock()
    quota = WindowQuota([Window(2, 600)], clock=clock, shares=QuotaShares(share=1.0))
    delivery._quota = delivery._answers.quota = quota
    threading.Timer(0.3, asked.set).start()
    began = time.monotonic()
    delivery.deliver(documents(100))
    assert time.monotonic() - began < 1.0
    assert recorder.counts()["accepted"] == 20


def test_request_that_hangs_is_left_behind_after_the_grace_time():
    release, asked = threading.Event(), threading.Event()

    def transport(_request):
        asked.set()
        release.wait(10)
        raise TransportError("reset", "closed")

    delivery, recorder = threaded(transport, workers=1, stop=asked.is_set, grace_seconds=0.3)
    items = documents(10)
    delivery.deliver(items)
    release.set()
    recorder.assert_one_outcome_each(items)
    assert recorder.counts() == {"backlog": 10}


@pytest.mark.parametrize("fixed", [False, True], ids=["sliding", "fixed"])
def test_threads_and_two_deliveries_share_windows_without_a_429(tmp_path, fixed):
    limits = (RateLimit(20, 1.0, fixed), RateLimit(50, 4.0, fixed))
    service, lock, idle = Service(limits=limits), threading.Lock(), threading.Event()
    service.clock = SystemClock()  # only ever asked for the time
    draws = random.Random(4)

    def transport(request):
        idle.wait(draws.random() * 0.02)
        with lock:
            answer = service(request)
        idle.wait(draws.random() * 0.02)
        return answer

    def push(prefix):
        quota = SharedQuota(
            tmp_path / "quota.sqlite",
            [Window(20, 1.0), Window(50, 4.0)],
            clock=SystemClock(),
            shares=QuotaShares(share=1.0),
        )
        delivery, recorder = threaded(transport, poll_seconds=0.01)
        delivery._quota = delivery._answers.quota = quota
        delivery.deliver(documents(300, prefix=prefix))
        quota.close()
        counts.append(recorder.counts())

    counts: list[dict[str, int]] = []
    pushes = [threading.Thread(target=push, args=(name,)) for name in "ab"]
    for thread in pushes:
        thread.start()
    for thread in pushes:
        thread.join()
    assert counts == [{"accepted": 300}] * 2
    assert service.statuses == [200] * 60
