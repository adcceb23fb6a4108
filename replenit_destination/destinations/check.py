"""`check`: whether a push can run, and what a person should decide or look at before it does.

Everything is looked at in one go, also behind what is missing: a setting without a value is filled
with a placeholder for the rest of the check.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dlt.destinations.exceptions import DatabaseUndefinedRelation

from replenit_destination.destinations.looking import claim_given_back
from replenit_destination.destinations.lost_ledger import lost_ledger
from replenit_destination.destinations.setup import Setup, client_of, find_pipeline
from replenit_destination.exceptions import (
    ActivationError,
    ChoiceNeededError,
    LedgerBusyError,
    MappingError,
    MissingSettingsError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dlt import Pipeline

    from replenit_destination.destinations.client import ReplenitClient
    from replenit_destination.destinations.configuration import ReplenitClientConfiguration
    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.inspection import Inspection

__all__ = ["Check", "Level", "Remark", "check"]

_PLACEHOLDERS = {
    "api_key": "none",
    "tenant_id": "00000000-0000-0000-0000-000000000000",
    "customer_identifier_priority": "email",
    "guests": "drop",
}
_LIVE = "https://api.replen.it"


class Level(StrEnum):
    """What a remark asks for."""

    FINE = "fine"
    NOTE = "note"  # worth knowing, nothing to do
    WARNING = "warning"  # a push runs, but perhaps not as meant
    FAULT = "fault"  # a push cannot run


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was looked at: the area, the level, and a sentence that says what to do."""

    area: str
    level: Level
    text: str


@dataclass(slots=True)
class Check:
    """What was found, in the order in which a push would need it."""

    pipeline: str
    remarks: list[Remark] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0: a push can run; 1: it can, look at the warnings first; 2: it cannot."""
        levels = {one.level for one in self.remarks}
        return 2 if Level.FAULT in levels else int(Level.WARNING in levels)

    def add(self, area: str, level: Level, text: str) -> None:
        """Add a remark."""
        self.remarks.append(Remark(area, level, text))

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "pipeline": self.pipeline,
            "exit_code": self.exit_code,
            "remarks": [
                {"area": one.area, "level": str(one.level), "text": one.text}
                for one in self.remarks
            ],
        }


def check(
    pipeline: Pipeline | str | None = None,
    *,
    online: bool = False,
    pipelines_dir: str | Path | None = None,
) -> Check:
    """Look at settings, mapping, tables, ledger and quota, and say what to do about each.

    Nothing is staged or recorded. Without `online` nothing is sent either.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        online: Try key and tenant with an upsert of no customers, the least harmful request that
            the service documents. It counts as one request.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Raises:
        SettingsError: There is no such pipeline, or it does not deliver to Replenit.
    """
    from replenit_destination.engine.clock import SystemClock

    found = find_pipeline(pipeline, pipelines_dir)
    client = client_of(found)
    client.config.lock_wait_seconds = 0  # a push that is under way is not asked to give way
    made = Check(found.pipeline_name)
    usable = _settings(made, client.config)
    if usable:
        _access(made, client.config, online=online)
    if found.has_pending_data:
        text = "load packages are not staged yet; run the pipeline to include them"
        made.add("pipeline", Level.WARNING, text)
    if warning := lost_ledger(found):
        made.add("ledger", Level.WARNING, warning)
    if usable and client.config.mapping:
        _tables(made, client, found, SystemClock())
    return made


# -- settings


def _settings(made: Check, config: ReplenitClientConfiguration) -> bool:
    """Tell what is missing or undecided, fill it, and return whether the check can go on."""
    try:
        config.target_settings()
    except MissingSettingsError as error:
        open_ones = error.missing
    except ChoiceNeededError as error:
        open_ones = error.questions
    except SettingsError as error:
        made.add("settings", Level.FAULT, str(error))
        return False
    else:
        made.add("settings", Level.FINE, f"complete; delivers to {config.base_url or _LIVE}")
        if (config.base_url or _LIVE) != _LIVE:
            text = "not Replenit's own address: what is accepted there says nothing of Replenit"
            made.add("settings", Level.NOTE, text)
        return True
    for name, sentence in open_ones.items():
        made.add("settings", Level.FAULT, f"{name}: {sentence}")
        if name in _PLACEHOLDERS:
            setattr(config, name, _PLACEHOLDERS[name])
    mapping, config.mapping = config.mapping, config.mapping or {}
    try:
        config.target_settings()
    except (MissingSettingsError, ChoiceNeededError):
        # The answer to one question may raise another; both are asked when the first is answered.
        return False
    except SettingsError as error:
        made.add("settings", Level.FAULT, str(error))
        return False
    finally:
        config.mapping = mapping
    return True


def _access(made: Check, config: ReplenitClientConfiguration, *, online: bool) -> None:
    """Tell what can be known of key and tenant."""
    key = str(config.api_key or "").strip()
    if key == _PLACEHOLDERS["api_key"] or config.tenant_id == _PLACEHOLDERS["tenant_id"]:
        return
    if not _is_base64(key):
        text = (
            "api_key: Replenit's keys are base64 text and this is none; copy it again, as a whole"
        )
        made.add("access", Level.WARNING, text)
    if not online:
        text = (
            "key and tenant look right; whether Replenit takes them cannot be seen without a "
            "request: `check --online` sends an upsert of no customers"
        )
        made.add("access", Level.NOTE, text)
        return
    _try_access(made, config)


def _try_access(made: Check, config: ReplenitClientConfiguration) -> None:
    import time

    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.options import PushOptions
    from replenit_destination.engine.quota import Wait
    from replenit_destination.engine.workplace import windows_of
    from replenit_destination.targets.replenit.api import HttpTransport
    from replenit_destination.targets.replenit.credentials import try_access
    from replenit_destination.targets.replenit.target import ReplenitTarget

    settings = config.target_settings()
    target, options = ReplenitTarget(settings), PushOptions()
    folder = config.ledger_path.parent
    with windows_of(target, folder, None, clock=SystemClock(), options=options) as quota:
        granted = quota.acquire()
        if isinstance(granted, Wait):
            text = f"not tried: the account's quota is used up for {granted.seconds:.0f} s"
            made.add("access", Level.WARNING, text)
            return
        with HttpTransport(settings) as transport:
            found = try_access(settings, config.transport or transport, now=time.time())
        quota.settle(granted)
    level = {True: Level.FINE, False: Level.FAULT, None: Level.WARNING}[found.granted]
    made.add("access", level, found.text)


def _is_base64(key: str) -> bool:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


# -- mapping, tables, ledger, quota


def _tables(made: Check, client: ReplenitClient, pipeline: Pipeline, clock: Clock) -> None:
    from replenit_destination.engine.inspection import inspect

    database = client.config.database
    if database is not None and not database.exists():
        text = "nothing has been staged yet: run the pipeline once, then check the mapping"
        made.add("mapping", Level.WARNING, text)
        return
    try:
        with claim_given_back(client), client:
            setup = Setup.of(client, pipeline)
            found = inspect(
                setup.staged,
                setup.target,
                setup.mapping,
                ledger=setup.ledger,
                clock=clock,
                options=setup.options,
            )
            loads = _loads(client)
    except MappingError as error:
        for fault in error.faults:
            made.add("mapping", Level.FAULT, str(fault))
        return
    except LedgerBusyError as error:
        made.add("ledger", Level.WARNING, f"tables and ledger were not looked at: {error}")
        return
    except ActivationError as error:
        made.add("ledger", Level.FAULT, str(error))
        return
    _mapping(made, found, setup)
    _ledger(made, found, setup, loads)
    _quota(made, setup, clock)


def _mapping(made: Check, found: Inspection, setup: Setup) -> None:
    for fault in found.faults:
        made.add("mapping", Level.FAULT, str(fault))
    for name, rows in found.rows.items():
        made.add("mapping", Level.FINE, f"{name}: fits its tables, {_counted(rows, 'row')}")
    for name in found.absent:
        text = f"{name}: the table `{setup.mapping[name].table}` is not in the dataset yet"
        made.add("mapping", Level.WARNING, f"{text}; nothing of it is sent until it is")
    for spec in setup.target.entities:
        if spec.name not in setup.mapping:
            made.add("mapping", Level.NOTE, f"{spec.name}: not mapped, so none are sent")
    for notice in found.notices:
        made.add("mapping", Level.NOTE, f"{notice}")
    for name, reasons in found.changed.items():
        text = (
            f"{name}: held, because its tables changed: {'; '.join(reasons)}. Correct the mapping, "
            "or push with --accept-schema"
        )
        made.add("schema", Level.WARNING, text)
    if found.rows and not found.changed:
        made.add("schema", Level.FINE, "the tables are as the mapping was last let read them")


def _ledger(made: Check, found: Inspection, setup: Setup, loads: int) -> None:
    known = ", ".join(f"{_counted(n, name)}" for name, n in _named(found.sent))
    if found.sent:
        made.add("ledger", Level.FINE, f"knows {known} at this tenant")
    elif loads and not found.runs and setup.ledger.exists():
        text = (
            f"knows nothing of this tenant at {setup.target.host}, although "
            f"{_counted(loads, 'load')} are staged: the first push sends everything. If Replenit "
            "has it already, run `dlt replenit adopt` first"
        )
        made.add("ledger", Level.WARNING, text)
    elif not any(one.area == "ledger" for one in made.remarks):
        made.add(
            "ledger", Level.FINE, "empty: nothing was ever delivered, the first push sends all"
        )
    if setup.config.deliver == "manual":
        made.add("pipeline", Level.NOTE, 'deliver = "manual": loads only stage, `push` delivers')


def _named(sent: dict[str, int]) -> Iterable[tuple[str, int]]:
    return sorted((name.removesuffix("s"), count) for name, count in sent.items())


def _quota(made: Check, setup: Setup, clock: Clock) -> None:
    from replenit_destination.engine.quota_use import window_uses

    share = setup.options.quota_share
    for one in window_uses(setup.target, setup.ledger.parent, clock=clock, share=share):
        level = Level.FINE if one.free else Level.NOTE
        made.add("quota", level, f"{one} (our share of {one.limit})")


def _loads(client: ReplenitClient) -> int:
    """Return how many loads are in the dataset."""
    table = client.sql_client.make_qualified_table_name("_dlt_loads")
    try:
        rows = client.sql_client.execute_sql(f"SELECT count(*) FROM {table}")
    except DatabaseUndefinedRelation:
        return 0
    return int(rows[0][0]) if rows else 0


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
