"""The report's charts: what of a report, or of many, is drawn how, with the figures as a table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from replenit_destination.destinations.report_page.charts import (
    Level,
    Series,
    Ticks,
    bars,
    columns,
    curves,
    sized,
)
from replenit_destination.destinations.report_page.elements import Html, table, tag
from replenit_destination.destinations.report_page.scales import clock_marks, day, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.past_runs import PastRun

__all__ = [
    "CHANGES",
    "backlog_figure",
    "busiest_hour",
    "changes_figure",
    "changes_over_runs",
    "latency_figure",
    "latency_over_runs",
    "refused_figure",
    "requests_figure",
    "requests_over_runs",
    "steps_figure",
]

CHANGES = (
    ("created", "created", "c1"),
    ("updated", "updated", "c2"),
    ("deleted", "deleted", "c3"),
    ("children_deleted", "lines gone", "c4"),
)
_ENTITY_COLOURS = ("c1", "c2", "c3", "c4", "c5")
_STEPS = (("recover", "c4"), ("diff", "c2"), ("deliver", "c1"), ("record", "c3"))
_HOUR = 3600
_MOST_MINUTES = 180
_MINUTES_PER_COLUMN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 720, 1440)
_WIDE, _HALF = 1040, 500


def changes_figure(report: dict[str, Any]) -> Html:
    """Return what changed, a bar per entity; the numbers stand in the page's own table."""
    rows = [
        (name, [(words, colour, one[key]) for key, words, colour in CHANGES])
        for name, one in report["entities"].items()
    ]
    if not any(value for _, parts in rows for *_, value in parts):
        return tag("p", "Nothing had changed: every document is at the vendor as it is here.")
    label = "Accepted changes per entity"
    return tag(
        "figure",
        sized(lambda width: bars(label, rows, width=width), _WIDE),
        _legend([(words, colour) for _, words, colour in CHANGES if _any(rows, words)]),
    )


def requests_figure(report: dict[str, Any]) -> Html:
    """Return the requests of each minute against the account's quota."""
    delivery = report.get("delivery", {})
    counted = {int(minute): count for minute, count in delivery.get("requests_by_minute", [])}
    if not counted:
        return tag("p", "No request was needed.", class_="quiet")
    first, last = min(counted), max(counted)
    step = next(
        (s for s in _MINUTES_PER_COLUMN if (last - first) / s < _MOST_MINUTES),
        _MINUTES_PER_COLUMN[-1],
    )
    starts = list(range(first, last + 1, step))
    busiest = [float(max(counted.get(at + n, 0) for n in range(step))) for at in starts]
    quota = report.get("quota", {})
    limit = next((most for most, seconds in quota.get("windows", []) if seconds == 60), 0)
    share = quota.get("share", 1.0)
    levels = [Level(f"quota of the account, {limit} a minute", limit, "hard")]
    if share < 1:
        levels.append(Level(f"our share of it, {int(limit * share)}", limit * share, "soft"))
    if not limit:
        levels = []
    places = [day(at * 60) for at in starts]
    what = "requests" if step == 1 else f"requests in the busiest of {step} minutes"
    label = f"Requests per minute, {places[0]} to {places[-1]} UTC, the most in one: {max(busiest)}"

    def draw(width: int) -> Html:
        ticks = [
            ((at / 60 - first) / step, words)
            for at, words in clock_marks(first * 60, last * 60, width // 110)
        ]
        return columns(
            label,
            places,
            [Series(what, "c1", busiest)],
            width=width,
            below=ticks or [(0, places[0][-5:])],
            levels=levels,
        )

    rows = [(place, int(count)) for place, count in zip(places, busiest, strict=True) if count]
    legend = _legend([("requests", "c1"), *((one.name, f"{one.colour} line") for one in levels)])
    figures = _as_table("Requests", ["Minute, UTC", "Requests"], rows)
    return tag("figure", sized(draw, _WIDE), legend, figures)


def requests_over_runs(runs: Sequence[PastRun]) -> Html:
    """Return the requests of all runs by the minute, against the quota of the last one."""
    minutes: Counter[int] = Counter()
    for run in runs:
        for minute, count in run.report.get("delivery", {}).get("requests_by_minute", []):
            minutes[int(minute)] += count
    counted = {"requests_by_minute": sorted(minutes.items())}
    return requests_figure({"quota": runs[-1].report.get("quota", {}), "delivery": counted})


def busiest_hour(report: dict[str, Any]) -> Html | None:
    """Return how near the run came to the hour's quota, in a sentence."""
    counted = report.get("delivery", {}).get("requests_by_minute", [])
    limit = next((n for n, s in report.get("quota", {}).get("windows", []) if s == _HOUR), 0)
    if not counted or not limit:
        return None
    begins = [minute for minute, _ in counted]
    most = max(sum(n for at, n in counted if first <= at < first + 60) for first in begins)
    waited = report["delivery"].get("seconds_waiting_for_quota", 0.0)
    waits = f" The run waited {duration(waited)} for the quota." if waited else ""
    words = f"In its busiest hour the run made {most:,} of the account's {limit:,} requests.{waits}"
    return tag("p", words, class_="quiet")


def latency_figure(report: dict[str, Any]) -> Html:
    """Return how long the answers took."""
    delivery = report.get("delivery", {})
    fine = [(seconds, int(count)) for seconds, count in delivery.get("latency_histogram", [])]
    told = delivery.get("latency_seconds", {})
    if not fine:
        return tag("p", "No request was needed.", class_="quiet")
    # Buckets of a tenth are drawn without gaps, from the fastest to the slowest.
    buckets = _without_gaps(fine)
    places = [f"about {duration(seconds)}" for seconds, _ in buckets]
    names = {"p50": "half within", "p95": "95 % within", "max": "the slowest"}
    markers = [(_nearest(buckets, told[key]), key) for key in names]
    words = ", ".join(f"{name} {duration(told[key])} ({key})" for key, name in names.items())
    label = f"Answer times: {words}"

    def draw(width: int) -> Html:
        every = max(1, len(buckets) * 90 // width)
        ticks = [(at, duration(buckets[at][0])) for at in range(0, len(buckets), every)]
        series = [Series("requests", "c2", [float(count) for _, count in buckets])]
        return columns(label, places, series, width=width, below=ticks, markers=markers)

    rows = [(place, count) for place, (_, count) in zip(places, buckets, strict=True) if count]
    figures = _as_table("Answer times", ["Answer after", "Requests"], rows)
    caption = tag("p", f"{words[0].upper()}{words[1:]}.", class_="quiet")
    return tag("figure", sized(draw, _HALF), caption, figures)


def steps_figure(report: dict[str, Any]) -> Html:
    """Return how long each step took."""
    colours = dict(_STEPS)
    seconds = {**dict.fromkeys(colours, 0.0), **report.get("seconds", {})}
    waited = min(
        seconds["deliver"], report.get("delivery", {}).get("seconds_waiting_for_quota", 0.0)
    )
    rows = []
    for name, took in seconds.items():
        parts = [(name, colours.get(name, "c5"), took)]
        if name == "deliver" and waited >= 0.01 * took > 0:
            parts = [("sending", "c1", took - waited), ("waiting for quota", "c5", waited)]
        rows.append((name, parts))
    label = "Seconds per step: " + ", ".join(f"{name} {duration(t)}" for name, t in seconds.items())
    split = len(rows[2][1]) > 1
    return tag(
        "figure",
        sized(lambda width: bars(label, rows, width=width, says=duration), _HALF),
        _legend([("sending", "c1"), ("waiting for quota", "c5")]) if split else None,
        _as_table(
            "Seconds per step",
            ["Step", "Time"],
            [(part, duration(t)) for _, row in rows for part, _, t in row],
        ),
    )


def backlog_figure(runs: Sequence[PastRun]) -> Html:
    """Return what was left waiting after each run, a line per entity."""
    return _over_runs(runs, "Documents left waiting after each run", "waiting", ["backlog"])


def refused_figure(runs: Sequence[PastRun]) -> Html:
    """Return what stood refused after each run, a line per entity."""
    keys = ["rejected", "quarantined"]
    return _over_runs(runs, "Documents that stood refused after each run", "refused", keys)


def latency_over_runs(runs: Sequence[PastRun]) -> Html:
    """Return the median and the slow end of each run's answer times."""
    asked = [run for run in runs if run.report.get("requests")]
    if len(asked) < 2:
        return tag("p", "Fewer than two of these runs made a request.", class_="quiet")
    times = [run.report["delivery"]["latency_seconds"] for run in asked]
    series = [
        Series(words, colour, [float(one[key]) for one in times], duration)
        for key, words, colour in (("p50", "half within", "c2"), ("p95", "95 % within", "c3"))
    ]
    places = [day(run.started) for run in asked]
    label = f"Answer times of the last {len(asked)} runs that made requests"

    def draw(width: int) -> Html:
        ticks = _run_ticks(asked, width)
        return curves(label, places, series, width=width, below=ticks, says=duration)

    rows = [[p, *(duration(s.values[at]) for s in series)] for at, p in enumerate(places)]
    legend = _legend([(one.name, one.colour) for one in series])
    figures = _as_table(label, ["Run", *(one.name for one in series)], rows)
    return tag("figure", sized(draw, _HALF), legend, figures)


def changes_over_runs(runs: Sequence[PastRun]) -> Html:
    """Return how many changes each run delivered."""
    places = [day(run.started) for run in runs]
    series = [
        Series(
            words,
            colour,
            [float(sum(one[key] for one in run.report["entities"].values())) for run in runs],
        )
        for key, words, colour in CHANGES
    ]
    shown = [one for one in series if any(one.values)] or series[:1]
    label = f"Accepted changes of the last {len(runs)} runs"

    def draw(width: int) -> Html:
        return columns(label, places, shown, width=width, below=_run_ticks(runs, width))

    head = ["Run", *(one.name for one in shown)]
    rows = [[place, *(int(one.values[at]) for one in shown)] for at, place in enumerate(places)]
    legend = _legend([(one.name, one.colour) for one in shown])
    return tag("figure", sized(draw, _HALF), legend, _as_table(label, head, rows))


def _over_runs(runs: Sequence[PastRun], label: str, what: str, keys: list[str]) -> Html:
    places = [day(run.started) for run in runs]
    entities = sorted({name for run in runs for name in run.report["entities"]})
    series = [
        Series(
            f"{name} {what}",
            _ENTITY_COLOURS[number % len(_ENTITY_COLOURS)],
            [
                float(sum(run.report["entities"].get(name, {}).get(key, 0) for key in keys))
                for run in runs
            ],
        )
        for number, name in enumerate(entities)
    ]
    if not any(value for one in series for value in one.values):
        return tag("p", f"No document was {what} after any of these runs.", class_="quiet")

    def draw(width: int) -> Html:
        return curves(label, places, series, width=width, below=_run_ticks(runs, width))

    head = ["Run", *entities]
    rows = [[place, *(int(one.values[at]) for one in series)] for at, place in enumerate(places)]
    legend = _legend([(name, one.colour) for name, one in zip(entities, series, strict=True)])
    return tag("figure", sized(draw, _HALF), legend, _as_table(label, head, rows))


def _run_ticks(runs: Sequence[PastRun], width: int) -> Ticks:
    every = max(1, -(-len(runs) * 125 // width))
    return [(float(at), day(runs[at].started)) for at in range(0, len(runs), every)]


def _legend(entries: Sequence[tuple[str, str]]) -> Html:
    keys = [tag("li", tag("i", class_=colour), name) for name, colour in entries]
    return tag("ul", *keys, class_="legend", aria_hidden="true")


def _as_table(caption: str, head: list[str], rows: Sequence[Sequence[object]]) -> Html:
    return tag(
        "details", tag("summary", "The same as a table"), table(caption, head, rows, numbers=1)
    )


def _any(rows: list[tuple[str, list[tuple[str, str, float]]]], words: str) -> bool:
    return any(value for _, parts in rows for name, _, value in parts if name == words)


def _without_gaps(fine: list[tuple[float, int]]) -> list[tuple[float, int]]:
    buckets = [fine[0]]
    for seconds, count in fine[1:]:
        while buckets[-1][0] * 1.16 < seconds:
            buckets.append((buckets[-1][0] * 1.1, 0))
        buckets.append((seconds, count))
    return buckets


def _nearest(buckets: list[tuple[float, int]], seconds: float) -> float:
    return float(min(range(len(buckets)), key=lambda at: abs(buckets[at][0] - seconds)))
