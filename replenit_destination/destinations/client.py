"""The job client: DuckDB's, plus a delivery at the end of the load."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.impl.duckdb.duck import DuckDbClient

from replenit_destination.destinations.delivery import active_pipeline, deliver, remember
from replenit_destination.destinations.packages import LoadPackage
from replenit_destination.destinations.privacy import keep_private
from replenit_destination.exceptions import LedgerBusyError

if TYPE_CHECKING:
    from typing import Self

    from dlt.common.destination import DestinationCapabilitiesContext
    from dlt.common.schema import Schema

    from replenit_destination.destinations.configuration import ReplenitClientConfiguration

__all__ = ["ReplenitClient"]

_log = logging.getLogger(__name__)


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

    def __enter__(self) -> Self:
        """Open the database.

        Raises:
            LedgerBusyError: Another process has it open, and DuckDB lets in one at a time.
        """
        try:
            super().__enter__()
        except DestinationConnectionError as error:
            # dlt's own message asks to check credentials and the internet connection.
            if "Conflicting lock" not in str(error):
                raise
            holder = re.search(r"\(PID \d+\)", str(error))
            message = (
                f"the staging database `{self.config.credentials.database}` is open in another "
                f"process{f' {holder[0]}' if holder else ''}; wait until that one has ended"
            )
            raise LedgerBusyError(message) from error
        return self

    def complete_load(self, load_id: str) -> None:
        """Deliver, or keep what a later delivery must know, then mark the load as complete.

        The order matters: when the delivery raises, dlt keeps the package pending and calls this
        again at the next run without extracting anything. After `super()` a second call would write
        a second row into `_dlt_loads`.

        Raises:
            SettingsError: Something a delivery needs is not set.
            MappingError: The mapping does not fit the staged tables.
            DeliveryError: Nothing more can be delivered for now. Refused documents raise nothing.
        """
        package = LoadPackage.current()
        if self.config.deliver == "manual":
            remember(self, active_pipeline())
        else:
            self._deliver(package)
        super().complete_load(load_id)

    def _deliver(self, package: LoadPackage | None) -> None:
        tables = package.tables_written(self.schema) if package else None
        # A pipeline with two schemas completes the first package before the tables of the second
        # exist.
        if package and tables is not None and (later := package.later()):
            package.hand_over(later, tables)
            return
        report = deliver(self, active_pipeline(), tables_written=tables)
        # `push` returns its report; a load has no other way to tell.
        _log.log(logging.WARNING if report.exit_code else logging.INFO, "%s", report.summary)
        if package:
            package.keep_report(report.to_dict())
