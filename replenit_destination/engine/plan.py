"""What a push would do now, and what it would cost; nothing is sent and nothing is written.

The push itself is rehearsed (`rehearsal`), so a plan counts what the push would. What it cannot
know is how the service answers: it takes every document for accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from replenit_destination.engine.binding import Tables, bind
from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.marks import Changes, changes
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.quota_use import window_uses
from replenit_destination.engine.rehearsal import rehearsing
from replenit_destination.engine.report import COUNTERS, sized
from replenit_destination.exceptions import MappingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from replenit_destination.engine.bound import BoundEntity
    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.quota_use import WindowUse
    from replenit_destination.engine.rehearsal import Rehearsal
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import Target

__all__ = ["EntityPlan", "Plan", "Price", "plan"]

SAMPLES = 3
_MARKS, _BEFORE = "source_mark", "source_mark_before"


@dataclass(frozen=True, slots=True)
class Price:
    """What a push costs.

    `enrichments` are upserts that the vendor enriches, `seconds` is the time of the delivery,
    `waiting_seconds` of it waiting for the quota, `finish` when it would end, in Unix seconds.
    """

    requests: int
    bytes: int
    enrichments: int
    seconds: float
    waiting_seconds: float
    finish: float
    windows: tuple[WindowUse, ...] = ()

    @property
    def minutes(self) -> float:
        """The time of the delivery."""
        return self.seconds / 60

    @property
    def finish_at(self) -> datetime:
        """When the push would end, in UTC."""
        return datetime.fromtimestamp(self.finish, UTC)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "enrichments": self.enrichments,
            "minutes": round(self.minutes, 1),
            "waiting_minutes": round(self.waiting_seconds / 60, 1),
            "finish": f"{self.finish_at:%Y-%m-%dT%H:%M:%SZ}",
            "windows": [one.to_dict() for one in self.windows],
        }


@dataclass(frozen=True, slots=True)
class EntityPlan:
    """What a plan knows of one entity beyond the report's counts.

    `changed` is field → updated documents in which it changes; of `changed_unknown` updated ones
    it is not known. `samples` is `created`, `updated` and `deleted` → key hashes.
    """

    requests: int = 0
    bytes: int = 0
    changed: Mapping[str, int] = field(default_factory=dict)
    changed_unknown: int = 0
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "changed": dict(sorted(self.changed.items(), key=lambda pair: (-pair[1], pair[0]))),
            "changed_unknown": self.changed_unknown,
            "samples": {name: list(hashes) for name, hashes in self.samples.items()},
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push would do.

    `report` is the one that it would return if the vendor took everything; its times are not those
    of a real run.
    """

    report: Report
    price: Price
    entities: Mapping[str, EntityPlan]

    @property
    def exit_code(self) -> int:
        """The exit code of such a push; the codes are in `report.EXIT_CODES`."""
        return self.report.exit_code

    def of(self, entity: str) -> EntityPlan:
        """Return what the plan knows of one entity."""
        return self.entities.get(entity, EntityPlan())

    @property
    def headline(self) -> str:
        """The price in one sentence."""
        price = self.price
        if not price.requests:
            return "a push now would send nothing"
        told = (
            f"a push now would send {_counted(price.requests, 'request')}"
            f" ({sized(price.bytes)}) in {_span(price.seconds)},"
            f" until {price.finish_at:%Y-%m-%d %H:%M} UTC"
        )
        if price.enrichments:
            told += f"; {_counted(price.enrichments, 'enrichment')} at the vendor"
        if self.report.halted:
            told += f"; it would stop before the end ({self.report.halted})"
        return told

    def changed_rows(self, most: int) -> list[tuple[str, str, int]]:
        """Return (entity, field, updated documents), the commonest changes of each entity first."""
        rows = []
        for name, one in sorted(self.entities.items()):
            fields = sorted(one.changed.items(), key=lambda pair: (-pair[1], pair[0]))
            rows += [(name, what, count) for what, count in fields[:most]]
            rest = fields[most:]
            if rest:
                rows.append((name, f"{len(rest)} more fields", max(count for _, count in rest)))
            if one.changed_unknown:
                rows.append((name, "not known", one.changed_unknown))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON values; `docs/plan.md` explains every key."""
        report = self.report.to_dict()
        kept = (*COUNTERS, "unconfirmed", "compared")
        counts = {
            name: {**{key: one[key] for key in kept}, **self.of(name).to_dict()}
            for name, one in report["entities"].items()
        }
        told = ("withheld", "held", "refusals", "left_out", "unconfirmed", "absent", "notices")
        return {
            "target": self.report.target,
            "tenant": self.report.tenant,
            "exit_code": self.exit_code,
            "halted": self.report.halted,
            "price": self.price.to_dict(),
            "entities": counts,
            **{name: report[name] for name in told},
        }


def plan(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    *,
    ledger: Path,
    clock: Clock,
    options: PushOptions | None = None,
) -> Plan:
    """Return what `run.push` would do with the same arguments.

    Args:
        staged: The tables; only read.
        target: The vendor; nothing is sent to it.
        mapping: Entity → how its documents are made, as `Mapping.entities` returns it.
        ledger: The ledger's file; only read. The account's quota lies beside it.
        clock: Time.
        options: See `PushOptions`.

    Raises:
        MappingError: The mapping does not fit the tables.
        LedgerError: The ledger or the database is in use, or newer than this program.
        StorageError: The disk is full.
    """
    options = options or PushOptions()
    with rehearsing(staged, target, ledger=ledger, clock=clock, options=options) as rehearsal:
        windows = window_uses(target, ledger.parent, clock=clock, share=options.quota_share)
        _keep_marks(rehearsal)
        report = rehearsal.push(mapping)
        entities = {
            name: _of_entity(rehearsal, name, found)
            for name, found in _changes(rehearsal, mapping).items()
        }
        return Plan(report, _price(rehearsal, windows), entities)


def _price(rehearsal: Rehearsal, windows: tuple[WindowUse, ...]) -> Price:
    enriched = {spec.name for spec in rehearsal.target.entities if spec.enriched}
    sendings = rehearsal.sendings
    return Price(
        requests=len(sendings),
        bytes=sum(one.bytes for one in sendings),
        enrichments=sum(
            one.documents for one in sendings if one.action == "upsert" and one.entity in enriched
        ),
        seconds=rehearsal.clock.passed_seconds,
        waiting_seconds=rehearsal.quota.waited_seconds,
        finish=rehearsal.clock.now(),
        windows=windows,
    )


def _of_entity(rehearsal: Rehearsal, name: str, found: Changes) -> EntityPlan:
    sendings = [one for one in rehearsal.sendings if one.entity == name]
    samples = {
        what: tuple(key_hash(name, key) for key in sorted(keys)[:SAMPLES])
        for what in ("created", "updated", "deleted")
        if (keys := rehearsal.keys.get((name, what)))
    }
    return EntityPlan(
        len(sendings), sum(one.bytes for one in sendings), found.fields, found.unknown, samples
    )


# -- changed fields


def _keep_marks(rehearsal: Rehearsal) -> None:
    """Keep the digests of every field as they are, in the copy: the push will overwrite them."""
    with rehearsal.opened() as (file, _):
        if _exists(file.connection, file.name, _MARKS):
            file.connection.execute(
                f"CREATE TABLE {file.schema}.{_BEFORE} AS FROM {file.schema}.{_MARKS}"
            )


def _changes(rehearsal: Rehearsal, mapping: Mapping[str, EntityMapping]) -> dict[str, Changes]:
    """Return per entity which fields its updates change, as far as the ledger can tell."""
    found = {}
    with rehearsal.opened() as (file, account), rehearsal.connection.cursor() as work:
        tables = Tables(work, _catalog(work), rehearsal.staged.dataset)
        known = _exists(work, file.name, _BEFORE) and _exists(work, file.name, _MARKS)
        for name, one in mapping.items():
            keys = rehearsal.keys.get((name, "updated"), [])
            found[name] = Changes({}, len(keys))
            entity = _bound(work, name, one, rehearsal.target, tables) if keys and known else None
            if entity is None or account is None:
                continue
            work.register("_updated", pa.table({"key": pa.array(keys, pa.string())}))
            found[name] = changes(
                work,
                entity,
                account,
                keys="FROM _updated",
                before=f"{file.schema}.{_BEFORE}",
                after=f"{file.schema}.{_MARKS}",
            )
            work.unregister("_updated")
    return found


def _bound(
    work: Any, name: str, mapping: EntityMapping, target: Target, tables: Tables
) -> BoundEntity | None:
    try:
        return bind(work, {name: mapping}, target.entities, tables).get(name)
    except MappingError:
        return None  # the source changed its shape; what travels all the same has no digests


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _span(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"about {_counted(minutes, 'minute')}"
    return f"about {seconds / 3600:.1f} hours"


def _catalog(work: Any) -> str:
    row = work.execute("SELECT current_database()").fetchone()
    return str(row[0]) if row else ""


def _exists(work: Any, database: str, table: str) -> bool:
    found = work.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND table_name = ?",
        [database, table],
    ).fetchone()
    return bool(found != (0,))
