"""What the ledger still knows of documents whose rows were purged for their age.

Such a document is at the vendor as it should be, and no row makes it any more. That is no sign
that it is gone; evidence of its destruction is. A row of it that comes again makes it ordinary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.keyed_hash import keyed_hash
from replenit_destination.engine.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from replenit_destination.engine.ledger import Ledger

__all__ = ["count_purged", "purged_of", "spare_purged", "take_back"]


def count_purged(ledger: Ledger, entity: str) -> int:
    """Return how many documents of an entity have no rows any more because of their age."""
    row = ledger.connection.execute(
        f"SELECT count(*) FROM {ledger.schema}.entry"
        " WHERE account = ? AND entity = ? AND purged_at IS NOT NULL",
        [ledger.account, entity],
    ).fetchone()
    return int(row[0]) if row else 0


def take_back(work: duckdb.DuckDBPyConnection, ledger: Ledger, entity: str) -> None:
    """Take documents for ordinary ones again that rows in `keyed` make."""
    work.execute(
        f"UPDATE {ledger.schema}.entry SET purged_at = NULL, purged_of = NULL"
        f" WHERE account = {ledger.account} AND entity = {literal(entity)}"
        " AND purged_at IS NOT NULL AND key IN (SELECT key FROM keyed WHERE NOT destroyed)"
    )


def spare_purged(work: duckdb.DuckDBPyConnection, ledger: Ledger, entity: str) -> None:
    """Take out of `gone` what merely is not there because it was purged."""
    work.execute(
        f"DELETE FROM gone WHERE entity = {literal(entity)} AND cause = 'vanished' AND key IN"
        f" (SELECT key FROM {ledger.schema}.entry WHERE account = {ledger.account}"
        f" AND entity = {literal(entity)} AND purged_at IS NOT NULL)"
    )


def purged_of(ledger: Ledger, entity: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (key, source id) of purged documents, at all accounts, that carried one of the names.

    Args:
        ledger: Folded.
        entity: Of which kind.
        names: Addresses and ids of one person.
    """
    return ledger.connection.execute(
        f"SELECT DISTINCT key, source_id FROM {ledger.schema}.entry"
        " WHERE entity = ? AND purged_at IS NOT NULL AND list_has_any(purged_of,"
        f" (SELECT list({keyed_hash(ledger.schema, 'name')}) FROM (SELECT unnest(?) AS name)))",
        [entity, sorted(names)],
    ).fetchall()
