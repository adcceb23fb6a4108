"""The scores of one run of the suite, and their way through a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from tests.benchmarks.rivals.programs import Program, programs
from tests.benchmarks.rivals.scenarios import Scenario, scenarios
from tests.benchmarks.rivals.scoring import Score

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Results"]


@dataclass(frozen=True, slots=True)
class Results:
    """Scenario → program → score, of a shop of so many orders, so many programs at a time."""

    orders: int
    minutes: float
    at_once: int
    scores: Mapping[str, Mapping[str, Score]]

    @property
    def scenarios(self) -> list[Scenario]:
        """The scenarios that were played, in their order."""
        return [one for one in scenarios(self.orders) if one.key in self.scores]

    @property
    def programs(self) -> list[Program]:
        """The programs that played, ours first."""
        played = {key for scores in self.scores.values() for key in scores}
        return [one for key, one in programs().items() if key in played]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what the programs said is left out."""
        scores = {
            scenario: {program: {**asdict(score), "said": []} for program, score in row.items()}
            for scenario, row in self.scores.items()
        }
        return {
            "orders": self.orders,
            "minutes": self.minutes,
            "at_once": self.at_once,
            "scores": scores,
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """Return the results that `to_json` wrote."""
        scores = {
            scenario: {program: _score(one) for program, one in row.items()}
            for scenario, row in plain["scores"].items()
        }
        return cls(plain["orders"], plain["minutes"], plain["at_once"], scores)


def _score(plain: dict[str, Any]) -> Score:
    exits, truthful = tuple(plain["exits"]), tuple(plain["truthful"])
    return Score(**{**plain, "exits": exits, "truthful": truthful})
