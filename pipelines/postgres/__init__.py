"""A dlt source for a Postgres database: what changed since the last run, removals included.

    import dlt
    from postgres import postgres

    pipeline = dlt.pipeline("my_shop", destination="duckdb", dataset_name="shop")
    pipeline.run(postgres("postgresql://…", tables=["customers", "orders", "order_items"]))

Rows are read by dlt's `sql_database` as Arrow tables, all tables at one moment. A table with a time
of change is read from where the last run ended, another one as a whole; only rows that differ from
what is staged are loaded. A row that is gone arrives as a hard delete: by a column that marks it,
by a log of deletions, or because its key is not there any more. Settings come from dlt's
configuration under `sources.postgres`.
"""

from __future__ import annotations

from collections.abc import Iterable  # noqa: TC003 - dlt reads the annotations at run time
from datetime import timedelta
from typing import Any

import dlt
from dlt.common.typing import TSecretStrValue  # noqa: TC002
from dlt.extract import DltResource  # noqa: TC002

from .errors import PostgresError
from .reading import Reading
from .snapshot import Snapshot, connect
from .tables import DELETED, Choices, found_tables, plans, reflect, staged_name
from .window import Window

__all__ = ["DELETED", "PostgresError", "Window", "connect", "postgres", "reflect", "staged_name"]


@dlt.source(name="postgres")
def postgres(
    credentials: TSecretStrValue = dlt.secrets.value,
    schema: str = "public",
    tables: dict[str, Any] | list[str] | None = None,
    cursors: dict[str, str] | None = None,
    primary_keys: dict[str, str] | None = None,
    removals: dict[str, Any] | None = None,
    overlap_minutes: float = 10,
    sweep_hours: float = 24,
    chunk_size: int = 50_000,
    full: bool = False,
    window: Window | None = None,
) -> Iterable[DltResource]:
    """Read one schema of a database.

    Args:
        credentials: `postgresql://user:password@host:5432/database`.
        schema: The schema of the tables.
        tables: Names of tables or views, or table → the columns to read; default every table.
        cursors: Table → the timestamp column that tells when a row was changed, `""` for none;
            default a column with one of the usual names, such as `updated_at`.
        primary_keys: Table → the columns that identify a row, separated by commas; default those
            of its primary key.
        removals: Table → how deleted rows are known: `{column = "deleted_at"}`,
            `{log = "deleted_rows", key = "row_id", at = "deleted_at", where = "…"}`, or
            `{sweep = false}`; default a comparison of keys.
        overlap_minutes: How much of the last window is read again; longer than any transaction.
        sweep_hours: How often keys are compared in tables that have a time of change.
        chunk_size: Rows per Arrow table.
        full: Read everything again, and compare all keys.
        window: Read this stretch of time instead of what is new.

    Raises:
        PostgresError: A setting does not fit the database, or the database cannot be reached.
    """
    engine = connect(credentials)
    snapshot = Snapshot(engine)
    reading = Reading(
        snapshot,
        overlap=timedelta(minutes=overlap_minutes),
        sweep_every=timedelta(hours=sweep_hours),
        window=window or Window(),
        full=full,
        chunk_size=chunk_size,
    )
    try:
        snapshot.open()
        there = found_tables(engine, schema)
        found = reflect(engine, schema, tables)
        wanted = tables if isinstance(tables, dict) else {}
        columns = {staged_name(name): listed for name, listed in wanted.items()}
        choices = Choices(cursors or {}, primary_keys or {}, removals or {})
        choices.check([*there, *there.values()])
        return [reading.resource(plan) for plan in plans(found, columns, choices)]
    except BaseException:
        snapshot.close()
        raise
