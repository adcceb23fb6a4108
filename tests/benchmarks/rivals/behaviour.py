"""How the server of a scenario behaves, and what it has counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

__all__ = ["Behaviour", "Counts", "Quota"]


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` requests in a window of `seconds`.

    `kind` is `fixed`, aligned to the clock, or `sliding`. With `hints` a 429 says how long to wait
    and every answer carries the rate headers; without them it says nothing.
    """

    limit: int
    seconds: float
    kind: str = "sliding"
    hints: bool = True


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does besides storing documents."""

    poison: frozenset[str] = frozenset()
    """Keys of orders that are refused."""
    poison_answer: str = "problem"
    """`problem` (F2) and `envelope` (F1) name the orders, `nameless` (F3) does not, and all three
    refuse the whole batch; `multi_status` stores the others and answers 207."""
    quota: Quota | None = None
    lost: frozenset[int] = frozenset()
    """Numbers of the batches that are stored and then never answered: the connection closes."""
    max_body_bytes: int = 0
    """Larger bodies are answered with 413; 0 takes any size."""
    children: str = "replace"
    """Whether the lines of an upsert `replace` the stored ones or are `merge`d with them."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = asdict(self)
        return {**plain, "poison": sorted(self.poison), "lost": sorted(self.lost)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """Return the behaviour that `to_json` wrote."""
        quota = Quota(**plain["quota"]) if plain["quota"] else None
        poison, lost = frozenset(plain["poison"]), frozenset(plain["lost"])
        return cls(**{**plain, "quota": quota, "poison": poison, "lost": lost})


@dataclass(slots=True)
class Counts:
    """What has arrived so far."""

    requests: int = 0
    batches: int = 0
    """Upserts that were looked at, refused ones included."""
    deletes: int = 0
    accepted: int = 0
    """Documents stored."""
    duplicates: int = 0
    """Documents stored although the same content was there already."""
    throttled: int = 0
    refused: int = 0
    too_large: int = 0
    bytes: int = 0
