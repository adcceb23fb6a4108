"""What is known of one document, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.documents import key_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Explanation", "StagedRow"]


@dataclass(frozen=True, slots=True)
class StagedRow:
    """A root row that makes the document, or would: the filter may leave it out."""

    table: str
    source_id: str
    load_id: str
    children: int
    filtered: bool
    destroyed: bool
    values: dict[str, Any] = field(repr=False)

    @property
    def loaded(self) -> str:
        """When its load began, as far as the load id tells."""
        try:
            moment = datetime.fromtimestamp(float(self.load_id), UTC)
        except (ValueError, OverflowError):
            return ""
        return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@dataclass
class Explanation:
    """Everything that is known of one document.

    `entry` is the ledger's, None where it knows none. `verdict` is that of today's document: ready,
    unchanged, rejected, skipped, backlog, or empty where no row makes it; `culprit` is the field at
    fault, `payload` what would be sent.
    """

    entity: str
    key: str
    staged: list[StagedRow] = field(default_factory=list)
    verdict: str = ""
    culprit: str = ""
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    payload: dict[str, Any] = field(default_factory=dict, repr=False)
    content_hash: int = 0
    entry: dict[str, Any] | None = field(default=None, repr=False)
    says: list[str] = field(default_factory=list)

    def to_dict(self, *, show: bool = False) -> dict[str, Any]:
        """Return the documented keys.

        Args:
            show: Also the key and the content, which may be a person's.
        """
        entry = self.entry or {}
        told: dict[str, Any] = {
            "entity": self.entity,
            "key_hash": key_hash(self.entity, self.key),
            "staged": [
                {
                    "table": row.table,
                    "load_id": row.load_id,
                    "loaded": row.loaded,
                    "children": row.children,
                    "filtered": row.filtered,
                    "destroyed": row.destroyed,
                    "columns": sorted(row.values),
                }
                for row in self.staged
            ],
            "document": {
                "verdict": self.verdict,
                "field": self.culprit,
                "reason": self.reason,
                "fields": sorted(self.payload),
                "notes": self.notes,
                "hash": f"{self.content_hash:016x}" if self.content_hash else "",
            },
            "accepted": _accepted(entry) if entry.get("accepted_at") else None,
            "refused": _refused(entry) if entry.get("refusal") else None,
            "backlog": entry.get("backlog") or "",
            "conclusion": list(self.says),
        }
        if show:
            told["key"] = self.key
            told["document"]["payload"] = self.payload
            for one, row in zip(told["staged"], self.staged, strict=True):
                one["values"] = row.values
        return told


def _accepted(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": entry["accepted_at"].isoformat(timespec="seconds"),
        "request_id": entry["request_id"] or "",
        "run": entry["run"] or "",
        "load_id": entry.get("load_id") or "",
        "counted": bool(entry["confirmed"]),
        "children": len(entry["children"] or ()),
        "purged": purged.isoformat(timespec="seconds") if (purged := entry["purged_at"]) else "",
    }


def _refused(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": entry["refusal"],
        "field": entry["field"] or "",
        "reason": entry["reason"] or "",
        "words": entry["words"] or "",
        "attempts": entry["attempts"] or 0,
        "since": entry["refused_at"].isoformat(timespec="seconds") if entry["refused_at"] else "",
        "request_id": entry["request_id"] or "",
    }
