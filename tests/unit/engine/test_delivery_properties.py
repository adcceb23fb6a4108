"""What always and never happens, whatever the service and the user do."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from replenit_destination.engine.delivery import Delivery, DeliveryOptions
from replenit_destination.engine.diagnosis import DiagnosisSettings
from replenit_destination.engine.documents import Document, Removal, Verdict
from replenit_destination.engine.quota import QuotaShares, UnlimitedQuota, Window, WindowQuota
from replenit_destination.exceptions import DeliveryError
from tests.doubles.clock import FakeClock
from tests.doubles.recorder import MemoryRecorder
from tests.doubles.vendor import Call, PlainTarget, Service, document

FAULTS = ["refused", "reset", "timeout", "lost", "500", "502", "503", "504", "429"]


@st.composite
def items(draw) -> list[Document | Removal]:
    """Make items over few keys; each carries its place, so that sendings can be told apart."""
    made: list[Document | Removal] = []
    for place in range(draw(st.integers(0, 60))):
        key = f"k{draw(st.integers(0, 25))}"
        entity = draw(st.sampled_from(["orders", "customers"]))
        kind = draw(st.sampled_from(["batch"] * 6 + ["solo", "class", "urgent", "child", "whole"]))
        if kind in {"child", "whole"}:
            child = f"{place}" if kind == "child" else ""
            made.append(Removal(entity, key, child=child, identifiers=(("place", str(place)),)))
            continue
        solo = {"solo": "", "class": "guest"}.get(kind)
        value = f"{place}" + "x" * draw(st.sampled_from([0, 0, 0, 30, 200]))
        made.append(
            document(key, entity=entity, value=value, solo_class=solo, urgent=kind == "urgent")
        )
    return made


def name_of(item: Document | Removal) -> tuple[str, str, str]:
    if isinstance(item, Removal):
        return (item.entity, item.key, f"delete {item.child}")
    return (item.entity, item.key, json.loads(item.body)["value"])


class Watched:
    """A transport that checks each sending against what is already decided."""

    def __init__(self, service: Service, recorder: MemoryRecorder) -> None:
        self.service, self.recorder = service, recorder
        self.sent: list[tuple[str, str, str]] = []

    def __call__(self, request):
        if request.body:
            entity = request.path[1:]
            names = [(entity, e["key"], e["value"]) for e in json.loads(request.body)]
            keys = [name[1] for name in names]
            assert len(keys) == len(set(keys)), "one key once per request"
        else:
            _, entity, key, child = request.path.split("/")
            names = [(entity, key, f"delete {child}")]
        intended = {name_of(item) for item in self.recorder.intended}
        assert intended >= set(names), "the intent is on record first"
        if all(name[2] != "delete " for name in names):
            decided = {name_of(outcome.item) for outcome in self.recorder.outcomes}
            assert not decided & set(names), "what has an outcome is not sent again"
        self.sent += names
        return self.service(request)


def assert_outcomes_are_true(recorder: MemoryRecorder, service: Service, largest: int) -> None:
    taken = set(service.accepted)
    for outcome in recorder.outcomes:
        item = outcome.item
        if outcome.verdict is Verdict.QUARANTINED:
            assert isinstance(item, Document)
            assert item.key in service.poison or len(item.body) + 2 > largest
        if outcome.verdict is Verdict.ACCEPTED:
            assert isinstance(item, Removal) or (item.entity, item.key) in taken


def assert_key_order(sent: list[tuple[str, str, str]], feed: list[Document | Removal]) -> None:
    place = {name_of(item): n for n, item in enumerate(feed)}
    per_key = defaultdict(list)
    for entity, key, what in sent:
        if what != "delete ":  # whole removals of one key are alike
            per_key[entity, key].append(place[entity, key, what])
    for places in per_key.values():
        assert places == sorted(places), "what concerns one record is sent in its order"


@settings(max_examples=400, deadline=None)
@given(
    feed=items(),
    poison=st.frozensets(st.integers(0, 25).map(lambda n: f"k{n}"), max_size=6),
    style=st.sampled_from(["indexed", "first", "bare", "lying"]),
    fault_rate=st.sampled_from([0.0, 0.0, 0.1, 0.3, 0.9]),
    seed=st.integers(0, 10**6),
    batch=st.integers(1, 12),
    largest_body=st.sampled_from([60, 400, 10**6]),
    stop_after=st.sampled_from([None, None, 0, 3, 12]),
    max_requests=st.sampled_from([None, None, 1, 10]),
    share=st.sampled_from([0.0, 0.1, 10.0]),
    ignored=st.sampled_from([frozenset(), frozenset({"k1"})]),
    limited=st.booleans(),
)
def test_every_item_gets_exactly_one_true_outcome(
    feed,
    poison,
    style,
    fault_rate,
    seed,
    batch,
    largest_body,
    stop_after,
    max_requests,
    share,
    ignored,
    limited,
):
    clock, draws, recorder = FakeClock(), random.Random(seed), MemoryRecorder()

    def fault(_call: Call) -> str:
        return draws.choice(FAULTS) if draws.random() < fault_rate else ""

    service = Service(
        clock=clock,
        poison=poison,
        style=style,
        ignored=ignored,
        largest_body=largest_body,
        fault=fault,
        retry_after=2,
    )
    watched = Watched(service, recorder)
    shares = QuotaShares(share=1.0)
    quota = WindowQuota([Window(7, 10)], clock=clock, shares=shares) if limited else None
    delivery = Delivery(
        PlainTarget(batch, 500),
        watched,
        recorder,
        quota or UnlimitedQuota(),
        clock=clock,
        random=random.Random(seed),
        stop=lambda: stop_after is not None and len(service.calls) >= stop_after,
        options=replace(
            DeliveryOptions(workers=0),
            max_requests=max_requests,
            diagnosis=DiagnosisSettings(share=share, floor=3),
            poll_seconds=5.0,
        ),
    )
    consumed: list[Document | Removal] = []

    def stream():
        for item in feed:
            consumed.append(item)
            yield item

    try:
        delivery.deliver(stream())
        delivery.deliver([])
    except DeliveryError:
        assert fault_rate == 0.9
    recorder.assert_one_outcome_each(consumed)
    if not delivery.halted:
        assert consumed == feed

    assert_outcomes_are_true(recorder, service, largest_body)
    assert_key_order(watched.sent, feed)
    assert max_requests is None or delivery.tally.requests <= max_requests


@settings(max_examples=60, deadline=None)
@given(
    total=st.integers(1, 400),
    seed=st.integers(0, 10**6),
    style=st.sampled_from(["indexed", "first", "bare", "lying"]),
)
def test_three_faults_in_ten_lose_nothing_and_quarantine_nothing_good(total, seed, style):
    clock, draws, recorder = FakeClock(), random.Random(seed), MemoryRecorder()
    docs = [document(f"k{n}") for n in range(total)]
    poison = frozenset(draws.sample([d.key for d in docs], min(total, 2)))

    def fault(_call: Call) -> str:
        return draws.choice(FAULTS) if draws.random() < 0.3 else ""

    service = Service(clock=clock, poison=poison, style=style, fault=fault, retry_after=1)
    delivery = Delivery(
        PlainTarget(20),
        service,
        recorder,
        UnlimitedQuota(),
        clock=clock,
        random=random.Random(seed),
        options=DeliveryOptions(
            workers=0, max_attempts=25, diagnosis=DiagnosisSettings(floor=200), poll_seconds=30
        ),
    )
    delivery.deliver(docs)
    assert recorder.keys(Verdict.QUARANTINED) == sorted(poison)
    assert len(recorder.keys(Verdict.ACCEPTED)) == total - len(poison)
