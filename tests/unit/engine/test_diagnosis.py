from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from replenit_destination.engine.batching import Numbering
from replenit_destination.engine.diagnosis import Diagnosis, DiagnosisSettings, Group
from replenit_destination.engine.target import BatchLimits
from tests.doubles.vendor import document, documents

UNLIMITED = DiagnosisSettings(floor=10**6)


def diagnosis(settings: DiagnosisSettings = UNLIMITED, most: int = 200) -> Diagnosis:
    return Diagnosis(settings, lambda _entity: BatchLimits(most, 10**6))


def group(items, **flags) -> Group:
    return Group(tuple(items), Numbering().batch(tuple(items)), "refused", **flags)


def search(batches: list[Group], bad: set[str], most: int = 200) -> tuple[int, set[str], set[str]]:
    """Search refused batches and return requests, keys found bad, keys accepted."""
    state, found, accepted = diagnosis(most=most), set(), set()
    for one in batches:
        state.suspect(one)
    while state:
        probe = state.take()
        keys = {item.key for item in probe.items}
        assert len(keys) <= most
        assert not keys & accepted, "a cleared document is not sent again"
        if not keys & bad:
            accepted |= keys
            state.learn(good=len(keys))
            state.answered(probe, accepted=True)
            continue
        state.answered(probe, accepted=False)
        if len(keys) == 1:
            found |= keys
            state.learn(bad=1)
        else:
            state.suspect(group(probe.items))
    return state.requests, found, accepted


def most_requests(culprits: int, batch: int) -> int:
    """Return the bound: one search by halves per culprit, its confirmation, and the rest."""
    return culprits * (math.ceil(math.log2(batch)) + 2)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 200, 1000])
def test_search_finds_exactly_the_culprits(size):
    picker = random.Random(size)
    for count in {1, min(size, 3), size // 2 + 1, size}:
        bad = {f"k{n}" for n in picker.sample(range(size), count)}
        _, found, accepted = search([group(documents(size))], bad, most=size)
        assert found == bad
        assert len(accepted) == size - count


@pytest.mark.parametrize("size", [2, 50, 100, 200, 500, 1000])
def test_one_culprit_costs_a_search_by_halves_wherever_it_is(size):
    most = max(search([group(documents(size))], {f"k{n}"}, size)[0] for n in range(size))
    assert most <= most_requests(1, size)


@pytest.mark.parametrize(("culprits", "most"), [(200, 220), (100, 300), (20, 130)])
def test_search_of_a_bad_group_turns_to_singles(culprits, most):
    for seed in range(5):
        bad = {f"k{n}" for n in random.Random(seed).sample(range(200), culprits)}
        requests, found, _ = search([group(documents(200))], bad)
        assert found == bad
        assert requests <= most


def test_a_hundred_culprits_of_ten_thousand_cost_little_more_than_they_must():
    """No search by yes and no does it in fewer than log2(10000 over 100), which is 808."""
    for seed in range(3):
        bad = {f"k{n}" for n in random.Random(seed).sample(range(10_000), 100)}
        everything = documents(10_000)
        batches = [everything[n : n + 200] for n in range(0, 10_000, 200)]
        refused = [group(one) for one in batches if {d.key for d in one} & bad]
        requests, found, _ = search(refused, bad)
        assert found == bad
        assert requests <= 870


def test_open_parts_travel_together_within_the_limits():
    state = diagnosis(most=100)
    for n in range(5):
        state.suspect(group(documents(40, prefix=f"g{n}-"), guilty=False))
    assert [len(state.take().items) for _ in range(3)] == [80, 80, 40]


def test_rest_of_a_named_refusal_is_sent_whole_however_many_were_found():
    state = diagnosis()
    state.learn(bad=50, good=50)
    state.suspect(group(documents(200), guilty=False, named=True))
    assert len(state.take().items) == 200


def test_withdrawals_are_searched_first_and_without_budget():
    state = diagnosis(DiagnosisSettings(share=0, floor=0))
    state.suspect(group(documents(200)))
    assert not state.affordable(1000)
    state.suspect(group([document("w1", urgent=True), document("w2")]))
    assert state.affordable(1000)
    assert [item.key for item in state.take().items] == ["w1"]


def test_budget_is_the_larger_of_floor_and_share():
    state = diagnosis(DiagnosisSettings(share=0.1, floor=2))
    state.suspect(group(documents(8)))
    for _ in range(2):
        assert state.affordable(0)
        state.answered(state.take(), accepted=True)
    assert not state.affordable(20)
    assert state.affordable(21)


def test_larger_groups_are_searched_first():
    state = diagnosis()
    state.suspect(group(documents(3)))
    state.suspect(group(documents(9, prefix="large")))
    assert len(state.take().items) == 4


def test_group_of_an_earlier_run_that_is_taken_now_costs_nothing():
    state = diagnosis()
    state.suspect(group(documents(10), earlier=True))
    for size in (5, 5):
        probe = state.take()
        assert len(probe.items) == size
        state.answered(probe, accepted=True)
    assert (len(state), state.requests) == (0, 0)


def test_group_of_an_earlier_run_that_is_refused_again_is_searched_on():
    state = diagnosis()
    state.suspect(group(documents(10), earlier=True))
    probe = state.take()
    state.answered(probe, accepted=False)
    state.suspect(group(probe.items))
    assert len(state.take().items) == 2
    assert state.requests == 2


def test_probe_without_an_answer_is_its_group_again():
    state = diagnosis()
    state.suspect(group(documents(10)))
    state.returned(state.take())
    back = state.give_up()
    assert (len(back.items), back.guilty) == (10, True)
    state.suspect(replace(back, guilty=False))
    state.returned(state.take())
    assert not state.give_up().guilty
