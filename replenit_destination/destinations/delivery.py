"""A delivery as dlt's load and `push` start it: the engine's, with this process around it."""

from __future__ import annotations

import logging
import random
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dlt.common.runtime import signals

from replenit_destination.destinations.notifications import notified
from replenit_destination.destinations.privacy import keep_private
from replenit_destination.destinations.purge import purge_after
from replenit_destination.destinations.setup import Setup
from replenit_destination.destinations.state_light import refuse_left_out
from replenit_destination.destinations.state_sessions import session_of
from replenit_destination.exceptions import MappingError, SettingsError

if TYPE_CHECKING:
    from dlt import Pipeline

    from replenit_destination.destinations.client import ReplenitClient
    from replenit_destination.engine.progress import Progress
    from replenit_destination.engine.run import Report

__all__ = ["deliver", "remember"]

_log = logging.getLogger(__name__)


def deliver(
    client: ReplenitClient,
    pipeline: Pipeline | None,
    *,
    tables_written: frozenset[str] | None,
    **options: Any,
) -> Report:
    """Deliver what is staged behind an opened client, and tell who is configured how it went.

    Args:
        client: Opened, so that its connection can be borrowed.
        pipeline: Gives its schemas and its progress collector, which must be started.
        tables_written: The tables this load wrote; None when that is not known.
        **options: Fields of `PushOptions` that differ from the configuration.
    """
    config = client.config
    work = partial(_deliver, client, pipeline, tables_written=tables_written, **options)
    return notified(config, config.tenant_id or "", work)


def _deliver(
    client: ReplenitClient,
    pipeline: Pipeline | None,
    *,
    tables_written: frozenset[str] | None,
    **options: Any,
) -> Report:
    from replenit_destination.engine import run
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.targets.replenit.api import HttpTransport

    session = session_of(client)
    if session:
        client.delivers()
        session.verify()
    setup = Setup.of(client, pipeline, tables_written=tables_written, **options)
    config = setup.config
    if session:
        refuse_left_out(setup)
    engine = config.engine or run.push
    keep_private(setup.ledger.parent)
    with ExitStack() as held:
        report: Report = engine(
            setup.staged,
            setup.target,
            setup.mapping,
            transport=config.transport or held.enter_context(HttpTransport(setup.settings)),
            ledger=setup.ledger,
            options=setup.options,
            clock=SystemClock(),
            random=random.SystemRandom(),
            # dlt holds back the first Ctrl-C or TERM and raises nothing in here: the engine asks.
            stop=lambda: signals.was_signal_received() or bool(session and session.lost),
            progress=_progress(pipeline, setup),
        )
    purge_after(report, setup, pipeline)
    return report


def remember(client: ReplenitClient, pipeline: Pipeline | None) -> None:
    """Keep what only this load knows, its hard deletes, for a `push` that comes later.

    Without complete settings there is no ledger to keep it in yet, and nothing was ever delivered
    that a delete could be missing for.
    """
    from replenit_destination.engine import run
    from replenit_destination.engine.clock import SystemClock

    client.delivers()
    try:
        setup = Setup.of(client, pipeline)
        run.remember(
            setup.staged, setup.target, setup.mapping, ledger=setup.ledger, clock=SystemClock()
        )
    except (SettingsError, MappingError) as error:
        # Loads only stage in this mode: what keeps a push from running must not stop them.
        _log.warning("The hard deletes of this load are not kept for a later push: %s", error)


def _progress(pipeline: Pipeline | None, setup: Setup) -> Progress:
    from replenit_destination.destinations.live_progress import LiveProgress
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.progress import NullProgress
    from replenit_destination.engine.quota_use import window_uses

    if pipeline is not None and isinstance(pipeline.collector, LiveProgress):
        folder, share = setup.ledger.parent, setup.options.quota_share
        uses = partial(window_uses, setup.target, folder, clock=SystemClock(), share=share)
        pipeline.collector.watch(setup.ledger, uses)
    # dlt annotates its optional arguments without None.
    return cast("Progress", pipeline.collector) if pipeline is not None else NullProgress()
