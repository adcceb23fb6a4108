"""Tombstones that dlt's `upsert` leaves in the staged tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.common.destination.utils import resolve_merge_strategy
from dlt.common.schema.utils import get_first_column_name_with_prop

if TYPE_CHECKING:
    from dlt.destinations.impl.duckdb.duck import DuckDbClient

__all__ = ["drop_tombstones"]


def drop_tombstones(client: DuckDbClient) -> None:
    """Delete the rows that say that a row is deleted which was never there.

    `upsert` deletes a row whose tombstone arrives. Where there is none, it inserts the tombstone,
    and a document would be made of it. `delete-insert` leaves none; the rows of `append` and `scd2`
    are versions, in which the mapping's `destroyed_when` reads them.

    Args:
        client: Opened, after the tables of a package were merged.
    """
    for name, table in client.schema.tables.items():
        column = get_first_column_name_with_prop(table, "hard_delete")
        strategy = resolve_merge_strategy(client.schema.tables, table, client.capabilities)
        if not column or strategy != "upsert" or not client.get_storage_table(name)[0]:
            continue
        sql = client.sql_client
        flag = sql.escape_column_name(column)
        told = "" if table["columns"][column].get("data_type") == "bool" else " IS NOT NULL"
        sql.execute_sql(f"DELETE FROM {sql.make_qualified_table_name(name)} WHERE {flag}{told}")
