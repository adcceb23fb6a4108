"""Whether today's changes are as many as on other days like it.

A shop's week has a shape, so today is compared with the same weekday of the last weeks, up to the
same time of day. Days are counted in UTC: the shape is the same wherever a day is said to begin.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from replenit_destination.engine.alarms import Alarm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replenit_destination.engine.ledger import Ledger

__all__ = ["volume_alarms"]

DAY_SECONDS = 86_400
WEEKS = 8
MIN_DAYS = 3  # fewer say nothing about what is usual
USUAL = 10  # changes of a usual day from which on none at all is strange
MANY = 100  # changes that are worth a word whatever is usual

_DELIVERED = ("created", "updated", "deleted", "children_deleted")


def volume_alarms(ledger: Ledger, changes: Mapping[str, int], factor: float) -> list[Alarm]:
    """Return which entities changed unusually much, or not at all.

    Args:
        ledger: Its runs are the measure.
        changes: Entity → what this run delivered of it; the run itself is not on record yet.
        factor: How many times the median is too many; 0 asks nothing.
    """
    if not factor:
        return []
    now = ledger.clock.now()
    today = int(now // DAY_SECONDS)
    found = []
    days = _days(ledger, now)
    for name, delivered in sorted(changes.items()):
        earlier = [count for day, count in days.get(name, {}).items() if day < today]
        if len(earlier) < MIN_DAYS:
            continue
        usual = median(earlier)
        count = delivered + days[name].get(today, 0)
        measure = f"the median of {len(earlier)} such weekdays at this hour is {usual:,.0f}"
        if count == 0 and usual >= USUAL:
            found.append(Alarm("volume", name, f"nothing changed today; {measure}"))
        elif count > MANY and count > factor * usual:
            found.append(Alarm("volume", name, f"{count:,} changes today; {measure}"))
    return found


def _days(ledger: Ledger, now: float) -> dict[str, dict[int, int]]:
    """Return, per entity, day → changes up to this time of day, of weekdays like today."""
    counted = " + ".join(f"coalesce((one.value->>'$.{name}')::BIGINT, 0)" for name in _DELIVERED)
    rows = ledger.connection.execute(
        f"""
        WITH finished AS (
          SELECT epoch(finished_at)::BIGINT AS moment, report
          FROM {ledger.schema}.run
          WHERE account = $account AND report IS NOT NULL
            AND finished_at >= to_timestamp($now - {WEEKS * 7 * DAY_SECONDS})
        )
        SELECT one.key, moment // {DAY_SECONDS}, sum({counted})
        FROM finished, json_each(finished.report, '$.entities') AS one
        WHERE (moment // {DAY_SECONDS} - $now // {DAY_SECONDS}) % 7 = 0
          AND moment % {DAY_SECONDS} <= $now % {DAY_SECONDS}
        GROUP BY ALL
        """,
        {"account": ledger.account, "now": int(now)},
    ).fetchall()
    found: dict[str, dict[int, int]] = {}
    for name, day, count in rows:
        found.setdefault(name, {})[int(day)] = int(count)
    return found
