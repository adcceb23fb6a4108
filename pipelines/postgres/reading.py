"""The rows of one table: what changed, and what is gone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from dlt.sources.sql_database import TableLoader, sql_table
from dlt.sources.sql_database.arrow_helpers import row_tuples_to_arrow
from sqlalchemy.dialects.postgresql import UUID

from .copying import copied
from .staged import staged_table
from .tables import DELETED, staged_name
from .window import Position, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt.extract import DltResource

    from .snapshot import Snapshot
    from .staged import StagedTable
    from .tables import DeletionLog, Plan

__all__ = ["Reading", "as_text"]

logger = logging.getLogger(__name__)

_NO_ZONE = timedelta(hours=1)  # the hour that comes twice when clocks are set back
_KEYS_PER_QUESTION = 500
_HIDES_ROWS = sa.text("SELECT row_security_active(CAST(:relation AS regclass))")
# Of a column of any other type (JSON, a list, an interval, a range) the text is read.
_READ_AS_THEY_ARE = (
    *(sa.Boolean, sa.Integer, sa.Numeric, sa.Float, sa.String, sa.DateTime, sa.Date, sa.Time),
    *(sa.LargeBinary, UUID),
)


@dataclass(frozen=True)
class Reading:
    """How the tables of one run are read.

    Args:
        snapshot: The moment they are read at.
        overlap: How much of the last window is read again.
        sweep_every: How often the keys of a table are compared, where nothing else tells of
            deletions; tables without a time of change are compared in every run.
        window: Read this stretch of time instead of what is new.
        full: Read everything again, and compare the keys of every table.
        chunk_size: Rows per Arrow table.
    """

    snapshot: Snapshot
    overlap: timedelta
    sweep_every: timedelta
    window: Window
    full: bool
    chunk_size: int

    def resource(self, plan: Plan) -> DltResource:
        """Return the resource of one table: what changed, then what is gone."""
        table, columns = plan.table, list(plan.columns)
        if plan.key:
            # Among the table's columns, so that the query computes it and dlt knows its type.
            table.append_column(sa.Column(DELETED, sa.Boolean, nullable=True))
            columns.append(DELETED)
        self.snapshot.expect_reader()
        resource: DltResource = sql_table(
            credentials=self.snapshot.engine,
            table=table.name,
            schema=table.schema,
            metadata=table.metadata,
            chunk_size=self.chunk_size,
            backend="pyarrow",
            included_columns=columns,
            primary_key=list(plan.key),
            write_disposition="merge" if plan.key else "replace",
            type_adapter_callback=as_text,
            table_loader_class=type("Rows", (_TableRows,), {"plan": plan, "reading": self}),
        )
        resource = resource.with_name(plan.name)
        resource.apply_hints(table_name=plan.name)
        if plan.key:
            flag: Any = {DELETED: {"hard_delete": True, "dedup_sort": "desc"}}
            resource.apply_hints(columns=flag)
        return resource


class _TableRows(TableLoader):
    """Reads one table where dlt would only select its rows."""

    plan: Plan
    reading: Reading

    def load_rows(self, backend_kwargs: dict[str, Any] | None = None) -> Iterator[pa.Table]:
        """Yield the rows that are not staged as they are, then those that are gone."""
        snapshot, plan = self.reading.snapshot, self.plan
        snapshot.open()
        try:
            self.state = dlt.current.resource_state()
            # Opened once: dlt stages nothing before all tables are read.
            with staged_table(plan.name, plan.key) as staged:
                for batch in super().load_rows():
                    rows = self._changed(batch, staged)
                    if rows.num_rows:
                        yield rows
                if plan.key:
                    yield from (rows for rows in self._gone(staged) if rows.num_rows)
        finally:
            snapshot.leave()

    # -- rows -------------------------------------------------------------------------------------

    def make_query(self) -> Any:
        """Return the question for the rows."""
        plan = self.plan
        columns = [_readable(self.table.columns[name]) for name in plan.columns]
        if plan.key:
            columns.append(_is_deleted(plan).label(DELETED))
        query = sa.select(*columns)
        window = self._next_window()
        condition = window.condition(self.table.columns[plan.cursor]) if plan.cursor else None
        return query if condition is None else query.where(condition)

    def _load_rows(self, query: Any, backend_kwargs: dict[str, Any]) -> Iterator[pa.Table]:
        """Yield the rows in the types that dlt gives the columns."""
        # What dlt makes of no rows are its types.
        columns = {column.name: self.columns[column.name] for column in query.selected_columns}
        schema = row_tuples_to_arrow([], columns, tz="UTC").schema
        with self.engine.begin() as connection:
            yield from copied(connection, self.compile_query(query), schema, self.chunk_size)

    def _next_window(self) -> Window:
        plan, state = self.plan, self.state
        grown = set(plan.columns) - set(state.get("columns", plan.columns))
        if grown:
            logger.warning(
                "`%s` is read as a whole again: %s was not read before",
                *(plan.table.name, ", ".join(sorted(grown))),
            )
        state["columns"] = list(plan.columns)
        if self.reading.window != Window():
            return self.reading.window
        if self.reading.full or grown or plan.cursor is None:
            return Window()
        return Window(self._position(plan.cursor).start)

    def _position(self, cursor: str) -> Position:
        overlap = self.reading.overlap
        if not getattr(self.table.columns[cursor].type, "timezone", False):
            overlap += _NO_ZONE
        return Position(self.state, "read_until", self.reading.snapshot.horizon, overlap)

    def _changed(self, batch: pa.Table, staged: StagedTable | None) -> pa.Table:
        plan = self.plan
        if plan.cursor:
            newest = pc.max(batch.column(plan.cursor)).as_py()
            self._position(plan.cursor).reach(newest)
        if not plan.key:
            return batch
        if staged is None:
            return batch.filter(pc.invert(batch.column(DELETED)))
        return staged.changed(batch)

    # -- what is gone -----------------------------------------------------------------------------

    def _gone(self, staged: StagedTable | None) -> Iterator[pa.Table]:
        """Yield the staged rows that the table does not have any more, marked as deleted."""
        if self.plan.log:
            keys = self._logged(self.plan.log)
            if staged is not None and keys.num_rows:
                yield self._typed(staged.without(self._absent(staged.logged(keys))))
        if staged is not None and self._sweep_is_due():
            yield self._typed(self._swept(staged))
        self.state.setdefault("swept_at", self.reading.snapshot.horizon.isoformat())

    def _typed(self, rows: pa.Table) -> pa.Table:
        """Return the rows with what dlt knows of the columns' nullability; it compares that."""
        required = {staged_name(name) for name, c in self.columns.items() if not c.get("nullable")}
        fields = [field.with_nullable(field.name not in required) for field in rows.schema]
        return rows.cast(pa.schema(fields))

    def _logged(self, log: DeletionLog) -> pa.Table:
        """Return the keys that were written into the deletion log since the last run."""
        key: list[Any] = [sa.column(name) for name in log.key]
        at: Any = sa.column(log.at, sa.DateTime(timezone=True))
        query = sa.select(*key, at).select_from(sa.table(log.table, schema=self.table.schema))
        position = Position(
            self.state, "log_read_until", self.reading.snapshot.horizon, self.reading.overlap
        )
        if position.start is not None and not self.reading.full:
            query = query.where(at >= position.start)
        if log.where:
            query = query.where(sa.literal_column(f"({log.where})", sa.Boolean))
        with self.engine.connect() as connection:
            found = connection.execute(query).all()
        times = [row[-1] for row in found if row[-1] is not None]
        position.reach(max(times, default=None))
        columns = {
            name: pa.array([str(row[place]) for row in found], pa.string())
            for place, name in enumerate(log.key)
        }
        return pa.table(columns)

    def _absent(self, keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the keys that the table does not have now: a deleted one may have come back."""
        columns = [self.table.columns[name] for name in self.plan.key]
        there: set[tuple[str, ...]] = set()
        with self.engine.connect() as connection:
            for first in range(0, len(keys), _KEYS_PER_QUESTION):
                named = sa.or_(
                    *(
                        sa.and_(
                            *(c == sa.cast(v, c.type) for c, v in zip(columns, key, strict=True))
                        )
                        for key in keys[first : first + _KEYS_PER_QUESTION]
                    )
                )
                answer = connection.execute(sa.select(*columns).where(named))
                there.update(tuple(map(str, row)) for row in answer)
        return [key for key in keys if tuple(map(str, key)) not in there]

    def _sweep_is_due(self) -> bool:
        plan, reading = self.plan, self.reading
        if not plan.sweep:
            return False
        if reading.full or plan.cursor is None:
            return True
        if plan.log is not None or plan.deleted is not None:
            # The shop itself tells what it deletes; keys are compared when everything is.
            return False
        last = self.state.get("swept_at")
        now = reading.snapshot.horizon
        return last is None or now - datetime.fromisoformat(last) >= reading.sweep_every

    def _swept(self, staged: StagedTable) -> pa.Table:
        """Return the staged rows whose keys the table does not have, marked as deleted."""
        name, count = self.table.name, 0
        columns = [_readable(self.table.columns[column]) for column in self.plan.key]
        staged.begin_sweep()
        with self.engine.connect() as connection:
            if connection.scalar(_HIDES_ROWS, {"relation": _relation(self.table)}):
                logger.warning(
                    "`%s` shows this user only some rows (row level security): what is missing "
                    "is not taken as deleted",
                    name,
                )
                return staged.without([])
            answer = connection.execution_options(yield_per=self.chunk_size).execute(
                sa.select(*columns)
            )
            for rows in answer.partitions():
                count += len(rows)
                arrays = [pa.array(list(column)) for column in zip(*rows, strict=True)]
                staged.found(pa.table(arrays, names=list(self.plan.key)))
        self.state["swept_at"] = self.reading.snapshot.horizon.isoformat()
        if not count and len(staged):
            logger.warning("`%s` is empty: its staged rows are not taken as deleted", name)
            return staged.without([])
        return staged.gone()


def as_text(kind: Any) -> Any:
    """Return the type that a column of a type is staged as, for dlt to tell its own one."""
    if isinstance(kind, sa.Float):
        return sa.Numeric(asdecimal=False)  # dlt takes it for one, as SQLAlchemy did before 2.1
    return kind if isinstance(kind, _READ_AS_THEY_ARE) else sa.Text()


def _readable(column: sa.Column[Any]) -> Any:
    """Return what is asked of the database for a column: itself, or its text."""
    if isinstance(column.type, sa.ARRAY):
        return sa.cast(sa.func.to_jsonb(column), sa.Text).label(column.name)
    if isinstance(column.type, sa.Time) and column.type.timezone:
        return sa.cast(column, sa.Time).label(column.name)  # the type it is staged as has no zone
    if isinstance(column.type, UUID) or not isinstance(column.type, _READ_AS_THEY_ARE):
        return sa.cast(column, sa.Text).label(column.name)
    return column


def _is_deleted(plan: Plan) -> Any:
    """Return SQL for whether a row counts as deleted: a true flag, or any value of another type."""
    if plan.deleted is None:
        return sa.false()
    if isinstance(plan.deleted.type, sa.Boolean):
        return sa.func.coalesce(plan.deleted, sa.false())
    return plan.deleted.is_not(None)


def _relation(table: sa.Table) -> str:
    return ".".join(f'"{part}"' for part in (table.schema, table.name) if part)
