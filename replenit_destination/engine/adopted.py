"""How the ledger tells documents that were adopted from those that were sent.

The name of the run that adopted them begins with a mark; when a document is sent, it is of another
run.
"""

from __future__ import annotations

__all__ = ["ADOPTED", "NOT_ADOPTED", "is_adopted"]

ADOPTED = "adopted-"
"""What the names of runs begin with that adopted and sent nothing."""

NOT_ADOPTED = f"NOT starts_with(coalesce(run, ''), '{ADOPTED}')"
"""SQL on entries of the ledger."""


def is_adopted(run: str | None) -> bool:
    """Return whether an entry's run adopted it."""
    return bool(run) and str(run).startswith(ADOPTED)
