"""dlt's merge, with rows told apart by their numbers instead of carried along whole.

dlt takes one row of each primary key by a window over all columns, and DuckDB holds that window in
memory: a first load of 1.5 million rows of 400 bytes ended in an error at `memory_limit`. A window
over key and row number takes little of it, and a join by row number spills to disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.destinations.sql_jobs import SqlMergeFollowupJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt.common.typing import TSortOrder

__all__ = ["MergeJob"]

_ROW = '"rowid"'


class MergeJob(SqlMergeFollowupJob):
    """Merges staged rows of any number within DuckDB's memory limit."""

    @classmethod
    def gen_select_from_dedup_sql(
        cls,
        table_name: str,
        primary_keys: Sequence[str],
        columns: Sequence[str],
        dedup_sort: tuple[str, TSortOrder] | None = None,
        condition: str | None = None,
        condition_columns: Sequence[str] | None = None,
        skip_dedup: bool = False,
    ) -> str:
        """Return a query for one row of each key that meets the condition, as dlt's would."""
        named = {*primary_keys, *columns, *(condition_columns or ())}
        if skip_dedup or _ROW in {name.lower() for name in named}:  # a column of that name hides it
            return super().gen_select_from_dedup_sql(
                table_name,
                primary_keys,
                columns,
                dedup_sort,  # type: ignore[arg-type] # dlt annotates these without None
                condition,  # type: ignore[arg-type]
                condition_columns,  # type: ignore[arg-type]
                skip_dedup,
            )
        order = f"{dedup_sort[0]} {dedup_sort[1]}" if dedup_sort else cls.default_order_by()
        return (
            f"SELECT {', '.join(columns)} FROM {table_name} WHERE rowid IN (SELECT row FROM ("
            f"SELECT rowid AS row, row_number() OVER (PARTITION BY {', '.join(primary_keys)}"
            f" ORDER BY {order}) AS place FROM {table_name}) WHERE place = 1)"
            f" AND ({condition or '1 = 1'})"
        )
