"""What goes wrong on purpose: faults of connection and service, and documents that are refused.

    request ── matching `Fault`? ── commit or not ── spoiled answer, delay, or no answer at all
    document ─ matching `Poison`? ─ refused with 400, or answered with 200 and skipped

The first fault whose rule fires wins. Chance is seeded per rule, so the same requests in the same
order meet the same faults, whatever other rules are added behind.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Dropped", "Fault", "FaultKind", "Faults", "Poison", "storm"]


class FaultKind(StrEnum):
    """How one exchange goes wrong."""

    STATUS = "status"  # answer with `status`, by default without touching the state
    DELAY = "delay"  # do the work, then answer after `seconds`
    RESET = "reset"  # cut the connection with a TCP reset
    CLOSE = "close"  # do the work, then close without an answer: a lost response
    TRUNCATE = "truncate"  # do the work, announce the whole body, send half of it
    NOT_JSON = "not_json"  # do the work, answer 200 with a web page
    SUCCESS_FALSE = "success_false"  # answer 200 with `success: false`
    SHORT_COUNT = "short_count"  # do the work, report `short_by` fewer documents
    TIMEOUT = "timeout"  # say nothing for `seconds`, then close


_COMMITS = frozenset(
    {
        FaultKind.DELAY,
        FaultKind.CLOSE,
        FaultKind.TRUNCATE,
        FaultKind.NOT_JSON,
        FaultKind.SHORT_COUNT,
    }
)


class Dropped(Exception):  # noqa: N818 - names what happened to the connection
    """The connection ended without a whole answer; raised only by the in-process service.

    Attributes:
        kind: reset, close, truncate or timeout.
        committed: Whether the request was carried out before the connection ended.
        partial: The bytes of the body that arrived, for truncate.
    """

    def __init__(self, *, kind: FaultKind, committed: bool, partial: bytes = b"") -> None:
        self.kind = kind
        self.committed = committed
        self.partial = partial
        super().__init__(f"connection lost ({kind}, {'after' if committed else 'before'} commit)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule: which requests go wrong, how often, and how.

    All conditions must hold. Without `nth`, `every` and `probability` each matching request is hit.
    """

    kind: FaultKind | str
    method: str | None = None
    path: str | None = None  # prefix of the path as sent
    nth: int | None = None  # only the nth matching request, counted from 1
    every: int | None = None  # every so many matching requests
    probability: float | None = None
    times: int | None = None  # at most so often
    status: int = 500
    retry_after: float | None = None  # seconds; sets `Retry-After` on a status answer
    seconds: float = 30.0
    short_by: int = 1
    commit: bool | None = None  # whether the work is done all the same; None: as the kind says
    body: str | None = None  # replaces the body of status, not_json and success_false

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", FaultKind(self.kind))

    @property
    def commits(self) -> bool:
        """Whether the request is carried out before it goes wrong."""
        return self.kind in _COMMITS if self.commit is None else self.commit

    def matches(self, method: str, path: str) -> bool:
        """Whether the rule is about this request at all."""
        return (self.method is None or self.method.upper() == method) and (
            self.path is None or path.startswith(self.path)
        )


@dataclass(frozen=True, slots=True)
class Poison:
    """Documents that the vendor does not like although they are valid.

    A document matches when its `entity` fits and its key is one of `keys` or fully matches
    `pattern`. The key is `OrderId` of an order, `ProductId` of a product, and `CustomerId` or
    `Email` of a customer.
    """

    entity: str | None = None
    keys: Iterable[str] = ()
    pattern: str | None = None
    outcome: str = "refuse"  # or "ignore": answered with 200, not stored
    field: str = ""  # what a refusal points to, "OrderItems[0].Sku" for instance; default the key
    message: str = "The value is not acceptable."

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", frozenset(self.keys))
        if self.outcome not in {"refuse", "ignore"}:
            message = f"outcome of a poison is refuse or ignore, not {self.outcome!r}"
            raise ValueError(message)
        if self.pattern is not None:
            re.compile(self.pattern)

    def matches(self, entity: str, keys: Iterable[str]) -> bool:
        """Whether a document with these identifiers is poisonous."""
        if self.entity is not None and self.entity != entity:
            return False
        pattern = self.pattern
        return any(
            key in self.keys or (pattern is not None and re.fullmatch(pattern, key) is not None)
            for key in keys
        )


class _Rule:
    """A fault with its own chance and counters."""

    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self.seen = 0
        self.fired = 0
        self._chance = random.Random(seed)  # noqa: S311 - reproducible faults, not security

    def fires(self, method: str, path: str) -> bool:
        fault = self.fault
        if not fault.matches(method, path):
            return False
        self.seen += 1
        hit = (
            (fault.nth is None or self.seen == fault.nth)
            and (fault.every is None or self.seen % fault.every == 0)
            and (fault.probability is None or self._chance.random() < fault.probability)
            and (fault.times is None or self.fired < fault.times)
        )
        self.fired += hit
        return hit


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.poisons: list[Poison] = []
        self._rules: list[_Rule] = []

    def add(self, *rules: Fault | Poison) -> None:
        """Put rules into force, behind those that are."""
        for rule in rules:
            if isinstance(rule, Poison):
                self.poisons.append(rule)
            else:
                self._rules.append(_Rule(rule, f"{self.seed}/{len(self._rules)}"))

    def clear(self) -> None:
        """End all faults and poisons."""
        self._rules.clear()
        self.poisons.clear()

    def reseed(self, seed: int) -> None:
        """Start every rule again, with the chance of another seed."""
        self.seed = seed
        self._rules = [_Rule(rule.fault, f"{seed}/{n}") for n, rule in enumerate(self._rules)]

    def choose(self, method: str, path: str) -> Fault | None:
        """Return the fault that hits this request, if any."""
        for rule in self._rules:
            if rule.fires(method, path):
                return rule.fault
        return None

    def fired(self) -> int:
        """Return how many requests were hit so far."""
        return sum(rule.fired for rule in self._rules)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return all rules as JSON-ready values, faults with their counters."""
        faults = [
            {**asdict(rule.fault), "seen": rule.seen, "fired": rule.fired} for rule in self._rules
        ]
        poisons = [{**asdict(poison), "keys": sorted(poison.keys)} for poison in self.poisons]
        return [*faults, *poisons]


_STORM: tuple[Fault, ...] = (
    *(Fault("status", status=status) for status in (500, 502, 503, 504)),
    Fault("status", status=504, commit=True),
    Fault("reset"),
    Fault("reset", commit=True),
    Fault("close"),
    Fault("truncate"),
    Fault("not_json"),
    Fault("success_false"),
)


def storm(probability: float, faults: Iterable[Fault] = _STORM) -> list[Fault]:
    """Return rules that hit every request with `probability`, by each fault equally often.

    By default one of each transient kind: 500, 502, 503, 504 (the last also after the work was
    done), reset before and after the work, lost response, truncated answer, a web page, `success:
    false`.
    """
    chosen = list(faults)
    share = probability / len(chosen)
    # A rule is asked only when those before it did not fire: its own chance is conditional on that.
    return [
        replace(fault, probability=min(1.0, share / (1 - place * share)))
        for place, fault in enumerate(chosen)
    ]
