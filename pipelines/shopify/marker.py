"""How a bulk operation is found again: a comment in its query says whose it is and what it reads.

Shopify keeps the query of an operation, comments included, and lists an app's operations. So a run
that was killed leaves nothing to remember on this side: the next one looks for the marker.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Marker", "fingerprint"]

_LINE = re.compile(
    r"^# dlt (?P<pipeline>\S+)/(?P<resource>\w+) (?P<start>\S+)/(?P<end>\S+) (?P<selection>\w+)$",
    re.MULTILINE,
)
OPEN = "-"


@dataclass(frozen=True)
class Marker:
    """Whose operation it is, and which window it reads; no `start` is the beginning of the shop.

    `selection` names what is selected, so that an older program's operation is not taken for ours.
    """

    pipeline: str
    resource: str
    start: datetime | None
    end: datetime | None
    selection: str

    def comment(self) -> str:
        """Return the line that begins the query."""
        pipeline = re.sub(r"\s+", "_", self.pipeline)
        window = f"{_text(self.start)}/{_text(self.end)}"
        return f"# dlt {pipeline}/{self.resource} {window} {self.selection}"

    @classmethod
    def of(cls, query: str) -> Marker | None:
        """Return a query's marker; None for an operation that is not of this source."""
        found = _LINE.search(query)
        if found is None:
            return None
        try:
            start, end = _moment(found["start"]), _moment(found["end"])
        except ValueError:
            return None
        return cls(found["pipeline"], found["resource"], start, end, found["selection"])


def fingerprint(query: str) -> str:
    """Return a short name for what a query selects."""
    return hashlib.sha256(query.encode()).hexdigest()[:12]


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else OPEN


def _moment(text: str) -> datetime | None:
    return None if text == OPEN else datetime.fromisoformat(text)
