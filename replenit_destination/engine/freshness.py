"""How old the newest of everything is: what the vendor accepted last, what was staged last.

A source that stands still and a delivery that is stuck look the same at the vendor; here they are
told apart. The same question separates documents that are older at the vendor than at home from
those it never had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.engine.alarms import Alarm

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from replenit_destination.engine.ledger import Ledger

__all__ = ["Standing", "freshness_alarms", "newest_load", "standings"]

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Standing:
    """How one entity stands at the vendor.

    `accepted` and `staged` are Unix seconds of the newest accepted document and of the newest load
    that was compared; None is never. `stale` documents are at the vendor in an older version, or
    may be; `never_delivered` ones are not there at all. Both wait, or stand refused.
    """

    accepted: float | None = None
    staged: float | None = None
    stale: int = 0
    never_delivered: int = 0


def standings(
    ledger: Ledger, entities: Collection[str], staged: Mapping[str, float]
) -> dict[str, Standing]:
    """Return how each entity stands.

    Args:
        ledger: Folded.
        entities: The mapped ones.
        staged: Entity → the newest load that this run compared, Unix seconds.
    """
    kept = f"{ledger.schema}.entry WHERE account = ?"
    waits = "(backlog <> 'withheld' OR refusal <> 'skipped')"
    rows = ledger.connection.execute(
        "SELECT entity, epoch(max(accepted_at)),"
        f" count(*) FILTER (WHERE sent AND coalesce({waits}, false)),"
        f" count(*) FILTER (WHERE NOT sent AND coalesce({waits}, false))"
        f" FROM {kept} GROUP BY entity",
        [ledger.account],
    ).fetchall()
    found = {name: (accepted, stale, never) for name, accepted, stale, never in rows}
    loads = ledger.connection.execute(
        "SELECT entity, max(try_cast(load_id AS DOUBLE))"
        f" FROM {ledger.schema}.processed WHERE account = ? GROUP BY entity",
        [ledger.account],
    ).fetchall()
    before = {name: load for name, load in loads if load is not None}
    standing = {}
    for name in entities:
        accepted, stale, never = found.get(name, (None, 0, 0))
        known = [load for load in (before.get(name), staged.get(name)) if load is not None]
        standing[name] = Standing(accepted, max(known, default=None), stale, never)
    return standing


def newest_load(load_ids: Iterable[str]) -> float | None:
    """Return when the newest of dlt's loads began, Unix seconds; None when no id tells."""
    moments = []
    for load_id in load_ids:
        try:
            moments.append(float(load_id))
        except ValueError:  # tables of other origin have other ids, or none
            continue
    return max(moments, default=None)


def freshness_alarms(
    hours: Mapping[str, float], standing: Mapping[str, Standing], now: float
) -> list[Alarm]:
    """Return which entities are silent for too long, and on which side of us.

    Rows that were staged lately and changed nothing are no silence: the source speaks, and the
    vendor has it all.
    """
    found = []
    for name, limit in sorted(hours.items()):
        one = standing.get(name, Standing())
        waits = one.stale + one.never_delivered
        staged_lately = one.staged is not None and now - one.staged <= limit * HOUR_SECONDS
        newest = one.accepted
        if staged_lately and not waits:
            continue
        if newest is not None and now - newest <= limit * HOUR_SECONDS:
            continue
        silence = "nothing was ever accepted" if newest is None else _silence(now - newest)
        why = (
            f"rows were staged, and {waits:,} documents wait or stand refused"
            if staged_lately
            else "no new rows were staged either: the source or its schedule stands still"
        )
        found.append(Alarm("freshness", name, f"{silence}, {limit:g} hours are allowed; {why}"))
    return found


def _silence(seconds: float) -> str:
    return f"nothing was accepted for {seconds / HOUR_SECONDS:.0f} hours"
