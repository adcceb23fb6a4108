"""`plan` and `verify`: what a push would do, and whether the ledger says what the source says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.destinations.looking import looked_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from dlt import Pipeline

    from replenit_destination.engine.plan import Plan
    from replenit_destination.engine.verification import Verification

__all__ = ["plan", "verify"]


def plan(
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
) -> Plan:
    """Return what `push` would do with the same arguments, and what it would cost.

    Nothing is sent, staged or recorded. The push runs on a copy of the ledger that is gone
    afterwards, before a service that accepts everything; Replenit itself is not asked, so what it
    may refuse is not in a plan. A push that is under way is neither waited for nor disturbed.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        entities: Only these; default all that are mapped.
        full: Compare everything instead of what the last loads touched.
        allow_removals: Entities whose withheld removals may travel this once.
        accept_resend: Send again what changed by a new mapping or setting only.
        accept_schema: Send although the source's tables or a field of many documents changed.
        retry: Send quarantined documents again, as they are today.
        confirm: Send again what Replenit took without counting it.
        force: Send everything compared, also what Replenit already has.
        keys: Look at the documents with these keys only; `entities` must name the one they are of.
        since: Look at documents only with rows that were loaded since then, and at those that
            Replenit accepted since then; with a time zone.
        refused: Look at documents only that stand refused, and try them as they are today.
        max_requests: Requests to spend.
        max_seconds: Seconds to spend.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Returns:
        The plan; `plan.exit_code` is the push's, `plan.price` its price.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit, or a setting is missing.
        MappingError: The mapping does not fit the staged tables.
        LedgerBusyError: Another process has a database open.
        StorageError: The disk is full.
    """
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.plan import plan as make

    with looked_at(
        pipeline,
        pipelines_dir,
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
    ) as setup:
        return make(
            setup.staged,
            setup.target,
            setup.mapping,
            ledger=setup.ledger,
            clock=SystemClock(),
            options=setup.options,
        )


def verify(
    pipeline: Pipeline | str | None = None,
    *,
    entities: Sequence[str] | None = None,
    pipelines_dir: str | Path | None = None,
) -> Verification:
    """Make every document again and compare it with what the ledger says Replenit has accepted.

    Nothing is sent, staged or recorded; Replenit cannot be asked what it holds.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        entities: Only these; default all that are mapped.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Returns:
        Counts and samples; `exit_code` is 1 where the two differ.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit, or a setting is missing.
        MappingError: The mapping does not fit the staged tables.
        LedgerBusyError: Another process has a database open.
        StorageError: The disk is full.
    """
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.verification import verify as compare

    with looked_at(pipeline, pipelines_dir, entities=entities) as setup:
        return compare(
            setup.staged,
            setup.target,
            setup.mapping,
            ledger=setup.ledger,
            clock=SystemClock(),
            options=setup.options,
        )
