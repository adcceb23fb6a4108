"""The beginning and the end of a tenant: voiding what the ledger says of it, with its price.

What is kept in any case: the quota's windows, which belong to the account, the history of runs, the
log of deliveries, tombstones, and what was learned about the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.holds import priced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.ledger_view import LedgerView
    from replenit_destination.engine.target import Target

__all__ = ["Price", "deletion_prices", "resend_prices", "void"]

_OF_TENANT = ("entry", "processed", "evidence", "suspect", "source_mark", "known_column")
"""Tables whose rows say what the tenant holds, or what was compared for it."""


@dataclass(frozen=True, slots=True)
class Price:
    """What it costs to send, or to delete, all documents of an entity that a tenant holds."""

    entity: str
    documents: int
    requests: int
    minutes: float

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "entity": self.entity,
            "documents": self.documents,
            "requests": self.requests,
            "minutes": round(self.minutes, 1),
        }


def resend_prices(view: LedgerView, target: Target, *, quota_share: float) -> list[Price]:
    """Return per entity what sending everything again costs that the ledger says is accepted.

    Args:
        view: The ledger.
        target: Whose quota and batch sizes count.
        quota_share: Part of the account's quota that is used.
    """
    prices = []
    for entity, documents in _held(view).items():
        held = priced(target, entity, documents, documents, quota_share)
        prices.append(Price(entity, documents, held.requests, held.minutes))
    return prices


def deletion_prices(view: LedgerView, target: Target, *, quota_share: float) -> list[Price]:
    """Return per entity what deleting everything costs: a request for each document."""
    per_minute = min(limit / seconds * 60 for limit, seconds in target.windows) * quota_share
    return [
        Price(entity, documents, documents, documents / per_minute)
        for entity, documents in _held(view).items()
    ]


def _held(view: LedgerView) -> dict[str, int]:
    rows: Sequence[dict[str, Any]] = view.rows(
        "SELECT entity, count(*) AS documents FROM entry WHERE account = ? AND sent"
        " GROUP BY entity ORDER BY entity"
    )
    return {row["entity"]: row["documents"] for row in rows}


def void(ledger: Ledger) -> int:
    """Forget what a tenant holds: the next push takes everything for new.

    Args:
        ledger: The account's ledger, folded.

    Returns:
        How many documents were forgotten.
    """
    connection = ledger.connection
    there = {
        row[0]
        for row in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = ?", [ledger.file.name]
        ).fetchall()
    }
    connection.execute("BEGIN")
    try:
        counted = connection.execute(
            f"SELECT count(*) FROM {ledger.schema}.entry WHERE account = ? AND sent",
            [ledger.account],
        ).fetchone()
        for table in _OF_TENANT:
            if table in there:
                connection.execute(
                    f"DELETE FROM {ledger.schema}.{table} WHERE account = ?", [ledger.account]
                )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return int(counted[0]) if counted else 0
