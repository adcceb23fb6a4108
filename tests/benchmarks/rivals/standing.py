"""Where ours stands in a scenario, and by which measures somebody else is ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.rivals.programs import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.benchmarks.rivals.scenarios import Scenario
    from tests.benchmarks.rivals.scoring import Score

__all__ = ["Behind", "behind", "standing"]

# The rest of a second or of some MB is this machine's mood.
_SLACK = 1.1
_MEASURES = ("undelivered", "stale", "throttled", "requests", "duplicates")
_COSTS = ("seconds", "cpu_seconds", "peak_mb")


@dataclass(frozen=True, slots=True)
class Behind:
    """By this measure another program, whose result is at least as complete, did better."""

    scenario: str
    measure: str
    ours: float
    best: float
    program: str


def standing(scores: Mapping[str, Score]) -> str:
    """Return `leads`, `ties` or `behind`, ours against the best of the others.

    What the server holds in the end comes first, then the exit codes, 429s, requests, duplicates.
    """
    ours = _rank(scores[OURS])
    best = min(_rank(score) for key, score in scores.items() if key != OURS)
    return "leads" if ours < best else "ties" if ours == best else "behind"


def behind(scenario: Scenario, scores: Mapping[str, Score]) -> list[Behind]:
    """Return every measure by which a program that left no more behind did better than ours."""
    ours = scores[OURS]
    equals = {
        key: score
        for key, score in scores.items()
        if key != OURS and _left(score) <= _left(ours) and score.honest >= ours.honest
    }
    found = []
    # The processor time of killed runs is not complete.
    costs = [cost for cost in _COSTS if scenario.letter != "i" or cost != "cpu_seconds"]
    for measure in (*_MEASURES, *costs):
        slack = _SLACK if measure in _COSTS else 1.0
        own = getattr(ours, measure)
        best = min(equals, key=lambda key: getattr(equals[key], measure), default=None)
        if best is not None and getattr(equals[best], measure) * slack < own:
            value = getattr(equals[best], measure)
            found.append(Behind(scenario.key, measure, own, value, best))
    return found


def _left(score: Score) -> int:
    return score.undelivered + score.stale


def _rank(score: Score) -> tuple[int, bool, int, int, int]:
    left = _left(score)
    return (left, not score.honest, score.throttled, score.requests, score.duplicates)
