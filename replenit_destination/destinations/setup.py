"""What a pipeline delivers, with what, and where that is recorded: dlt's objects as the engine's.

Below this line nothing knows dlt, above it nothing knows how a delivery works.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.utils import get_first_column_name_with_prop

from replenit_destination.destinations.packages import LoadPackage
from replenit_destination.destinations.privacy import keep_private
from replenit_destination.engine.sql import nearest
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dlt import Pipeline
    from dlt.common.schema import Schema

    from replenit_destination.destinations.client import ReplenitClient
    from replenit_destination.destinations.configuration import ReplenitClientConfiguration
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.run import PushOptions, Staged
    from replenit_destination.targets.replenit.configuration import ReplenitSettings
    from replenit_destination.targets.replenit.target import ReplenitTarget

__all__ = [
    "PRESETS",
    "Setup",
    "active_pipeline",
    "client_of",
    "find_pipeline",
    "opened",
    "push_options",
]

PRESETS = Path(__file__).parents[1] / "targets" / "replenit" / "presets"
_BULK_CHANGES = ("products.variants.Stock",)  # stock is counted anew every day


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything a delivery works with, checked.

    `options` are the configured ones. `staged` borrows the client's open connection.
    """

    config: ReplenitClientConfiguration
    settings: ReplenitSettings
    target: ReplenitTarget
    mapping: dict[str, EntityMapping]
    staged: Staged
    ledger: Path
    options: PushOptions

    @classmethod
    def of(
        cls,
        client: ReplenitClient,
        pipeline: Pipeline | None,
        *,
        tables_written: frozenset[str] | None = None,
        **options: Any,
    ) -> Setup:
        """Return the setup behind an opened client.

        Args:
            client: Opened, so that its connection can be borrowed.
            pipeline: Gives its schemas.
            tables_written: The tables this load wrote; None when that is not known.
            **options: Fields of `PushOptions` that differ from the configuration; None does not.

        Raises:
            SettingsError: Something a delivery needs is not set, or cannot be used.
            MappingError: The mapping cannot be read.
        """
        from replenit_destination.targets.replenit.target import ReplenitTarget

        config = client.config
        settings = config.target_settings()
        target = ReplenitTarget(settings)
        mapping = config.delivery_mapping().entities(target.entities, presets=PRESETS)
        _refuse_unknown(options.get("entities") or (), mapping)
        return cls(
            config=config,
            settings=settings,
            target=target,
            mapping=mapping,
            staged=_staged(client, pipeline, tables_written),
            ledger=config.ledger_path,
            options=push_options(config, **options),
        )


@contextmanager
def opened(
    pipeline: Pipeline | str | None,
    pipelines_dir: str | Path | None = None,
    *,
    wait: bool = True,
    **options: Any,
) -> Iterator[Setup]:
    """Yield the setup of a pipeline, its database open.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.
        wait: Whether to wait, for `lock_wait_seconds`, and ask a running push to give way.
        **options: Fields of `PushOptions` that differ from the configuration; None does not.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit, or a setting is missing.
        MappingError: The mapping cannot be read.
        LedgerBusyError: Another process had the database open for too long.
    """
    found = find_pipeline(pipeline, pipelines_dir)
    client = client_of(found)
    if not wait:
        client.config.lock_wait_seconds = 0
    with client:
        keep_private(client.config.ledger_path.parent)
        yield Setup.of(client, found, **options)


def find_pipeline(
    pipeline: Pipeline | str | None, pipelines_dir: str | Path | None = None
) -> Pipeline:
    """Return a pipeline that has a destination.

    Raises:
        SettingsError: There is none.
    """
    if isinstance(pipeline, str):
        where: dict[str, Any] = {"pipelines_dir": str(pipelines_dir)} if pipelines_dir else {}
        return dlt.attach(pipeline, **where)
    found = pipeline or active_pipeline()
    if found is None:
        message = "no pipeline is active; give push() a pipeline or the name of one that has run"
        raise SettingsError(message)
    if not found.destination:
        message = f'pipeline `{found.pipeline_name}` has no destination; set destination="replenit"'
        raise SettingsError(message)
    return found


def active_pipeline() -> Pipeline | None:
    """Return dlt's active pipeline, which inside a load is the running one."""
    context = Container()[PipelineContext]
    # Without this question dlt would make up a pipeline named after the script.
    return context.pipeline() if context.is_active() else None  # type: ignore[return-value]


def client_of(pipeline: Pipeline) -> ReplenitClient:
    """Return a pipeline's client, not opened yet.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit.
    """
    from replenit_destination.destinations.client import ReplenitClient

    client = pipeline.destination_client()
    if not isinstance(client, ReplenitClient):
        message = (
            f"pipeline `{pipeline.pipeline_name}` loads to "
            f'`{pipeline.destination.destination_name}`; this needs one with destination="replenit"'
        )
        raise SettingsError(message)
    return client


def _refuse_unknown(entities: Iterable[str], mapping: Iterable[str]) -> None:
    """Refuse a misspelt entity, of which nothing would be delivered without a word."""
    known = list(mapping)
    for name in entities:
        if name not in known:
            near = nearest(name, known)
            hint = f" (did you mean `{near}`?)" if near else ""
            message = f"no entity `{name}` in the mapping{hint}; it has {', '.join(known)}"
            raise SettingsError(message)


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
    package = LoadPackage.current()
    return Staged(
        database=client.config.database or Path(":external:"),
        dataset=client.config.normalize_dataset_name(default),
        staging_dataset=client.config.normalize_staging_dataset_name(default),
        hard_deletes=_hard_deletes(schemas.values()),
        tables_written=tables_written,
        load_id=package.load_id if package else None,
        connection=client.sql_client.native_connection,
    )


def _hard_deletes(schemas: Iterable[Schema]) -> dict[str, str]:
    found = {}
    for schema in schemas:
        for name, table in schema.tables.items():
            if column := get_first_column_name_with_prop(table, "hard_delete"):
                found[name] = column
    return found


def push_options(config: ReplenitClientConfiguration, **overrides: Any) -> PushOptions:
    """Return the configured options, with those that differ; None does not."""
    from replenit_destination.engine.run import PushOptions

    budgets = ("workers", "quota_share", "max_requests", "max_seconds", "lock_wait_seconds")
    trouble = ("max_attempts", "retry_budget_seconds", "diagnosis_share")
    holds = ("accept_resend", "accept_schema", "bulk_changes")
    names = (*budgets, *trouble, *holds, "delivery_log", "memory_limit")
    configured = {name: config[name] for name in names if config[name] is not None}
    given = {"bulk_changes": _BULK_CHANGES, "alarms": config.alarm_rules, **configured} | {
        name: value for name, value in overrides.items() if value is not None
    }
    return PushOptions(**{name: value for name, value in given.items() if value is not None})
