"""What a run is worth: the server's holdings against the source, and the exit code against both."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.rivals.measuring import Run

__all__ = ["Holdings", "Score", "compare", "normal", "score"]


@dataclass(frozen=True, slots=True)
class Holdings:
    """How the server's documents differ from today's source."""

    undelivered: int
    """Good orders that the server does not hold."""
    stale: int
    """Orders held otherwise than the source has them, or although it has them no more."""
    missing_poison: int = 0

    @property
    def complete(self) -> bool:
        """Whether the server holds the source, no more and no less."""
        return not (self.undelivered or self.stale or self.missing_poison)


@dataclass(frozen=True, slots=True)
class Score:
    """One program in one scenario."""

    requests: int
    undelivered: int
    stale: int
    duplicates: int
    throttled: int
    exits: tuple[int | None, ...]
    truthful: tuple[bool, ...]
    """Per run: exit code 0 exactly when the server holds the source."""
    seconds: float
    cpu_seconds: float
    peak_mb: float
    said: list[str] = field(default_factory=list)

    @property
    def honest(self) -> bool:
        """Whether every exit code told the truth."""
        return all(self.truthful)


def compare(
    wanted: Mapping[str, dict[str, Any]],
    held: Mapping[str, dict[str, Any]],
    poison: frozenset[str],
) -> Holdings:
    """Compare the source, as `Shop.documents` returns it, with what the server holds."""
    missing = wanted.keys() - held.keys()
    stale = len(held.keys() - wanted.keys())
    for key in wanted.keys() & held.keys():
        stale += normal(held[key]) != wanted[key]
    return Holdings(len(missing - poison), stale, len(missing & poison))


def normal(held: dict[str, Any]) -> dict[str, Any] | None:
    """Return a held document in the types of `Shop.documents`; None when a type is wrong."""
    try:
        return {
            "OrderId": held["OrderId"],
            "CustomerId": held["CustomerId"],
            "Email": held["Email"],
            "OrderDate": datetime.fromisoformat(held["OrderDate"]).astimezone(UTC),
            "TotalRevenue": _number(held["TotalRevenue"]),
            "Currency": held["Currency"],
            "IsOrderCancelled": held.get("IsOrderCancelled") or False,
            "OrderItems": sorted(
                (
                    line["ProductId"],
                    line["Sku"],
                    line["Quantity"],
                    _number(line["Price"]),
                    line.get("Brand") or "",
                )
                for line in held["OrderItems"]
            ),
        }
    except (KeyError, TypeError, ValueError):
        return None


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return Decimal(repr(value))


def score(
    runs: Sequence[Run],
    states: Sequence[Holdings],
    before: Mapping[str, int],
    after: Mapping[str, int],
) -> Score:
    """Return the score of the measured runs.

    Args:
        runs: In their order; the last one was not killed.
        states: The holdings after each run that was not killed.
        before: The server's counts.
        after: The same when all runs had ended.
    """
    ended = [one for one in runs if not one.killed]
    judged = list(zip(ended, states, strict=True))
    return Score(
        requests=after["requests"] - before["requests"],
        undelivered=states[-1].undelivered,
        stale=states[-1].stale,
        duplicates=after["duplicates"] - before["duplicates"],
        throttled=after["throttled"] - before["throttled"],
        exits=tuple(one.exit_code for one, _ in judged),
        truthful=tuple((one.exit_code == 0) == state.complete for one, state in judged),
        seconds=sum(one.seconds for one in runs),
        cpu_seconds=sum(one.cpu_seconds for one in runs),
        peak_mb=max(one.peak_mb for one in runs),
        said=[one.said for one in runs],
    )
