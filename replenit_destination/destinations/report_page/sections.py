"""What the page says in words and tables: the headline, what needs a person, what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replenit_destination.destinations.report_page.elements import Html, join, prose, table, tag
from replenit_destination.destinations.report_page.scales import day, duration, moment, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replenit_destination.engine.past_runs import PastRun

__all__ = ["attention", "entities", "headline", "left_out", "runs_table", "tiles"]

STATES = {
    0: ("good", "Everything is delivered"),
    1: ("warn", "Delivered, but not everything"),
    2: ("bad", "Stopped by an error"),
    3: ("wait", "Stopped before the end; run again to go on"),
}
_COLUMNS = (
    ("created", "Created"),
    ("updated", "Updated"),
    ("unchanged", "Unchanged"),
    ("deleted", "Deleted"),
    ("children_deleted", "Lines gone"),
    ("withheld", "Withheld"),
    ("skipped", "Skipped"),
    ("rejected", "Rejected by us"),
    ("quarantined", "Refused by the vendor"),
    ("backlog", "Waiting"),
    ("unconfirmed", "Not counted"),
    ("stale", "Older at the vendor"),
    ("never_delivered", "Never delivered"),
)
_ALWAYS = frozenset({"created", "updated", "unchanged", "deleted"})
_WHAT = {
    "omitted": "left out of the document",
    "dropped": "line dropped",
    "emptied": "turned empty",
    "warnings": "warning",
    "skipped": "row skipped",
}


def headline(run: PastRun) -> Html:
    """Return the state of a run, when it was and how long it took."""
    kind, words = STATES.get(run.report.get("exit_code", 2), STATES[2])
    took = f", took {duration(run.finished - run.started)}" if run.finished else ""
    return join(
        [
            tag("p", tag("strong", words), class_=f"state {kind}"),
            tag("p", f"{moment(run.started)}{took}. Run ", tag("code", run.run[:8]), class_="when"),
        ]
    )


def tiles(report: dict[str, Any]) -> Html:
    """Return the few numbers one looks for first."""
    entities = report["entities"].values()
    delivery = report.get("delivery", {})

    def total(*names: str) -> int:
        return sum(one.get(name, 0) for one in entities for name in names)

    throttled = report.get("throttled", 0)
    refused, waiting = total("rejected", "quarantined"), total("backlog")
    median = delivery.get("latency_seconds", {}).get("p50", 0.0)
    told = [
        ("Delivered", f"{total('created', 'updated'):,}", "documents", ""),
        ("Removed", f"{total('deleted', 'children_deleted'):,}", "documents and lines", ""),
        ("Requests", f"{report['requests']:,}", _requests(report, throttled), ""),
        ("Answer time", duration(median) if median else "none", "median", ""),
        ("Refused", f"{refused:,}", "stand refused", "bad" if refused else ""),
        ("Waiting", f"{waiting:,}", "for the next run", "wait" if waiting else ""),
    ]
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", tag("b", value), note), class_=f"tile {kind}")
            for name, value, note, kind in told
        ),
        class_="tiles",
    )


def _requests(report: dict[str, Any], throttled: int) -> str:
    waits = f", {throttled} throttled" if throttled else ""
    return f"{size(report.get('bytes', 0))}{waits}"


def entities(report: dict[str, Any]) -> Html:
    """Return the counts per entity; columns without a count are left out."""
    found = report["entities"]
    shown = [
        (key, name)
        for key, name in _COLUMNS
        if key in _ALWAYS or any(one.get(key) for one in found.values())
    ]
    rows = [[name, *(one.get(key, 0) for key, _ in shown)] for name, one in found.items()]
    head = ["Entity", *(name for _, name in shown)]
    return table("Counts per entity", head, rows, numbers=1)


def attention(report: dict[str, Any]) -> Html | None:
    """Return what a person should look at, and the word that lets it go; None when nothing."""
    parts: list[Html] = []
    if report.get("error"):
        parts.append(_notice("bad", "The run ended with an error", report["error"]))
    parts += [
        _notice("warn", f"Alarm: {one['kind']}", f"{one['entity'] or 'all'}: {one['text']}")
        for one in report.get("alarms", ())
    ]
    parts += [_withheld(one) for one in report.get("withheld", ())]
    parts += [_held(one) for one in report.get("held", ())]
    parts += [
        _notice(
            "warn",
            f"{one['count']:,} {one['entity']} accepted and not counted",
            "The vendor took the requests and counted fewer documents than were in them.",
            flag="push(confirm=True)",
            does="finds out which",
            samples=one["samples"],
        )
        for one in report.get("unconfirmed", ())
    ]
    if refused := _refusals(report.get("refusals", ())):
        parts.append(refused)
    return join(parts) if parts else None


def _withheld(one: dict[str, Any]) -> Html:
    what = "line removals" if one["children"] else "removals"
    return _notice(
        "warn",
        f"{one['count']:,} {what} of {one['entity']} withheld",
        one["reason"],
        flag=f"--allow-removals {one['entity']}",
        does="lets them go once",
        samples=one["samples"],
    )


def _held(one: dict[str, Any]) -> Html:
    why = (
        "Only a new mapping or setting changed them."
        if one["kind"] == "resend"
        else "; ".join(one["reasons"])
    )
    requests = "1 request" if one["requests"] == 1 else f"{one['requests']:,} requests"
    price = f"costs {requests}, about {one['minutes']:.0f} minutes of quota"
    accept = one["accept"]
    return _notice(
        "warn",
        f"{one['documents']:,} of {one['of']:,} {one['entity']} held",
        why,
        flag=f"--{accept.replace('_', '-')}" if accept else "",
        does=price if accept else "",
    )


def _notice(
    kind: str,
    title: str,
    text: str,
    *,
    flag: str = "",
    does: str = "",
    samples: Sequence[str] = (),
) -> Html:
    words = tag("p", tag("code", flag), f" {does}") if flag else None
    named = tag("p", "For instance ", _codes(samples), class_="quiet") if samples else None
    return tag(
        "div", tag("h3", title), tag("p", prose(text)), words, named, class_=f"notice {kind}"
    )


def _refusals(refusals: Sequence[dict[str, Any]]) -> Html | None:
    if not refusals:
        return None
    most = max(one["count"] for one in refusals)
    rows = [
        (
            join([tag("b", one["field"] or "document"), " ", prose(one["reason"])]),
            one["entity"],
            tag("span", _meter(one["count"], most), f"{one['count']:,}", class_="line"),
            _codes(one["samples"]),
        )
        for one in sorted(refusals, key=lambda one: (-one["count"], one["entity"], one["field"]))
    ]
    head = ["Reason", "Entity", "Documents", "Examples, as key hashes"]
    return join([tag("h3", "Refused, by reason"), table("Refused documents by reason", head, rows)])


def _meter(count: int, most: int) -> Html:
    return tag("span", class_="meter", style=f"--part:{count / most:.3f}", aria_hidden="true")


def left_out(report: dict[str, Any]) -> Html | None:
    """Return what travelled without something, points nowhere, or counts as empty; or None."""
    parts = []
    if lost := report.get("left_out"):
        rows = [
            (one["field"], one["entity"], one["count"], _WHAT.get(one["what"], one["what"]),
             one["reason"])
            for one in sorted(lost, key=lambda one: -one["count"])
        ]  # fmt: skip
        head = ["Field", "Entity", "Documents", "What became of it", "Why"]
        parts.append(table("What documents travelled without, and rows skipped", head, rows))
    parts += [
        tag(
            "p",
            f"{one['documents']:,} {one['entity']} refer to {one['references']:,} "
            f"{one['refers_to']} that the catalogue does not have.",
        )
        for one in report.get("absent", ())
    ]
    if notices := report.get("notices"):
        parts.append(tag("ul", *(tag("li", prose(text)) for text in notices)))
    return join(parts) if parts else None


def runs_table(runs: Iterable[PastRun]) -> Html:
    """Return a row per run, the newest first."""
    rows = []
    for run in reversed(list(runs)):
        kind, words = STATES.get(run.report.get("exit_code", 2), STATES[2])
        counted = run.report["entities"].values()

        def total(*names: str, of: Iterable[dict[str, Any]] = counted) -> int:
            return sum(one.get(name, 0) for one in of for name in names)

        rows.append(
            (
                day(run.started),
                tag("span", words.partition(";")[0], class_=f"pill {kind}"),
                total("created"),
                total("updated"),
                total("deleted", "children_deleted"),
                total("rejected", "quarantined"),
                total("backlog"),
                run.report["requests"],
                duration(sum(run.report["seconds"].values())),
                tag("code", run.run[:8]),
            )
        )
    head = ["Began, UTC", "Result", "Created", "Updated", "Removed", "Refused", "Waiting"]
    return table("Runs", [*head, "Requests", "Time", "Run"], rows, numbers=2)


def _codes(samples: Sequence[str]) -> Html:
    return join(part for one in samples for part in (tag("code", one), " "))
