"""The staged tables, as a mapping may name them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from replenit_destination.engine.sql import relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    import duckdb

__all__ = ["LIST_INDEX", "LOAD_ID", "PARENT_ID", "ROW_ID", "Tables"]

# dlt's own columns.
LOAD_ID = "_dlt_load_id"
ROW_ID = "_dlt_id"
PARENT_ID = "_dlt_parent_id"
LIST_INDEX = "_dlt_list_idx"

_CLOSE = 0.8  # a missing table this similar to an existing one is a typing error, not "not yet"


class Tables:
    """The tables and views of one dataset and their columns, in DuckDB's spelling."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str, schema: str) -> None:
        self.catalog = catalog
        self.schema = schema
        self._columns: dict[str, dict[str, str]] = {}
        rows = connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE database_name = ? AND schema_name = ? ORDER BY table_name, column_index",
            [catalog, schema],
        ).fetchall()
        for table, column, kind in rows:
            self._columns.setdefault(table, {})[column] = kind
        self._by_lower = {table.lower(): table for table in self._columns}

    def __contains__(self, table: str) -> bool:
        return table in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def find(self, name: str) -> str | None:
        """Return the table's real spelling, None when it is not there."""
        return self._by_lower.get(name.lower())

    def columns(self, table: str) -> dict[str, str]:
        """Return column → DuckDB type; empty for a table that is not there."""
        return self._columns.get(table, {})

    def relation(self, table: str) -> str:
        """Return the table's qualified, quoted name."""
        return relation(self.catalog, self.schema, table)

    def lookalike(self, table: str, besides: Set[str] = frozenset()) -> str | None:
        """Return an existing table whose name is so close that the given one is a typing error.

        Args:
            table: The missing name.
            besides: Tables that are meant elsewhere, so not here.
        """
        # dlt's child tables continue their parent's name; the parent may come later.
        candidates = [
            name
            for name in self._columns
            if name not in besides
            and not name.startswith((f"{table}__", "_dlt_"))
            and not table.startswith(f"{name}__")
        ]
        close = difflib.get_close_matches(table, candidates, n=1, cutoff=_CLOSE)
        return close[0] if close else None
