"""The job client: DuckDB's, plus a delivery at the end of the load."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dlt.common.runtime import signals
from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.impl.duckdb.duck import DuckDbClient

from replenit_destination.destinations.delivery import deliver, remember
from replenit_destination.destinations.interrupts import note_stopped
from replenit_destination.destinations.merging import MergeJob
from replenit_destination.destinations.packages import LoadPackage, mend
from replenit_destination.destinations.privacy import keep_private
from replenit_destination.destinations.setup import active_pipeline
from replenit_destination.destinations.state_sessions import begin, session_of
from replenit_destination.destinations.tombstones import drop_tombstones
from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.handover import Handover
from replenit_destination.engine.sql import literal
from replenit_destination.engine.storage import busy, full, is_busy
from replenit_destination.exceptions import DeliveryError, LedgerBusyError, StateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from dlt.common.destination import DestinationCapabilitiesContext
    from dlt.common.destination.client import FollowupJobRequest
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema import Schema

    from replenit_destination.destinations.configuration import ReplenitClientConfiguration

__all__ = ["ReplenitClient"]

_log = logging.getLogger(__name__)

_OVERTAKEN = (
    "Another process has meanwhile staged load package {}, so nothing of it is lost. Two runs of a "
    "pipeline at a time mix up what dlt keeps of them: put `with run_lock(pipeline):` around "
    "`pipeline.run()`, then they wait for each other. Run again to go on."
)


class ReplenitClient(DuckDbClient):
    """Stages like DuckDB's client; completing the last pending package delivers what changed."""

    config: ReplenitClientConfiguration

    def __init__(
        self,
        schema: Schema,
        config: ReplenitClientConfiguration,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        # Whoever makes a client is about to open the database, and DuckDB does not make folders.
        if config.database is not None:
            keep_private(config.database.parent)
        super().__init__(schema, config, capabilities)
        self._delivered = False
        self._completed: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        """Open the database; a push that has it open is asked to give way, and waited for.

        Where `state_url` is set, the state is claimed and fetched before that.

        Raises:
            StateError: The state cannot be fetched, or another runner works with it.
            LedgerBusyError: Another process has it open for longer than `lock_wait_seconds`, or has
                staged the package that is to be loaded.
            StorageError: The disk is full.
        """
        database = self.config.database
        if database is None:
            super().__enter__()
            return self
        begin(self, active_pipeline())
        try:
            Handover(database).take(
                lambda: self._open(database),
                seconds=self.config.lock_wait_seconds,
                clock=SystemClock(),
                stop=signals.was_signal_received,
            )
        except LedgerBusyError:
            signals.raise_if_signalled()  # then it was not the wait that ended
            raise
        package, pipeline = LoadPackage.current(), active_pipeline()
        if package is None and pipeline is not None:
            mend(pipeline)  # a run opens the database before it normalizes what is pending
        elif package is not None and package.is_gone():
            self.sql_client.close_connection()
            raise LedgerBusyError(_OVERTAKEN.format(package.load_id))
        return self

    def _open(self, database: Path) -> None:
        try:
            super().__enter__()
        except DestinationConnectionError as error:
            # dlt's own message asks to check credentials and the internet connection.
            if is_busy(error):
                what = f"the staging database `{database}`"
                raise busy(error, what, ledger=self.config.ledger_path) from error
            if told := full(error, database.parent):
                raise told from error
            raise
        if "memory_limit" not in (self.config.credentials.global_config or {}):
            # DuckDB's own limit is most of the machine, and a merge of dlt's takes what it may.
            limit = literal(self.config.memory_limit)
            self.sql_client.execute_sql(f"SET memory_limit = {limit}")

    def __exit__(
        self,
        exc_type: type[BaseException],
        exc_val: BaseException,
        exc_tb: TracebackType,
    ) -> None:
        """Close the database, and store the state after a delivery, also after one that raised.

        Raises:
            StateError: It could not be stored; a delivery's own error carries that as a note.
        """
        super().__exit__(exc_type, exc_val, exc_tb)
        session = session_of(self) if self._delivered else None
        self._delivered = False
        if session is None or session.pinned:
            return
        try:
            session.store(completed=self._completed)
        except StateError as error:
            raised: BaseException | None = exc_val  # dlt annotates it without None
            if raised is None:
                raise
            raised.add_note(str(error))
            _log.error("%s", error)

    def _create_merge_followup_jobs(
        self, table_chain: Sequence[PreparedTableSchema]
    ) -> list[FollowupJobRequest]:
        return [MergeJob.from_table_chain(table_chain, self.sql_client)]

    def complete_load(self, load_id: str) -> None:
        """Deliver, or keep what a later delivery must know, then mark the load as complete.

        The order matters: when the delivery raises, dlt keeps the package pending and calls this
        again at the next run without extracting anything. After `super()` a second call would write
        a second row into `_dlt_loads`.

        Raises:
            SettingsError: Something a delivery needs is not set.
            MappingError: The mapping does not fit the staged tables.
            DeliveryError: Nothing more can be delivered for now. Refused documents raise nothing.
                Only a package's first delivery raises it: should the next one fail too, the load
                completes, so that a refused key does not keep new rows from being staged.
        """
        drop_tombstones(self)
        package = LoadPackage.current()
        if self.config.deliver == "manual":
            remember(self, active_pipeline())
        else:
            try:
                self._deliver(package)
            except DeliveryError as error:
                if package is None or package.stops_first():
                    raise
                _log.error("Delivery is parked, staging goes on: %s", error)
        # It is, when only the state could not be stored after it the last time.
        if not self._is_complete(load_id):
            super().complete_load(load_id)
        self._completed = frozenset({load_id})
        self._sync_again()

    def delivers(self) -> None:
        """Note that the files change from now on, so that the state is stored when they close."""
        self._delivered = True

    def _is_complete(self, load_id: str) -> bool:
        if not self.config.state_url:
            return False
        loads = self.sql_client.make_qualified_table_name(self.schema.loads_table_name)
        found = self.sql_client.execute_sql(
            f"SELECT 1 FROM {loads} WHERE load_id = %s AND status = 0", load_id
        )
        return bool(found)

    def _sync_again(self) -> None:
        """Let the next run of this pipeline read the state that a fetched package brought along."""
        session, pipeline = session_of(self), active_pipeline()
        if session and session.fetched_packages and pipeline:
            pipeline._state_restored = False  # noqa: SLF001 - there is no public way

    def _deliver(self, package: LoadPackage | None) -> None:
        tables = package.tables_written(self.schema) if package else None
        # A pipeline with two schemas completes the first package before the tables of the second
        # exist.
        if package and tables is not None and (later := package.later()):
            package.hand_over(later, tables)
            return
        pipeline = active_pipeline()
        report = deliver(self, pipeline, tables_written=tables)
        if pipeline is not None:
            note_stopped(pipeline, report)
        # `push` returns its report; a load has no other way to tell.
        _log.log(logging.WARNING if report.exit_code else logging.INFO, "%s", report.summary)
        if package:
            package.keep_report(report.to_dict())
