"""What earlier runs staged, to tell what is new from what is there already.

A window is read with some overlap, a table without a time of change as a whole: most of such rows
are known. They are compared here, in DuckDB, so that only what differs is loaded and looked at
again, and a row that is gone can be named by what is known of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dlt

from .errors import PostgresError
from .tables import DELETED, staged_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

__all__ = ["StagedTable", "staged_table"]

_READ = "rows_read"


@contextmanager
def staged_table(name: str, key: Sequence[str]) -> Iterator[StagedTable | None]:
    """Open a staged table of the running pipeline; None when there is none yet.

    Raises:
        PostgresError: The pipeline loads into something that is not DuckDB.
    """
    pipeline = dlt.current.pipeline()
    if not isinstance(pipeline, dlt.Pipeline) or pipeline.first_run:
        yield None
        return
    with pipeline.sql_client() as client:
        connection: Any = client.native_connection
        if not hasattr(connection, "register"):
            message = "the postgres source compares with what is staged: load into DuckDB"
            raise PostgresError(message)
        schema = client.dataset_name
        rows = connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ?"
            " AND table_name = ? AND database_name = current_database() ORDER BY column_index",
            [schema, name],
        ).fetchall()
        columns = {str(column): str(kind) for column, kind in rows}
        if not columns:
            yield None
        else:
            yield StagedTable(connection, f"{_quoted(schema)}.{_quoted(name)}", columns, key)


class StagedTable:
    """One staged table, and the key by which its rows are known.

    Args:
        connection: To the staging database.
        relation: The table's quoted name.
        columns: Its columns and their types.
        key: By their own names or the staged ones.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        relation: str,
        columns: dict[str, str],
        key: Sequence[str],
    ) -> None:
        self._connection = connection.cursor()
        self._relation = relation
        self._columns = columns
        self._key = [staged_name(column) for column in key]

    def changed(self, rows: pa.Table) -> pa.Table:
        """Return the rows that are not staged as they are; of deleted ones those that are staged.

        Args:
            rows: As read, with their own names; `_deleted` where the source marks deleted rows.
        """
        names = {name: staged_name(name) for name in rows.column_names if name != DELETED}
        key = " AND ".join(
            f"s.{_quoted(own)} = TRY_CAST(r.{_quoted(name)} AS {self._columns[own]})"
            for name, own in names.items()
            if own in self._key
        )
        staged = f"EXISTS (SELECT 1 FROM {self._relation} AS s WHERE {key}"
        same = "false"  # a column that is not staged yet makes every row new
        if set(names.values()) <= self._columns.keys():
            same = " AND ".join(
                f"s.{_quoted(own)} IS NOT DISTINCT FROM"
                f" TRY_CAST(r.{_quoted(name)} AS {self._columns[own]})"
                for name, own in names.items()
            )
        wanted = f"NOT {staged} AND {same})"
        if DELETED in rows.column_names:
            wanted = f"CASE WHEN r.{DELETED} THEN {staged}) ELSE {wanted} END"
        return self._query(f"SELECT r.* FROM {_READ} AS r WHERE {wanted}", rows).cast(rows.schema)

    def __len__(self) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM {self._relation}").fetchone()
        return int(row[0]) if row else 0

    def logged(self, keys: pa.Table) -> list[tuple[Any, ...]]:
        """Return the keys among those of a deletion log that are staged, in their staged type."""
        on = " AND ".join(
            f"CAST(s.{_quoted(own)} AS VARCHAR) = CAST(r.{_quoted(logged)} AS VARCHAR)"
            for own, logged in zip(self._key, keys.column_names, strict=True)
        )
        listed = ", ".join(f"s.{_quoted(own)}" for own in self._key)
        found = self._query(
            f"SELECT DISTINCT {listed} FROM {self._relation} AS s JOIN {_READ} AS r ON {on}", keys
        )
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def begin_sweep(self) -> None:
        """Forget the keys of an earlier sweep."""
        listed = ", ".join(_quoted(column) for column in self._key)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE present AS SELECT {listed} FROM {self._relation} LIMIT 0"
        )

    def found(self, keys: pa.Table) -> None:
        """Note keys that are there."""
        self._connection.register(_READ, keys)
        self._connection.execute(f"INSERT INTO present SELECT * FROM {_READ}")
        self._connection.unregister(_READ)

    def gone(self) -> pa.Table:
        """Return the staged rows whose keys were not found, marked as deleted."""
        on = " AND ".join(f"s.{_quoted(key)} = p.{_quoted(key)}" for key in self._key)
        return self._as_deleted(f"NOT EXISTS (SELECT 1 FROM present AS p WHERE {on})")

    def without(self, gone: Sequence[tuple[Any, ...]]) -> pa.Table:
        """Return the staged rows of these keys, marked as deleted."""
        self.begin_sweep()
        marks = ", ".join("?" for _ in self._key)
        if gone:
            self._connection.executemany(f"INSERT INTO present VALUES ({marks})", list(gone))
        on = " AND ".join(f"s.{_quoted(key)} = p.{_quoted(key)}" for key in self._key)
        return self._as_deleted(f"EXISTS (SELECT 1 FROM present AS p WHERE {on})")

    def _query(self, query: str, rows: pa.Table) -> pa.Table:
        self._connection.register(_READ, rows)
        try:
            return self._connection.execute(query).to_arrow_table()
        finally:
            self._connection.unregister(_READ)

    def _as_deleted(self, condition: str) -> pa.Table:
        own = [name for name in self._columns if not name.startswith("_dlt_") and name != DELETED]
        listed = ", ".join(f"s.{_quoted(name)}" for name in own)
        return self._connection.execute(
            f"SELECT {listed}, true AS {DELETED} FROM {self._relation} AS s WHERE {condition}"
        ).to_arrow_table()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
