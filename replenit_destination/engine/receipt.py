"""What an erasure did, and what is left of it: proof for the shop, without personal data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replenit_destination.engine.erasures import Erased

__all__ = ["Receipt"]


@dataclass
class Receipt:
    """One erasure.

    `person` are the keyed hashes of the names that were asked for and found. `vendor` is what
    became of the deletions at the vendor, `pending` account (host and tenant) → deletions that are
    still to be made. `staged`, `emptied` and `ledger` are table → rows, `files` what of dlt's
    working files was taken away, `rewritten` the databases whose deleted bytes are gone.
    """

    erasure: str
    moment: float
    person: tuple[str, ...]
    vendor: list[Erased] = field(default_factory=list)
    error: str = ""
    pending: dict[str, int] = field(default_factory=dict)
    staged: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    rewritten: list[str] = field(default_factory=list)
    remote_copies: int | None = None

    @property
    def exit_code(self) -> int:
        """0 when everything is deleted, 3 when the vendor must still be told."""
        return 3 if self.pending else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "erasure": self.erasure,
            "moment": datetime.fromtimestamp(self.moment, UTC).isoformat(timespec="seconds"),
            "person": list(self.person),
            "vendor": [
                {
                    "entity": one.entity,
                    "key_hash": one.key_hash,
                    "deleted": one.done,
                    "request_id": one.request_id,
                    "reason": one.reason,
                }
                for one in self.vendor
            ],
            "error": self.error,
            "pending": self.pending,
            "staged_rows": self.staged,
            "emptied_cells": self.emptied,
            "ledger_rows": self.ledger,
            "files": self.files,
            "rewritten": self.rewritten,
            "remote_copies": self.remote_copies,
            "exit_code": self.exit_code,
        }

    def __str__(self) -> str:
        done = sum(one.done for one in self.vendor)
        lines = [
            f"Erasure {self.erasure} of person {self.person[0] if self.person else '(unknown)'}",
            f"  deleted at the vendor: {done} documents",
            *(
                f"  not deleted at {account}: {count} documents; the next push sends them first"
                for account, count in self.pending.items()
            ),
            *([f"  {self.error}"] if self.error else []),
        ]
        for label, counts in (
            ("staged rows deleted", self.staged),
            ("cells emptied", self.emptied),
            ("ledger rows deleted", self.ledger),
            ("dlt's files", self.files),
        ):
            listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            lines.append(f"  {label}: {listed or 'none'}")
        lines.append(f"  rewritten: {', '.join(self.rewritten) or 'nothing'}")
        if self.remote_copies is not None:
            lines.append(f"  older remote copies deleted: {self.remote_copies}")
        return "\n".join(lines)
