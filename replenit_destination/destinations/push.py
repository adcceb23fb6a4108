"""`push`: deliver what is staged, with or without new rows.

dlt makes no load package when a source yields nothing, and then never calls `complete_load`:
backlog, retries and withheld removals would wait for the next new row. So delivery is a function of
its own.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING

from dlt.common.runtime import signals

from replenit_destination.destinations.delivery import deliver
from replenit_destination.destinations.interrupts import take_stopped
from replenit_destination.destinations.setup import client_of, find_pipeline
from replenit_destination.exceptions import RejectedDocumentsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from dlt import Pipeline

    from replenit_destination.engine.run import Report

__all__ = ["push"]

_log = logging.getLogger(__name__)


def push(
    pipeline: Pipeline | str | None = None,
    *,
    entities: Sequence[str] | None = None,
    full: bool | None = None,
    allow_removals: Sequence[str] | None = None,
    accept_resend: bool | None = None,
    accept_schema: bool | None = None,
    retry: bool | None = None,
    confirm: bool | None = None,
    force: bool | None = None,
    keys: Sequence[str] | None = None,
    since: datetime | None = None,
    refused: bool | None = None,
    max_requests: int | None = None,
    max_seconds: float | None = None,
    pipelines_dir: str | Path | None = None,
) -> Report:
    """Deliver what changed in a pipeline's staged tables since Replenit last accepted it.

    Nothing is extracted or loaded. Settings come from where a load takes them; an argument that is
    None leaves the configured value. The first Ctrl-C or TERM finishes what is in flight, records
    it and returns; a second one leaves at once. When the load before was stopped that way, its
    report is returned and nothing is sent. Outside of the main thread, and where dlt's
    `intercept_signals` is off, signals act as usual.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        entities: Deliver only these; default all that are mapped.
        full: Compare everything instead of what the last loads touched.
        allow_removals: Entities whose withheld removals may travel this once.
        accept_resend: Send again what changed by a new mapping or setting only.
        accept_schema: Send although the source's tables or a field of many documents changed.
        retry: Send quarantined documents again, as they are today.
        confirm: Send again what Replenit took without counting it, to find out which it was.
        force: Send everything compared, also what Replenit already has.
        keys: Look at the documents with these keys only; `entities` must name the one they are of.
        since: Look at documents only with rows that were loaded since then, and at those that
            Replenit accepted since then; with a time zone.
        refused: Look at documents only that stand refused, and try them as they are today.
        max_requests: Requests to spend; the rest waits for the next push.
        max_seconds: Seconds to spend; the rest waits for the next push.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Returns:
        The report; `report.exit_code` is 0 when everything was delivered.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit, or a setting is missing.
        MappingError: The mapping does not fit the staged tables.
        DeliveryError: Nothing more can be delivered for now; all is kept.
        LedgerBusyError: Another process had a database open for longer than `lock_wait_seconds`.
        StorageError: The disk is full.
        RejectedDocumentsError: More documents are refused than may be, and `on_rejected` is
            `raise`.
    """
    staged = find_pipeline(pipeline, pipelines_dir)
    client = client_of(staged)
    if stopped := take_stopped(staged):
        return stopped
    if staged.has_pending_data:
        _log.warning(
            "Pipeline `%s` has load packages that are not staged yet; run it to include them",
            staged.pipeline_name,
        )
    intercepted = staged.runtime_config.intercept_signals
    with (
        signals.intercepted_signals() if intercepted else nullcontext(),
        staged.collector(f"Deliver {staged.pipeline_name}"),
        client,
    ):
        report = deliver(
            client,
            staged,
            tables_written=None,
            entities=entities,
            full=full,
            allow_removals=allow_removals,
            accept_resend=accept_resend,
            accept_schema=accept_schema,
            retry=retry,
            confirm=confirm,
            force=force,
            keys=keys,
            since=since.timestamp() if since else None,
            refused=refused,
            max_requests=max_requests,
            max_seconds=max_seconds,
        )
    if client.config.on_rejected == "raise" and report.too_many_refused:
        message = f"documents were refused, all others were delivered:\n{report.summary}"
        raise RejectedDocumentsError(message)
    return report
