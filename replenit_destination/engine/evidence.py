"""Evidence of destruction: which rows the source has really deleted.

dlt's merge removes a hard-deleted row from its table and leaves no trace there; only the staging
dataset still has the row, until the next load. So it is read before anything else and kept in the
ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.assembly import Assembly
from replenit_destination.engine.sql import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from replenit_destination.engine.binding import BoundEntity, Lookup, Tables
    from replenit_destination.engine.ledger import Ledger

__all__ = ["collect"]


def collect(
    work: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    entities: Iterable[BoundEntity],
    staging: Tables,
    hard_deletes: Mapping[str, str],
) -> None:
    """Remember destroyed rows, and mark the documents whose look-up row was destroyed.

    Args:
        work: Any connection to the staging database.
        ledger: Takes the evidence.
        entities: The bound mappings.
        staging: dlt's staging dataset, with the rows of the last merge.
        hard_deletes: Table → its hard-delete column.
    """
    destroyed: dict[str, str | None] = {}

    def deleted_in(table: str) -> str | None:
        """Return the condition on destroyed rows of a table that has any."""
        if table not in destroyed:
            condition = _deleted(staging, hard_deletes, table)
            rows = f"SELECT 1 FROM {staging.relation(table)} WHERE {condition} LIMIT 1"
            found = condition and work.execute(rows).fetchone()
            destroyed[table] = condition if found else None
        return destroyed[table]

    for entity in entities:
        name, table = entity.spec.name, entity.root.table or ""
        deleted = deleted_in(table)
        if deleted and set(entity.root.columns) <= set(staging.columns(table)):
            assembly = Assembly(entity, root=staging.relation(table))
            _remember(work, ledger, name, assembly.source_ids(deleted))
        for lookup in entity.root.lookups:
            deleted = deleted_in(lookup.table)
            if deleted and lookup.columns:
                relation = staging.relation(lookup.table)
                _touch_lookers(work, ledger, entity, lookup, f"{relation} WHERE {deleted}")


def _deleted(staging: Tables, hard_deletes: Mapping[str, str], table: str) -> str | None:
    """Return when dlt deletes a row: a true flag, or any value of another type."""
    flag, columns = hard_deletes.get(table), staging.columns(table)
    if flag is None or flag not in columns:
        return None
    return f"{quote(flag)} IS TRUE" if columns[flag] == "BOOLEAN" else f"{quote(flag)} IS NOT NULL"


def _remember(
    work: duckdb.DuckDBPyConnection, ledger: Ledger, entity: str, source_ids: str
) -> None:
    work.execute(
        f"INSERT INTO {ledger.schema}.evidence\n"
        f"SELECT DISTINCT {ledger.account}, ?, source_id, to_timestamp(?) FROM ({source_ids})\n"
        "WHERE source_id IS NOT NULL AND source_id NOT IN\n"
        f"  (SELECT source_id FROM {ledger.schema}.evidence WHERE account = ? AND entity = ?)",
        [entity, ledger.clock.now(), ledger.account, entity],
    )


def _touch_lookers(
    work: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    entity: BoundEntity,
    lookup: Lookup,
    destroyed: str,
) -> None:
    own = ", ".join(quote(name) for _, name in lookup.on)
    joined = ", ".join(quote(name) for name, _ in lookup.on)
    rows = (
        f"{{row}} IN (SELECT rowid FROM {entity.root.relation}"
        f" WHERE ({own}) IN (SELECT ({joined}) FROM {destroyed}))"
    )
    keys = f"SELECT key FROM ({Assembly(entity).keyed(rows)})"
    ledger.add_backlog(entity.spec.name, "look-up", keys)
