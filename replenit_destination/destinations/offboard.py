"""`offboard`: delete at Replenit what a pipeline's tenant holds, and forget it here."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import TYPE_CHECKING

from dlt.common.runtime import signals

from replenit_destination.destinations.setup import client_of, find_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from dlt import Pipeline

    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.report import Report

__all__ = ["offboard"]


def offboard(
    pipeline: Pipeline | str | None = None,
    *,
    max_requests: int | None = None,
    max_seconds: float | None = None,
    pipelines_dir: str | Path | None = None,
) -> Report:
    """Delete everything at Replenit that the ledger says the tenant holds.

    Each document takes a request. When the budget ends first, or a signal comes, calling it again
    goes on. Delivery is paused for good, since the staged rows would be sent again.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        max_requests: Requests to spend; default the configured budget.
        max_seconds: Seconds to spend; default the configured budget.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit, or a setting is missing.
        DeliveryError: Nothing more can be delivered; what was deleted is on record.
        LedgerBusyError: Another process had the ledger open for longer than `lock_wait_seconds`.
    """
    from replenit_destination.destinations.setup import PRESETS, push_options
    from replenit_destination.engine import offboard as engine
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.targets.replenit.api import HttpTransport
    from replenit_destination.targets.replenit.target import ReplenitTarget

    found = find_pipeline(pipeline, pipelines_dir)
    config = client_of(found).config
    settings = config.target_settings()
    target = ReplenitTarget(settings)
    mapping = config.delivery_mapping().entities(target.entities, presets=PRESETS)
    intercepted = found.runtime_config.intercept_signals
    with (
        signals.intercepted_signals() if intercepted else nullcontext(),
        found.collector(f"Offboard {found.pipeline_name}"),
        HttpTransport(settings) as transport,
    ):
        return engine.offboard(
            target,
            transport=config.transport or transport,
            ledger=config.ledger_path,
            clock=SystemClock(),
            random=random.SystemRandom(),
            options=push_options(config, max_requests=max_requests, max_seconds=max_seconds),
            identities={name: _identity(one) for name, one in mapping.items()},
            stop=signals.was_signal_received,
            progress=found.collector,  # type: ignore[arg-type]  # its arguments lack a None
        )


def _identity(mapping: EntityMapping) -> str:
    """Return the vendor field that is mapped to what identifies a row at the source, if any is."""
    return next((name for name, text in mapping.fields.items() if text == mapping.id), "")
