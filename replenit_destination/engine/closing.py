"""Completes a run's report from what the ledger holds at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.adopted import NOT_ADOPTED
from replenit_destination.engine.alarms import refusal_alarms
from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.erasures import Erasures
from replenit_destination.engine.freshness import freshness_alarms, newest_load, standings
from replenit_destination.engine.last_run import keep_last_run
from replenit_destination.engine.references import absent_references
from replenit_destination.engine.report import EntityReport
from replenit_destination.engine.tombstones import FORGOTTEN
from replenit_destination.engine.volume import volume_alarms

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from replenit_destination.engine.diff import Comparison
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.target import EntitySpec, Target

__all__ = ["conclude", "finish"]

_OF_THIS_RUN = ("created", "updated", "deleted", "children_deleted", "unconfirmed")
_COUNTED_AS = {"suspect": "quarantined"}


def conclude(
    report: Report,
    ledger: Ledger,
    counts: Mapping[tuple[str, str], int],
    compared: Mapping[str, Comparison],
    specs: Mapping[str, EntitySpec],
    entities: Collection[str],
) -> None:
    """Fill in the counts of every entity, what stands refused and what was not counted.

    Args:
        report: Is changed.
        ledger: Folded.
        counts: (entity, counter) → what was accepted in this run.
        compared: Entity → its comparison, where there was one.
        specs: The target's entities.
        entities: The mapped ones.
    """
    standing = ledger.counts()
    for name in entities:
        one = report.entities.setdefault(name, EntityReport())
        for counter in _OF_THIS_RUN:
            setattr(one, counter, counts.get((name, counter), 0))
        now = standing.get(name, {})
        one.backlog = now.get("backlog", 0)
        one.withheld = sum(w.count for w in report.withheld if w.entity == name)
        one.unchanged = max(0, now.get("settled", 0) - one.created - one.updated)
        if name in compared:
            one.compared = compared[name].scope.reason or ""
    _refusals(report, ledger)
    for name in compared:
        if count := compared[name].forgotten:
            report.entities[name].skipped += count
            report.left_out[name, "skipped", specs[name].key, FORGOTTEN] = count
    report.notices += Erasures(ledger).notices()
    _warn(report, ledger, compared)
    report.absent = list(absent_references(ledger, specs, entities, standing))
    report.unconfirmed = {
        entity: (count, tuple(key_hash(entity, key) for key in keys))
        for entity, count, keys in ledger.connection.execute(
            "SELECT entity, count(*), list(key ORDER BY key)[:3]"
            f" FROM {ledger.schema}.entry WHERE account = ? AND sent AND NOT confirmed"
            # What stands refused or skipped is told as such: no push would send it to be counted.
            f" AND refusal IS NULL AND {NOT_ADOPTED}"
            " GROUP BY ALL",
            [ledger.account],
        ).fetchall()
        if entity in report.entities
    }


def finish(report: Report, ledger: Ledger, target: Target) -> None:
    """Store the report in the ledger, and beside it for whoever asks while the next run has it."""
    told = report.to_dict()
    ledger.finish_run(told)
    keep_last_run(ledger.file.path, target, told, moment=ledger.clock.now())


def _warn(report: Report, ledger: Ledger, compared: Mapping[str, Comparison]) -> None:
    """Fill in how each entity stands at the vendor, and what that is to be warned of."""
    staged = {
        name: newest
        for name, one in compared.items()
        if (newest := newest_load(load for loads in one.scope.tables.values() for load in loads))
    }
    standing = standings(ledger, report.entities, staged)
    for name, one in report.entities.items():
        now = standing[name]
        one.stale, one.never_delivered = now.stale, now.never_delivered
        one.accepted_at, one.staged_at = now.accepted, now.staged
    rules = report.rules
    changes = {name: one.delivered for name, one in report.entities.items()}
    report.alarms = [
        *refusal_alarms(rules, report.entities),
        *freshness_alarms(rules.freshness_hours, standing, ledger.clock.now()),
        *volume_alarms(ledger, changes, rules.volume_factor),
    ]


def _refusals(report: Report, ledger: Ledger) -> None:
    for entity, refusal, field, reason, count, keys in ledger.refusals():
        if entity not in report.entities:
            continue
        one, counter = report.entities[entity], _COUNTED_AS.get(refusal, refusal)
        setattr(one, counter, getattr(one, counter) + count)
        if counter == "skipped":
            report.left_out[entity, counter, field, reason] = count
        else:
            place = (entity, field, reason)
            report.refusals[place] = report.refusals.get(place, 0) + count
            report.samples[place] = tuple(key_hash(entity, key) for key in keys)
