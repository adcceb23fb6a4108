from __future__ import annotations

from dataclasses import replace

import pytest

from replenit_destination.engine.batching import LearnedLimits
from replenit_destination.engine.delivery import Halt
from replenit_destination.engine.diagnosis import DiagnosisSettings
from replenit_destination.engine.documents import Removal, Verdict
from replenit_destination.engine.quota import Window, WindowQuota
from replenit_destination.engine.target import Pointer, UnaddressableError
from tests.doubles.bench import INLINE, Bench
from tests.doubles.clock import FakeClock
from tests.doubles.vendor import PlainTarget, Service, document, documents

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


def test_outcomes_are_durable_before_delivery_waits():
    unwritten = []

    class Watch(FakeClock):
        def wait(self, seconds, wake=None):
            recorder = bench.recorder
            unwritten.append(len(recorder.outcomes) - recorder.flushed)
            super().wait(seconds, wake)

    def one_in_ten_seconds(clock):
        return WindowQuota([Window(1, 10.0)], clock=clock)

    bench = Bench(Service(), quota=one_in_ten_seconds, clock=Watch())
    bench.deliver(documents(50))
    assert len(unwritten) >= 5
    assert set(unwritten) == {0}


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


def test_delivery_gives_way_before_its_next_request():
    service = Service()
    bench = Bench(service, give_way=lambda: len(service.calls) >= 10)
    items = documents(500)
    bench.delivery.deliver(items)
    assert (len(service.calls), bench.delivery.halted) == (10, "yielded")
    bench.delivery.deliver(items[100:])
    assert len(service.calls) == 10


def test_delivery_that_has_sent_everything_has_nothing_to_give_way_with():
    service = Service()
    bench = Bench(service, give_way=lambda: len(service.calls) == 3)
    bench.deliver(documents(30))
    assert bench.delivery.halted is None


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


def test_documents_that_a_success_names_are_quarantined_and_the_others_accepted():
    class Partly(PlainTarget):
        def read(self, batch, answer):
            pointer = Pointer(3, "Email", "is invalid")
            return replace(super().read(batch, answer), confirmed=9, pointers=(pointer,))

    bench = Bench(Service(), target=Partly())
    bench.deliver(documents(10))
    assert bench.recorder.counts() == {"quarantined": 1, "accepted": 9}
    refused = next(o for o in bench.recorder.outcomes if o.verdict is Verdict.QUARANTINED)
    assert (refused.item.key, refused.field, refused.reason) == ("k3", "Email", "is invalid")
    assert bench.delivery.tally.requests == 1


def test_stop_in_the_middle_of_a_search_gives_both_halves_their_outcome():
    """The second half of a group waits while the first is being sent again."""
    service = Service(poison=frozenset({"k0"}), style="bare")
    service.fault = lambda _call: "500" if len(service.calls) >= 2 else ""
    bench = Bench(service, stop=lambda: len(service.calls) >= 3)
    bench.deliver(documents(8))
    assert bench.delivery.halted is Halt.STOPPED
    assert bench.recorder.counts() == {"suspect": 8}
    assert all(outcome.guilty for outcome in bench.recorder.outcomes), "the group is whole again"


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


def test_more_of_a_solo_class_than_may_wait_travel_once_it_is_known():
    items = [document(f"g{n}", solo_class="guest") for n in range(200)]
    bench = Bench(Service(), options=replace(INLINE, solo_waiting=30))
    bench.deliver([*items, *documents(20)])
    assert bench.recorder.counts() == {"accepted": 220}
    assert len(bench.sent) <= 20 + 21


def test_full_solo_lane_keeps_nobody_waiting_when_its_share_is_used_up():
    items = [document(f"s{n}", solo_class="") for n in range(60)]
    bench = Bench(Service(), options=replace(INLINE, solo_waiting=10, solo_floor=5, solo_share=0.0))
    bench.deliver([*items, *documents(30)])
    assert bench.recorder.counts() == {"accepted": 35, "backlog": 55}


def test_solo_lane_takes_no_more_than_its_share():
    items = [document(f"s{n}", solo_class="") for n in range(30)]
    bench = Bench(Service(), options=replace(INLINE, solo_floor=5, solo_share=0.2))
    bench.deliver([*documents(100), *items])
    assert bench.recorder.counts() == {"accepted": 105, "backlog": 25}


# Sizes


def test_body_that_is_too_large_is_halved_and_the_size_is_learned():
    learned: dict[str, int] = {}
    limits = LearnedLimits(PlainTarget(40).limits, learned)
    bench = Bench(Service(largest_body=300), batch=40, limits=limits)
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
