from __future__ import annotations

import random

import pytest

from replenit_destination.engine.batching import Numbering
from replenit_destination.engine.diagnosis import (
    Diagnosis,
    DiagnosisSettings,
    expected_requests,
)
from tests.doubles.vendor import documents


def search(size: int, bad: set[int]) -> tuple[int, set[str], set[str]]:
    """Search a refused group and return requests, keys found bad, keys accepted."""
    diagnosis = Diagnosis(DiagnosisSettings(floor=10**6))
    items = tuple(documents(size))
    culprits = {f"k{n}" for n in bad}
    batch = Numbering().batch(items)
    found, accepted = set(), set()
    diagnosis.suspect(items, batch, "refused")
    while diagnosis:
        probe = diagnosis.take()
        keys = {item.key for item in probe.items}
        if not keys & culprits:
            assert not keys & accepted, "a cleared document is not sent again"
            accepted |= keys
            diagnosis.learn(good=len(keys))
            diagnosis.cleared(probe)
            continue
        diagnosis.undecided(probe)
        if len(keys) == 1:
            found |= keys
            diagnosis.learn(bad=1)
        else:
            diagnosis.suspect(probe.items, batch, "refused")
    return diagnosis.requests, found, accepted


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 200, 1000])
def test_search_finds_exactly_the_culprits(size):
    picker = random.Random(size)
    for count in {1, min(size, 3), size}:
        bad = set(picker.sample(range(size), count))
        _, found, accepted = search(size, bad)
        assert found == {f"k{n}" for n in bad}
        assert len(accepted) == size - count


@pytest.mark.parametrize(("size", "most"), [(50, 12), (200, 16), (500, 19), (1000, 20)])
def test_one_culprit_costs_two_requests_per_halving_at_most(size, most):
    assert max(search(size, {n})[0] for n in range(size)) <= most


def test_search_of_a_wholly_bad_group_gives_up_halving():
    requests, found, _ = search(200, set(range(200)))
    assert len(found) == 200
    assert requests < 2 * 200


def test_singles_are_chosen_where_halving_is_expected_to_cost_more():
    assert expected_requests(200, 0.005) < 25
    assert expected_requests(200, 0.4) > 200


def test_budget_is_the_larger_of_floor_and_share():
    diagnosis = Diagnosis(DiagnosisSettings(share=0.1, floor=2))
    diagnosis.suspect(tuple(documents(8)), Numbering().batch(documents(8)), "")
    for _ in range(2):
        assert diagnosis.affordable(0)
        diagnosis.cleared(diagnosis.take())
    assert not diagnosis.affordable(20)
    assert diagnosis.affordable(21)


def test_larger_groups_are_searched_first():
    diagnosis = Diagnosis(DiagnosisSettings())
    batch = Numbering().batch(documents(9))
    diagnosis.suspect(tuple(documents(3)), batch, "", guilty=False)
    diagnosis.suspect(tuple(documents(9)), batch, "", guilty=False)
    assert len(diagnosis.take().items) == 9
