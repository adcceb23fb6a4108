from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.delivery import Delivery, DeliveryOptions, Halt
from replenit_destination.engine.diagnosis import DiagnosisSettings
from replenit_destination.engine.documents import Removal, Verdict
from replenit_destination.engine.quota import (
    QuotaShares,
    SharedQuota,
    UnlimitedQuota,
    Window,
    WindowQuota,
)
from replenit_destination.engine.target import TransportError, UnaddressableError
from replenit_destination.exceptions import CredentialsRefusedError, ServiceUnavailableError
from tests.doubles.clock import FakeClock
from tests.doubles.recorder import MemoryRecorder
from tests.doubles.vendor import PlainTarget, RateLimit, Service, document, documents

INLINE = DeliveryOptions(workers=0)


class Bench:
    """A delivery between doubles, on one thread and a fake clock."""

    def __init__(self, service: Service, *, batch=10, quota=None, options=INLINE, **settings):
        self.clock = FakeClock()
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


# Batches and order


def test_documents_travel_in_full_batches_in_order():
    bench = Bench(Service())
    bench.deliver(documents(25))
    assert [len(keys) for keys in bench.sent] == [10, 10, 5]
    assert bench.recorder.counts() == {"accepted": 25}
    assert bench.delivery.tally.requests == 3


def test_intent_is_on_record_before_the_request_leaves():
    recorder_at_call = []
    service = Service(fault=lambda _c: recorder_at_call.append(len(bench.recorder.intended)) or "")
    bench = Bench(service)
    bench.deliver(documents(20))
    assert recorder_at_call == [10, 20]


def test_items_are_pulled_only_as_far_as_batches_are_needed():
    pulled, ahead = [], []

    def stream():
        for item in documents(1000):
            pulled.append(item)
            yield item

    bench = Bench(
        Service(fault=lambda _c: ahead.append(len(pulled) - len(bench.recorder.outcomes)) or "")
    )
    bench.delivery.deliver(stream())
    assert len(pulled) == 1000
    assert max(ahead) <= 30


def test_urgent_documents_go_before_batches_that_wait():
    items = [*documents(20), document("withdrawn", urgent=True)]
    bench = Bench(Service(), options=replace(INLINE, workers=0))
    bench.deliver(items)
    assert bench.sent.index(("withdrawn",)) <= 2


def test_urgent_document_that_turns_up_is_accepted_within_five_requests():
    arrivals = {10: [document("withdrawn", urgent=True)]}
    bench = Bench(Service(), interject=lambda: arrivals.pop(len(bench.service.calls), []))
    bench.delivery.deliver(documents(500))
    assert 10 <= bench.sent.index(("withdrawn",)) <= 15
    assert bench.recorder.counts() == {"accepted": 501}


def test_same_key_waits_until_the_first_has_its_outcome():
    first, second = document("a", value="1"), document("a", value="2")
    bench = Bench(Service())
    bench.deliver([first, document("b"), second])
    assert bench.sent == [("a", "b"), ("a",)]
    assert bench.service.stored["orders", "a"] == "2"


def test_child_removal_follows_its_parent_and_removals_keep_their_order():
    items = [
        document("a"),
        Removal("orders", "a", child="1"),
        Removal("orders", "a", child="2"),
        Removal("orders", "z"),
    ]
    bench = Bench(Service())
    bench.deliver(items)
    accepted = [key for _, key in bench.service.accepted if key.startswith("a")]
    assert accepted == ["a", "a/1", "a/2"]
    assert bench.recorder.counts() == {"accepted": 4}  # the missing `z` is as good as deleted


def test_child_removal_waits_for_the_next_run_when_its_parent_did():
    bench = Bench(
        Service(poison=frozenset({"k3"}), style="bare"),
        options=replace(INLINE, diagnosis=DiagnosisSettings(share=0, floor=0)),
    )
    bench.delivery.deliver(documents(10))
    bench.delivery.deliver([Removal("orders", "k3", child="1"), Removal("orders", "k4")])
    assert bench.recorder.counts() == {"suspect": 10, "backlog": 1, "accepted": 1}


def test_removal_without_an_address_is_quarantined_and_costs_no_request():
    class Unaddressable(PlainTarget):
        def request(self, batch):
            if batch.is_removal:
                raise UnaddressableError("Sku", "the line has none")
            return super().request(batch)

    bench = Bench(Service(), target=Unaddressable())
    bench.deliver([Removal("orders", "a", child="1"), document("b")])
    assert bench.recorder.keys(Verdict.QUARANTINED) == ["a"]
    assert bench.sent == [("b",)]


# Refusals


@pytest.mark.parametrize("style", ["indexed", "first", "bare", "lying"])
def test_refused_documents_are_quarantined_and_all_others_accepted(style):
    docs = documents(200)
    bad = {"k0", "k57", "k58", "k199"}
    options = replace(INLINE, diagnosis=DiagnosisSettings(share=10))
    bench = Bench(Service(poison=frozenset(bad), style=style), batch=50, options=options)
    bench.deliver(docs)
    assert bench.recorder.keys(Verdict.QUARANTINED) == sorted(bad)
    assert bench.recorder.counts() == {"accepted": 196, "quarantined": 4}
    assert len(bench.service.accepted) == 196, "no accepted document was sent again"


def test_refusal_keeps_field_reason_words_and_request_id():
    bench = Bench(Service(poison=frozenset({"k1"})))
    bench.deliver(documents(3))
    (refused,) = [o for o in bench.recorder.outcomes if o.verdict is Verdict.QUARANTINED]
    assert (refused.field, refused.reason) == ("Field", "is poison")
    assert (refused.words, refused.request_id) == ("Validation failed", "r1")


def test_rest_of_a_named_refusal_costs_one_request():
    bench = Bench(Service(poison=frozenset({"k1", "k4"})))
    bench.deliver(documents(10))
    assert bench.delivery.tally.requests == 2
    assert bench.delivery.tally.diagnosis_requests == 0


def test_search_stays_inside_its_budget_and_leaves_suspects():
    docs = documents(1000)
    bad = frozenset(f"k{n}" for n in range(0, 1000, 5))
    options = replace(INLINE, diagnosis=DiagnosisSettings(share=0.1, floor=25))
    bench = Bench(Service(poison=bad, style="bare"), batch=20, options=options)
    bench.deliver(docs)
    tally = bench.delivery.tally
    assert tally.diagnosis_requests <= max(25, 0.1 * tally.requests)
    assert set(bench.recorder.keys(Verdict.QUARANTINED)) <= bad
    assert bench.recorder.keys(Verdict.SUSPECT)
    assert not set(bench.recorder.keys(Verdict.ACCEPTED)) & bad


def test_fewer_confirmed_than_sent_leaves_the_batch_unconfirmed():
    bench = Bench(Service(ignored=frozenset({"k3"})))
    bench.deliver(documents(20))
    assert bench.recorder.counts() == {"unconfirmed": 10, "accepted": 10}
    assert bench.delivery.tally.requests == 2


def test_stop_in_the_middle_of_a_search_gives_both_halves_their_outcome():
    """The second half of a group waits while the first is being sent again."""
    service = Service(poison=frozenset({"k0"}), style="bare")
    service.fault = lambda _call: "500" if len(service.calls) >= 2 else ""
    bench = Bench(service, stop=lambda: len(service.calls) >= 3)
    bench.deliver(documents(8))
    assert bench.delivery.halted is Halt.STOPPED
    assert set(bench.recorder.counts()) == {"backlog"}


# Solo lane


def test_solo_documents_go_after_the_batches_one_per_request():
    items = [document("s1", solo_class=""), *documents(12), document("s2", solo_class="")]
    bench = Bench(Service(poison=frozenset({"s1"})))
    bench.deliver(items)
    assert [len(keys) for keys in bench.sent] == [10, 2, 1, 1]
    assert bench.recorder.keys(Verdict.QUARANTINED) == ["s1"]


def test_solo_class_travels_in_batches_after_twenty_acceptances():
    promotions: dict[str, int] = {}
    items = [document(f"g{n}", solo_class="guest") for n in range(50)]
    bench = Bench(Service(), promotions=promotions)
    bench.deliver(items)
    # The twenty-first is already in line when the twentieth is accepted.
    assert [len(keys) for keys in bench.sent] == [1] * 21 + [10, 10, 9]
    assert promotions["orders/guest"] >= 20
    again = Bench(Service(), promotions=promotions)
    again.deliver(items)
    assert [len(keys) for keys in again.sent] == [10] * 5


def test_solo_class_travels_alone_again_after_a_refusal():
    promotions = {"orders/guest": 20}
    items = [document(f"g{n}", solo_class="guest") for n in range(10)]
    bench = Bench(Service(poison=frozenset({"g4"})), promotions=promotions)
    bench.deliver(items)
    later = [document(f"h{n}", solo_class="guest") for n in range(3)]
    bench.delivery.deliver(later)
    assert bench.sent[-3:] == [("h0",), ("h1",), ("h2",)]


def test_solo_lane_takes_no_more_than_its_share():
    items = [document(f"s{n}", solo_class="") for n in range(30)]
    bench = Bench(Service(), options=replace(INLINE, solo_floor=5, solo_share=0.2))
    bench.deliver([*documents(100), *items])
    assert bench.recorder.counts() == {"accepted": 105, "backlog": 25}


# Sizes


def test_body_that_is_too_large_is_halved_and_the_size_is_learned():
    learned: dict[str, int] = {}
    bench = Bench(Service(largest_body=300), batch=40, learned_bytes=learned)
    bench.deliver(documents(400))
    assert bench.recorder.counts() == {"accepted": 400}
    assert 0 < learned["orders"] < 2000
    assert bench.service.statuses.count(413) <= 40


def test_lone_document_that_is_too_large_is_quarantined():
    bench = Bench(Service(largest_body=100))
    bench.deliver([document("big", value="x" * 200), document("small")])
    assert bench.recorder.keys(Verdict.QUARANTINED) == ["big"]
    assert bench.recorder.keys(Verdict.ACCEPTED) == ["small"]


def test_large_body_that_times_out_twice_is_halved():
    service = Service(fault=lambda call: "timeout" if len(call.keys) > 5 else "")
    bench = Bench(service, batch=10)
    bench.deliver([document(f"k{n}", value="x" * 8000) for n in range(10)])
    assert bench.recorder.counts() == {"accepted": 10}
    assert [len(keys) for keys in bench.sent] == [10, 10, 5, 5]


# Storms


@pytest.mark.parametrize("fault", ["refused", "reset", "timeout", "lost", "500", "503"])
def test_failed_request_is_sent_again(fault):
    bench = Bench(Service(fault=every_other_fails(fault)))
    bench.deliver(documents(40))
    assert bench.recorder.counts() == {"accepted": 40}
    assert bench.delivery.tally.requests == 8
    assert bench.delivery.tally.retries == 4


def test_throttled_request_waits_as_long_as_asked_and_is_no_failure():
    answers = iter(["429"] * 15)
    service = Service(retry_after=7, fault=lambda _c: next(answers, ""))
    bench = Bench(service, options=replace(INLINE, max_attempts=2))
    bench.deliver(documents(5))
    assert bench.recorder.counts() == {"accepted": 5}
    assert bench.delivery.tally.throttled == 15
    moments = [call.moment for call in bench.service.calls]
    assert all(b - a >= 7 for a, b in pairwise(moments))


def test_document_that_makes_the_service_fail_is_found_and_is_backlog():
    service = Service(fault=lambda call: "500" if "k0" in call.keys else "")
    bench = Bench(service, options=replace(INLINE, max_attempts=3))
    bench.deliver(documents(200))
    assert bench.recorder.keys(Verdict.BACKLOG) == ["k0"]
    assert bench.recorder.counts() == {"backlog": 1, "accepted": 199}
    assert bench.delivery.tally.requests <= 20 + 3 + 25
    assert bench.delivery.halted is None


def test_batch_that_alone_keeps_failing_is_suspect_when_the_search_budget_is_used_up():
    service = Service(fault=lambda call: "500" if "k0" in call.keys else "")
    diagnosis = DiagnosisSettings(share=0, floor=0)
    bench = Bench(service, options=replace(INLINE, max_attempts=3, diagnosis=diagnosis))
    bench.deliver(documents(40))
    assert bench.recorder.counts() == {"suspect": 10, "accepted": 30}


def test_dead_service_ends_the_delivery_with_everything_as_backlog():
    bench = Bench(Service(fault=lambda _c: "503"))
    items = iter(documents(1000))
    with pytest.raises(ServiceUnavailableError, match=r"unavailable.*push again"):
        bench.delivery.deliver(items)
    assert bench.delivery.halted is Halt.FAILED
    assert set(bench.recorder.counts()) == {"backlog"}
    assert bench.delivery.tally.requests <= 20
    assert len(list(items)) >= 950, "what was not pulled is untouched"


def test_circuit_opens_when_most_requests_fail():
    draws = random.Random(3)
    service = Service(fault=lambda _c: "500" if draws.random() < 0.95 else "")
    bench = Bench(service, options=replace(INLINE, retry_budget_seconds=10**6))
    with pytest.raises(ServiceUnavailableError, match="of the last 20 requests failed"):
        bench.delivery.deliver(documents(2000))


def test_service_that_comes_back_is_not_given_up():
    service = Service(fault=lambda call: "refused" if call.moment < down_until else "")
    bench = Bench(service)
    down_until = bench.clock.now() + 200
    bench.deliver(documents(100))
    assert bench.recorder.counts() == {"accepted": 100}
    assert bench.delivery.tally.requests < 40


def test_refused_key_stops_with_the_targets_error_and_what_to_do():
    service = Service(fault=lambda _c: "401" if len(bench.service.calls) > 2 else "")
    bench = Bench(service)
    with pytest.raises(CredentialsRefusedError, match="20 documents and deletes were accepted"):
        bench.delivery.deliver(documents(100))
    assert bench.recorder.counts() == {"accepted": 20, "backlog": 30}
    bench.delivery.deliver(documents(5, prefix="later"))
    assert len(bench.service.calls) == 3


def test_failing_source_is_raised_after_all_that_was_taken_has_its_outcome():
    def stream():
        yield from documents(15)
        raise OSError("disk")

    bench = Bench(Service())
    with pytest.raises(OSError, match="disk"):
        bench.delivery.deliver(stream())
    assert len(bench.recorder.outcomes) == 15


def test_transport_that_breaks_is_raised():
    def broken(_request):
        raise ZeroDivisionError

    bench = Bench(Service())
    bench.delivery._transport = broken
    with pytest.raises(ZeroDivisionError):
        bench.delivery.deliver(documents(15))
    assert bench.recorder.counts() == {"backlog": 15}


# Budgets and stopping


def test_request_budget_ends_the_delivery_cleanly():
    bench = Bench(Service(), options=replace(INLINE, max_requests=3))
    items = iter(documents(1000))
    bench.delivery.deliver(items)
    assert bench.delivery.halted is Halt.MAX_REQUESTS
    assert bench.recorder.counts() == {"accepted": 30, "backlog": 20}
    assert bench.delivery.tally.requests == 3


def test_exact_request_budget_is_no_halt():
    bench = Bench(Service(), options=replace(INLINE, max_requests=3))
    bench.deliver(documents(30))
    assert bench.delivery.halted is None


def test_time_budget_ends_at_once_when_the_quota_would_outlast_it():
    bench = Bench(
        Service(),
        options=replace(INLINE, max_seconds=30),
        quota=lambda clock: WindowQuota(
            [Window(5, 60)], clock=clock, shares=QuotaShares(share=1.0)
        ),
    )
    began = bench.clock.monotonic()
    bench.delivery.deliver(documents(1000))
    assert bench.delivery.halted is Halt.MAX_SECONDS
    assert bench.recorder.counts()["accepted"] == 50
    assert bench.clock.monotonic() - began < 1


def test_stop_ends_the_delivery_and_later_stages_pull_nothing():
    bench = Bench(Service(), stop=lambda: len(bench.service.calls) >= 4)
    bench.delivery.deliver(documents(1000))
    assert bench.delivery.halted is Halt.STOPPED
    assert bench.recorder.counts()["accepted"] == 40
    later = iter(documents(3))
    bench.delivery.deliver(later)
    assert len(list(later)) == 3


def test_quota_paces_requests_and_the_wait_is_counted():
    limit = RateLimit(10, 60)
    bench = Bench(
        Service(limits=(limit,)),
        quota=lambda clock: WindowQuota(
            [Window(10, 60)], clock=clock, shares=QuotaShares(share=1.0)
        ),
    )
    bench.deliver(documents(250))
    assert bench.delivery.tally.throttled == 0
    assert bench.delivery.tally.seconds_waiting_for_quota == pytest.approx(120, abs=2)


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
