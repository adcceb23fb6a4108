"""The one place where dlt's objects are turned into what the engine takes.

Below this line nothing knows dlt, above it nothing knows how a delivery works.
"""

from __future__ import annotations

import logging
import random
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.runtime import signals
from dlt.common.schema.utils import get_first_column_name_with_prop

from replenit_destination.destinations.privacy import keep_private
from replenit_destination.exceptions import MappingError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dlt import Pipeline
    from dlt.common.schema import Schema

    from replenit_destination.destinations.client import ReplenitClient
    from replenit_destination.destinations.configuration import ReplenitClientConfiguration
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.progress import Progress
    from replenit_destination.engine.run import PushOptions, Report, Staged
    from replenit_destination.targets.replenit.target import ReplenitTarget

__all__ = ["active_pipeline", "deliver", "remember"]

_PRESETS = Path(__file__).parents[1] / "targets" / "replenit" / "presets"
_BULK_CHANGES = ("products.variants.Stock",)  # stock is counted anew every day
_log = logging.getLogger(__name__)


def active_pipeline() -> Pipeline | None:
    """Return dlt's active pipeline, which inside a load is the running one."""
    context = Container()[PipelineContext]
    # Without this question dlt would make up a pipeline named after the script.
    return context.pipeline() if context.is_active() else None  # type: ignore[return-value]


def deliver(
    client: ReplenitClient,
    pipeline: Pipeline | None,
    *,
    tables_written: frozenset[str] | None,
    **options: Any,
) -> Report:
    """Deliver what is staged behind an opened client.

    Args:
        client: Opened, so that its connection can be borrowed.
        pipeline: Gives its schemas and its progress collector, which must be started.
        tables_written: The tables this load wrote; None when that is not known.
        **options: Fields of `PushOptions` that differ from the configuration.
    """
    from replenit_destination.engine import run
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.targets.replenit.api import HttpTransport
    from replenit_destination.targets.replenit.target import ReplenitTarget

    config = client.config
    settings = config.target_settings()
    target = ReplenitTarget(settings)
    mapping = _entities(config, target)
    engine = config.engine or run.push
    keep_private(config.ledger_path.parent)
    with ExitStack() as opened:
        report: Report = engine(
            _staged(client, pipeline, tables_written),
            target,
            mapping,
            transport=config.transport or opened.enter_context(HttpTransport(settings)),
            ledger=config.ledger_path,
            options=_options(config, options),
            clock=SystemClock(),
            random=random.SystemRandom(),
            # dlt holds back the first Ctrl-C or TERM and raises nothing in here: the engine asks.
            stop=signals.was_signal_received,
            progress=_progress(pipeline),
        )
    return report


def remember(client: ReplenitClient, pipeline: Pipeline | None) -> None:
    """Keep what only this load knows, its hard deletes, for a `push` that comes later.

    Without complete settings there is no ledger to keep it in yet, and nothing was ever delivered
    that a delete could be missing for.
    """
    from replenit_destination.engine import run
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.targets.replenit.target import ReplenitTarget

    config = client.config
    try:
        target = ReplenitTarget(config.target_settings())
        run.remember(
            _staged(client, pipeline, None),
            target,
            _entities(config, target),
            ledger=config.ledger_path,
            clock=SystemClock(),
        )
    except (SettingsError, MappingError) as error:
        # Loads only stage in this mode: what keeps a push from running must not stop them.
        _log.warning("The hard deletes of this load are not kept for a later push: %s", error)


def _entities(
    config: ReplenitClientConfiguration, target: ReplenitTarget
) -> dict[str, EntityMapping]:
    return config.delivery_mapping().entities(target.entities, presets=_PRESETS)


def _staged(
    client: ReplenitClient, pipeline: Pipeline | None, tables_written: frozenset[str] | None
) -> Staged:
    from replenit_destination.engine.run import Staged

    schemas = {client.schema.name: client.schema}
    if pipeline is not None:
        schemas = {name: pipeline.schemas[name] for name in pipeline.schema_names} | schemas
    # Only set when dlt gives each schema a dataset of its own; the default schema's is the
    # pipeline's.
    default = schemas.get(client.config.default_schema_name or "", client.schema)
    return Staged(
        database=client.config.database or Path(":external:"),
        dataset=client.config.normalize_dataset_name(default),
        staging_dataset=client.config.normalize_staging_dataset_name(default),
        hard_deletes=_hard_deletes(schemas.values()),
        tables_written=tables_written,
        connection=client.sql_client.native_connection,
    )


def _hard_deletes(schemas: Iterable[Schema]) -> dict[str, str]:
    found = {}
    for schema in schemas:
        for name, table in schema.tables.items():
            if column := get_first_column_name_with_prop(table, "hard_delete"):
                found[name] = column
    return found


def _options(config: ReplenitClientConfiguration, overrides: dict[str, Any]) -> PushOptions:
    from replenit_destination.engine.run import PushOptions

    budgets = ("workers", "quota_share", "max_requests", "max_seconds", "lock_wait_seconds")
    trouble = ("max_attempts", "retry_budget_seconds", "diagnosis_share")
    holds = ("accept_resend", "accept_schema", "bulk_changes")
    names = (*budgets, *trouble, *holds)
    configured = {name: config[name] for name in names if config[name] is not None}
    given = {"bulk_changes": _BULK_CHANGES, **configured} | {
        name: value for name, value in overrides.items() if value is not None
    }
    return PushOptions(**{name: value for name, value in given.items() if value is not None})


def _progress(pipeline: Pipeline | None) -> Progress:
    from replenit_destination.engine.progress import NullProgress

    # dlt annotates its optional arguments without None.
    return cast("Progress", pipeline.collector) if pipeline is not None else NullProgress()
