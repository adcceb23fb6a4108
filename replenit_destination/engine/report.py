"""What a run did, in numbers a machine can read and sentences a shop owner understands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from replenit_destination.engine.alarms import AlarmRules, refusal_alarms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from replenit_destination.engine.alarms import Alarm
    from replenit_destination.engine.guards import Withheld
    from replenit_destination.engine.holds import Held
    from replenit_destination.engine.options import PushOptions
    from replenit_destination.engine.references import Absent
    from replenit_destination.engine.tally import Tally
    from replenit_destination.engine.target import Target

__all__ = ["COUNTERS", "EXIT_CODES", "EntityReport", "Report", "sized"]

EXIT_CODES: Mapping[int, str] = {
    0: "everything was delivered",
    1: (
        "some documents were refused, held or not confirmed, or removals withheld; "
        "everything else was delivered"
    ),
    2: "nothing could run: a setting, the mapping or the service is at fault",
    3: "stopped before the end; run again to go on",
}

COUNTERS = (
    "created",
    "updated",
    "unchanged",
    "deleted",
    "children_deleted",
    "withheld",
    "skipped",
    "rejected",
    "quarantined",
    "backlog",
)
"""The keys of every entity in a report, in the order they are told."""


@dataclass(slots=True)
class EntityReport:
    """The counts of one entity.

    `created`, `updated`, `deleted` and `children_deleted` were accepted in this run. `unchanged` is
    what the vendor has and needed nothing. `withheld` are removals that guards keep back; `skipped`
    (nobody it could be sent for), `rejected` (by our rules), `quarantined` (by the vendor) and
    `backlog` (not decided) are what stands so at the end of the run. Of what waits or stands
    refused, `stale` documents are at the vendor in an older version, or may be, and
    `never_delivered` ones are not there at all. `accepted_at` and `staged_at` are Unix seconds of
    the newest accepted document and of the newest load that was compared.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    children_deleted: int = 0
    withheld: int = 0
    skipped: int = 0
    rejected: int = 0
    quarantined: int = 0
    backlog: int = 0
    unconfirmed: int = 0
    stale: int = 0
    never_delivered: int = 0
    accepted_at: float | None = None
    staged_at: float | None = None
    compared: str = ""
    """Why everything was compared; empty when only touched rows were."""

    def to_dict(self) -> dict[str, Any]:
        """Return the documented counts."""
        return {
            **{name: getattr(self, name) for name in COUNTERS},
            "unconfirmed": self.unconfirmed,
            "stale": self.stale,
            "never_delivered": self.never_delivered,
            "accepted_at": _moment(self.accepted_at),
            "staged_at": _moment(self.staged_at),
            "compared": self.compared or "touched rows",
        }

    @property
    def refused(self) -> int:
        """Documents that stand refused, by us or by the vendor."""
        return self.rejected + self.quarantined

    @property
    def delivered(self) -> int:
        """Changes that the vendor accepted in this run."""
        return self.created + self.updated + self.deleted + self.children_deleted


@dataclass(slots=True)
class Report:
    """The result of one push.

    `seconds` is per step. `refusals` are (entity, field, reason) → documents, standing at the end;
    `left_out` are (entity, what, field, reason) → documents that travelled without something.
    `samples` name refused documents by key hash. `unconfirmed` is entity → (documents, samples) of
    requests that the vendor took without counting all that was in them. `absent` is what this run's
    documents point to and the vendor was never told of. `windows` are the account's, as (requests,
    seconds), and `quota_share` is the part of them to use.
    """

    target: str
    tenant: str
    windows: tuple[tuple[int, float], ...] = ()
    quota_share: float = 1.0
    rules: AlarmRules = field(default_factory=AlarmRules)
    entities: dict[str, EntityReport] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tally: Tally | None = None
    withheld: list[Withheld] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    refusals: dict[tuple[str, str, str], int] = field(default_factory=dict)
    samples: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    unconfirmed: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    absent: list[Absent] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    halted: str = ""
    error: str = ""

    @classmethod
    def of(cls, target: Target, options: PushOptions) -> Self:
        """Return the report of a run that begins."""
        windows = tuple((limit, seconds) for limit, seconds in target.windows)
        share, rules = options.quota_share, options.alarms
        return cls(target.name, target.tenant, windows, share, rules)

    @property
    def requests(self) -> int:
        """Requests made, refused and repeated ones included."""
        return self.tally.requests if self.tally else 0

    @property
    def throttled(self) -> int:
        """Answers that told us to wait (429)."""
        return self.tally.throttled if self.tally else 0

    @property
    def bytes(self) -> int:
        """Bytes of the request bodies."""
        return self.tally.bytes if self.tally else 0

    @property
    def exit_code(self) -> int:
        """What a script should exit with; the codes are in `EXIT_CODES`."""
        if self.error:
            return 2
        if self.halted:
            return 3
        kept = self.withheld or any(one.withheld for one in self.entities.values())
        left = kept or self.held or self.unconfirmed or self.too_many_refused
        return 1 if left else 0

    @property
    def too_many_refused(self) -> bool:
        """Whether more documents stand refused than `rules` allow; without limits, whether any."""
        if self.rules.tolerant:
            return bool(refusal_alarms(self.rules, self.entities))
        return any(one.refused for one in self.entities.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values; `docs/report.md` explains every key."""
        return {
            "target": self.target,
            "tenant": self.tenant,
            "exit_code": self.exit_code,
            "halted": self.halted,
            "error": self.error,
            "requests": self.requests,
            "throttled": self.throttled,
            "bytes": self.bytes,
            "quota": {"share": self.quota_share, "windows": [list(one) for one in self.windows]},
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "alarms": [one.to_dict() for one in self.alarms],
            "entities": {name: one.to_dict() for name, one in sorted(self.entities.items())},
            "withheld": [
                {
                    "entity": one.entity,
                    "children": one.children,
                    "count": one.count,
                    "reason": one.reason,
                    "samples": list(one.samples),
                    "allow": one.allow,
                }
                for one in self.withheld
            ],
            "held": [one.to_dict() for one in self.held],
            "refusals": [
                {
                    "entity": entity,
                    "field": name,
                    "reason": reason,
                    "count": count,
                    "samples": list(self.samples.get((entity, name, reason), ())),
                }
                for (entity, name, reason), count in sorted(self.refusals.items())
            ],
            "left_out": [
                {"entity": entity, "what": what, "field": name, "reason": reason, "count": count}
                for (entity, what, name, reason), count in sorted(self.left_out.items())
            ],
            "unconfirmed": [
                {"entity": entity, "count": count, "samples": list(samples)}
                for entity, (count, samples) in sorted(self.unconfirmed.items())
            ],
            "absent": [one.to_dict() for one in self.absent],
            "notices": list(self.notices),
            "delivery": self.tally.as_dict() if self.tally else {},
        }

    @property
    def summary(self) -> str:
        """The report in a few lines for a person."""
        lines = [self._headline(), *self._table()]
        lines += [f"  alarm     {one}" for one in self.alarms]
        return "\n".join([*lines, *self.details])

    @property
    def details(self) -> list[str]:
        """What was kept back, refused or left out, and what is worth knowing: a line each."""
        lines = [f"  withheld  {one}" for one in self.withheld]
        lines += [f"  held      {one}" for one in self.held]
        lines += [
            f"  refused   {count} {entity}: {name} {reason}"
            + self._named(self.samples.get((entity, name, reason), ()))
            for (entity, name, reason), count in _most(self.refusals)
        ]
        lines += [
            f"  {what:9} {count} {entity}: {name} {reason}"
            for (entity, what, name, reason), count in _most(self.left_out)
        ]
        lines += [
            f"  uncounted {count} {entity} in requests that were accepted and not counted in full"
            + self._named(samples)
            for entity, (count, samples) in sorted(self.unconfirmed.items())
        ]
        lines += [
            f"  standing  {name}: {_told(one)}"
            for name, one in sorted(self.entities.items())
            if one.stale or one.never_delivered
        ]
        lines += [f"  absent    {one}" for one in self.absent]
        return lines + [f"  note      {notice}" for notice in self.notices]

    def _headline(self) -> str:
        seconds = sum(self.seconds.values())
        state = {
            0: "Everything is delivered",
            1: "Delivered, but not everything",
            2: "Stopped by an error",
            3: f"Stopped before the end ({_WHY.get(self.halted, self.halted)}); run again to go on",
        }[self.exit_code]
        waits = f", {self.throttled} throttled" if self.throttled else ""
        return (
            f"{state}: {self.requests} {_plural('request', self.requests)}{waits}, "
            f"{sized(self.bytes)}, {seconds:.1f} s."
        )

    def _table(self) -> list[str]:
        names = [name.replace("children_deleted", "lines gone") for name in COUNTERS]
        shown = [
            (label, name)
            for label, name in zip(names, COUNTERS, strict=True)
            if name in _ALWAYS or any(getattr(one, name) for one in self.entities.values())
        ]
        width = max([len(name) for name in self.entities] or [0])
        header = " ".join([" " * (width + 2), *(f"{label:>11}" for label, _ in shown)])
        rows = [
            " ".join([f"  {name:{width}}", *(f"{getattr(one, key):>11,}" for _, key in shown)])
            for name, one in sorted(self.entities.items())
        ]
        return [header, *rows] if rows else []

    @staticmethod
    def _named(samples: tuple[str, ...]) -> str:
        return f" (for instance {', '.join(samples)})" if samples else ""


_WHY = {"yielded": "another run took over", "paused": "delivery is paused"}

_ALWAYS = frozenset({"created", "updated", "unchanged", "deleted"})


def _moment(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


def _told(one: EntityReport) -> str:
    parts = {"older at the vendor than here": one.stale, "never delivered": one.never_delivered}
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)


_K = TypeVar("_K")


def _most(counts: Mapping[_K, int], limit: int = 8) -> list[tuple[_K, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))[:limit]


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def sized(count: int) -> str:
    """Return a number of bytes as text."""
    for unit in ("bytes", "kB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count = round(count / 1000)
    return f"{count} MB"
