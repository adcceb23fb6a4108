"""What a run keeps back until a person says a word, and what letting it go would cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replenit_destination.engine.target import Target

__all__ = ["RESEND", "SCHEMA", "Held", "priced"]

RESEND = "resend"
"""Kind of hold, and backlog of documents that only a new mapping or setting changed."""

SCHEMA = "schema"
"""Kind of hold, and backlog of documents that wait because the source's tables changed."""


@dataclass(frozen=True, slots=True)
class Held:
    """Documents of one entity that wait for a word, and what sending them would cost.

    `kind` is `resend` or `schema`; `reasons` say what a schema hold saw; `accept` is the option
    that lets them go, empty where only another mapping helps.
    """

    entity: str
    documents: int
    of: int
    requests: int
    minutes: float
    kind: str = RESEND
    reasons: tuple[str, ...] = ()
    accept: str = "accept_resend"

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "entity": self.entity,
            "kind": self.kind,
            "documents": self.documents,
            "of": self.of,
            "reasons": list(self.reasons),
            "requests": self.requests,
            "minutes": round(self.minutes, 1),
            "accept": self.accept,
        }

    def __str__(self) -> str:
        requests = "1 request" if self.requests == 1 else f"{self.requests} requests"
        price = (
            f"costs {requests}, about {self.minutes:.0f} minutes of quota;"
            f" --{self.accept.replace('_', '-')} ({self.accept}) lets them go"
        )
        if self.kind == RESEND:
            return (
                f"{self.entity}: {self.documents} of {self.of} documents changed by the mapping or"
                f" a setting alone; sending them again {price}"
            )
        why = "; ".join(self.reasons)
        if not self.accept:
            return f"{self.entity}: all of its changes wait: {why}; correct the mapping"
        wait = f"{self.documents} changes wait, of {self.of} documents at the vendor"
        return f"{self.entity}: {wait}: {why}. Correct the mapping; or sending them as is {price}"


def priced(
    target: Target,
    entity: str,
    documents: int,
    of: int,
    quota_share: float,
    *,
    kind: str = RESEND,
    reasons: tuple[str, ...] = (),
    accept: str = "accept_resend",
) -> Held:
    """Return a hold with its price.

    Args:
        target: Whose quota and batch sizes give the price.
        entity: The kind of document.
        documents: How many wait.
        of: How many the vendor holds.
        quota_share: Part of the account's quota that is used.
        kind: `resend` or `schema`.
        reasons: Why, a sentence each.
        accept: The option that lets them go.
    """
    requests = -(-documents // target.limits(entity).documents)
    per_minute = min(limit / seconds * 60 for limit, seconds in target.windows)
    minutes = requests / (per_minute * quota_share)
    return Held(entity, documents, of, requests, minutes, kind, reasons, accept)
