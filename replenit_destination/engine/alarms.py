"""What a run warns of, and from when on: refusals, silence, an unusual number of changes.

An alarm is a sentence in the report. Only too many refusals change the exit code: a quiet day is
for a person to judge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replenit_destination.engine.report import EntityReport

__all__ = ["Alarm", "AlarmRules", "refusal_alarms"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One warning: its kind (`refused`, `freshness`, `volume`), the entity, and a sentence."""

    kind: str
    entity: str
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {"kind": self.kind, "entity": self.entity, "text": self.text}

    def __str__(self) -> str:
        return f"{self.entity}: {self.text}" if self.entity else self.text


@dataclass(frozen=True, slots=True)
class AlarmRules:
    """From when on a run warns.

    Args:
        max_rejected_share: Part of an entity's documents that may stand refused; None is no limit.
        max_rejected_count: Documents that may stand refused, of all entities; None is no limit.
            With neither limit a single refused document is too many.
        freshness_hours: Entity → hours after which the newest accepted document is too old.
        volume_factor: How many times a weekday's usual number of changes is too many, and whether
            none at all is told; 0 switches both off.
    """

    max_rejected_share: float | None = None
    max_rejected_count: int | None = None
    freshness_hours: Mapping[str, float] = field(default_factory=dict)
    volume_factor: float = 5.0

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            SettingsError: Names the setting.
        """
        share, count = self.max_rejected_share, self.max_rejected_count
        for name, fits, rule in (
            ("max_rejected_share", share is None or 0 <= share <= 1, "between 0 and 1"),
            ("max_rejected_count", count is None or count >= 0, "0 or more documents"),
            (
                "freshness_hours",
                all(hours > 0 for hours in self.freshness_hours.values()),
                "more than 0 hours for each entity",
            ),
            ("volume_factor", self.volume_factor == 0 or self.volume_factor > 1, "0 or above 1"),
        ):
            if not fits:
                message = f"{name}: must be {rule}."
                raise SettingsError(message)

    @property
    def tolerant(self) -> bool:
        """Whether some refused documents are none of a run's faults."""
        return self.max_rejected_share is not None or self.max_rejected_count is not None


def refusal_alarms(rules: AlarmRules, entities: Mapping[str, EntityReport]) -> list[Alarm]:
    """Return which limits of refused documents are exceeded; empty without any limit."""
    found = []
    refused = {name: one.rejected + one.quarantined for name, one in entities.items()}
    total, most, share = sum(refused.values()), rules.max_rejected_count, rules.max_rejected_share
    if most is not None and total > most:
        text = f"{total} refused documents are more than max_rejected_count, {most}"
        found.append(Alarm("refused", "", text))
    for name, count in sorted(refused.items()) if share is not None else ():
        one = entities[name]
        documents = one.unchanged + one.created + one.updated + count
        if share is not None and count > share * documents:
            part = count / documents
            text = (
                f"{count} of {documents} documents are refused, {part:.1%}, "
                f"more than max_rejected_share, {share:.1%}"
            )
            found.append(Alarm("refused", name, text))
    return found
