"""`purge`: the rows of old, accepted documents leave what a pipeline keeps here."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from replenit_destination.destinations.job_files import delete_job_files
from replenit_destination.destinations.setup import Setup, client_of, find_pipeline
from replenit_destination.destinations.state_sessions import replace_all_copies, session_of
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from dlt import Pipeline

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.retention import Purge

__all__ = ["purge", "purge_after"]

_log = logging.getLogger(__name__)
_DAY_SECONDS = 24 * 3600.0


def purge(
    pipeline: Pipeline | str | None = None,
    *,
    days: float | None = None,
    rewrite: bool = False,
    pipelines_dir: str | Path | None = None,
) -> Purge:
    """Delete the staged rows of old orders that Replenit has accepted as they are.

    Nothing is sent. The ledger keeps the key, the hashes and the keys of the lines, so later pushes
    neither send nor delete these orders. dlt's job files of that age go too. An entity whose rows
    may still be needed is left alone; `notices` says why.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        days: How old an order and its acceptance must be, at least 1; default `retention_days`.
        rewrite: Write the staging database anew afterwards, and replace all remote copies: deleted
            bytes stay in a file until something takes their place. Needs as much free disk.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Raises:
        SettingsError: No age is given or set, or the database cannot be rewritten.
        MappingError: The mapping does not fit the staged tables.
        LedgerBusyError: Another process has a database open.
        StorageError: The disk is full.
    """
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.rewriting import rewrite as write_anew
    from replenit_destination.engine.storage import storage_faults

    found = find_pipeline(pipeline, pipelines_dir)
    client = client_of(found)
    days = days if days is not None else client.config.retention_days
    if days is None:
        message = "retention_days: is not set; say how many days accepted orders are kept"
        raise SettingsError(message)
    database = client.config.database
    if rewrite and database is None:
        message = "rewrite: the database is an open connection; its file cannot be rewritten"
        raise SettingsError(message)
    with client:
        if session := session_of(client):
            client.delivers()
            session.verify()
        setup = Setup.of(client, found)
        purged = _purge(setup, found, days, SystemClock())
    if rewrite and database is not None:
        with storage_faults(database.parent):
            write_anew(database)
        replace_all_copies(found)
    return purged


def purge_after(report: Report, setup: Setup, pipeline: Pipeline | None) -> None:
    """Purge what `retention_days` says after a delivery that came to its end."""
    from replenit_destination.engine.clock import SystemClock

    if not setup.config.retention_days or report.halted:
        return
    purged = _purge(setup, pipeline, setup.config.retention_days, SystemClock())
    if purged.documents or purged.job_files:
        _log.info("%s", purged)
    for notice in purged.notices:
        _log.warning("retention_days: %s", notice)


def _purge(setup: Setup, pipeline: Pipeline | None, days: float, clock: Clock) -> Purge:
    from replenit_destination.engine.retention import purge_old

    purged = purge_old(
        setup.staged,
        setup.target,
        setup.mapping,
        days=days,
        ledger=setup.ledger,
        clock=clock,
        options=setup.options,
    )
    if pipeline is not None:
        before = clock.now() - days * _DAY_SECONDS
        purged.job_files = delete_job_files(Path(pipeline.working_dir), before=before)
    return purged
