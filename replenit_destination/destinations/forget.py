"""`forget`: erase one person, at Replenit and in all that a pipeline keeps here."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replenit_destination.destinations.job_files import delete_job_files, finished_packages
from replenit_destination.destinations.privacy import keep_private
from replenit_destination.destinations.setup import Setup, client_of, find_pipeline
from replenit_destination.exceptions import PendingLoadError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dlt import Pipeline

    from replenit_destination.destinations.configuration import ReplenitClientConfiguration
    from replenit_destination.engine.receipt import Receipt

__all__ = ["forget"]

_REPLACED = "forgotten"


def forget(
    pipeline: Pipeline | str | None = None,
    *,
    email: str | None = None,
    customer_id: str | None = None,
    offline: bool = False,
    step: Callable[[str], None] = lambda _: None,
    pipelines_dir: str | Path | None = None,
) -> Receipt:
    """Erase one person: at Replenit, in the staged tables, the ledger and dlt's working files.

    First the person and their orders are deleted at Replenit, from the reserved share of the quota;
    then all that is kept here, and both databases are rewritten, so that the deleted bytes are gone
    from the disk. A keyed hash stays, so that no later load brings the person back; only a consent
    given after this moment does. What Replenit could not be told is sent first by the next push.
    Cut off at any moment, run it again: it finishes.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        email: The person's address; all customers who have it are erased.
        customer_id: The person's id in the shop.
        offline: Leave what is to be deleted at Replenit to the next push.
        step: Told the name of every step before it begins.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Returns:
        The receipt, free of personal data; `exit_code` is 3 while Replenit must still be told.

    Raises:
        SettingsError: Neither name is given, or Replenit needs the other one.
        PendingLoadError: Loaded rows are not in the tables yet.
        MappingError: The mapping does not fit the staged tables.
        LedgerBusyError: Another process has a database open.
        StorageError: The disk is full.
    """
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.forget import conclude_erasure, erase
    from replenit_destination.engine.rewriting import rewrite
    from replenit_destination.engine.storage import storage_faults
    from replenit_destination.targets.replenit.api import HttpTransport

    given = {"Email": email, "CustomerId": customer_id}
    names = {name: value for name, value in given.items() if value and value.strip()}
    if not names:
        message = "give the person's email or customer_id"
        raise SettingsError(message)
    found = find_pipeline(pipeline, pipelines_dir)
    client = client_of(found)
    if client.config.database is None:
        message = "forget: the database is an open connection; its file cannot be rewritten"
        raise SettingsError(message)
    clock = SystemClock()
    with client:
        if found.has_pending_data:
            raise PendingLoadError(found.pipeline_name)
        setup = Setup.of(client, found)
        keep_private(setup.ledger.parent)
        with ExitStack() as held:
            transport = None
            if not offline:
                given_transport: Any = setup.config.transport
                transport = given_transport or held.enter_context(HttpTransport(setup.settings))
            receipt, told_as = erase(
                setup.staged,
                setup.target,
                setup.mapping,
                names,
                transport=transport,
                ledger=setup.ledger,
                clock=clock,
                random=random.SystemRandom(),
                options=setup.options,
                step=step,
            )
    step("files")
    receipt.files = _purge_files(Path(found.working_dir), setup.ledger, told_as)
    step("rewrite")
    with storage_faults(client.config.database.parent):
        rewrite(client.config.database)
        receipt.rewritten = [client.config.database.name, setup.ledger.name]
        step("conclude")
        conclude_erasure(setup.ledger, receipt.erasure, clock)
    receipt.remote_copies = _replace_remote_copies(client.config, found)
    return receipt


def _purge_files(folder: Path, ledger: Path, told_as: Iterable[str]) -> dict[str, int]:
    """Take away the copies of loaded rows that dlt and upgrades keep; return what it was, counted.

    dlt makes its trace anew with each run.
    """
    from replenit_destination.engine.ledger_format import backups
    from replenit_destination.engine.rehearsal import sweep

    sweep(ledger.parent)
    counts = {"job files": delete_job_files(folder), "traces": 0, "ledger copies": 0}
    for package in finished_packages(folder):
        state = package / "load_package_state.json"
        if state.is_file():
            text = before = state.read_text(encoding="utf-8")
            for name in told_as:
                text = text.replace(name, _REPLACED)
            if text != before:
                state.write_text(text, encoding="utf-8")
    for trace in folder.glob("trace.pickle"):
        trace.unlink()
        counts["traces"] += 1
    for copy in backups(ledger):
        copy.unlink()
        counts["ledger copies"] += 1
    return {name: count for name, count in counts.items() if count}


def _replace_remote_copies(config: ReplenitClientConfiguration, pipeline: Pipeline) -> int | None:
    if not config.state_url:
        return None
    from replenit_destination.destinations.state_sessions import replace_all_copies

    return replace_all_copies(pipeline)
