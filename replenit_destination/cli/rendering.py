"""A report as tables for a terminal; where there is none, as the text it always was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from replenit_destination.cli.console import Console
    from replenit_destination.engine.report import Report

__all__ = ["report_tables", "show_report"]

_STATES = {
    0: ("green", "Everything is delivered"),
    1: ("yellow", "Delivered, but not everything"),
    2: ("red", "Stopped by an error"),
    3: ("blue", "Stopped before the end; run again to go on"),
}
_COLUMNS = (
    ("created", "created", "green"),
    ("updated", "updated", "cyan"),
    ("unchanged", "unchanged", "dim"),
    ("deleted", "deleted", "magenta"),
    ("children_deleted", "lines gone", "magenta"),
    ("withheld", "withheld", "yellow"),
    ("skipped", "skipped", "dim"),
    ("rejected", "rejected", "red"),
    ("quarantined", "quarantined", "red"),
    ("backlog", "backlog", "blue"),
    ("stale", "older there", "yellow"),
    ("never_delivered", "never there", "yellow"),
)
_ALWAYS = frozenset({"created", "updated", "unchanged", "deleted"})
_MOST_REASONS = 12


def show_report(report: Report, console: Console) -> None:
    """Print a run's result: JSON when asked for, tables on a terminal, text elsewhere."""
    told = report.to_dict()
    console.result(told)
    if console.json:
        return
    if not console.out.isatty():
        console.show(report.summary)
        return
    rich = console.rich()
    for part in report_tables(told):
        rich.print(part)


def report_tables(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return a report as what rich prints.

    Args:
        report: As `Report.to_dict` makes it.
    """
    from rich.text import Text

    colour, words = _STATES[report["exit_code"]]
    seconds = sum(report["seconds"].values())
    took = f"{_requests(report['requests'])}, {seconds:.1f} s"
    head = Text.assemble((f"● {words}", f"bold {colour}"), f"   {took}")
    return [head, _entities(report["entities"]), *_reasons(report), *_words(report)]


def _entities(entities: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = [
        (key, name, style)
        for key, name, style in _COLUMNS
        if key in _ALWAYS or any(one.get(key) for one in entities.values())
    ]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("")
    for _, name, _ in shown:
        table.add_column(name, justify="right")
    for entity, one in sorted(entities.items()):
        counts = [(one.get(key, 0), style) for key, _, style in shown]
        table.add_row(entity, *(Text(f"{n:,}", style=style if n else "dim") for n, style in counts))
    return table


def _reasons(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return why documents are refused, left out or skipped, the commonest first."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    rows = [(one["count"], "refused", one, ", ".join(one["samples"])) for one in report["refusals"]]
    rows += [(one["count"], one["what"], one, "") for one in report["left_out"]]
    if not rows:
        return []
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in ("", "count", "of", "why", "for instance" if report["refusals"] else ""):
        table.add_column(name, justify="right" if name == "count" else "left", overflow="fold")
    rows.sort(key=lambda row: (row[1] != "refused", -row[0]))
    for count, what, one, samples in rows[:_MOST_REASONS]:
        style = "red" if what == "refused" else "dim"
        why = Text(f"{one['field']} {one['reason']}".strip())
        table.add_row(Text(what, style=style), f"{count:,}", one["entity"], why, Text(samples))
    return [table]


def _words(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return what waits for a word of a person, and the word."""
    from rich.text import Text

    said: list[tuple[str, str, str]] = [
        ("alarm", "yellow", f"{one['entity']}: {one['text']}".removeprefix(": "))
        for one in report["alarms"]
    ]
    for one in report["withheld"]:
        what = "child removals" if one["children"] else "removals"
        text = f"{one['entity']}: {one['count']:,} {what}: {one['reason']}"
        said.append(
            ("withheld", "yellow", f"{text}; --allow-removals {one['entity']} lets them go")
        )
    for one in report["held"]:
        why = "; ".join(one["reasons"]) or "only a new mapping or setting changed them"
        flag = f"; --{one['accept'].replace('_', '-')} lets them go" if one["accept"] else ""
        price = f" ({_requests(one['requests'])}, {one['minutes']:.0f} minutes)" if flag else ""
        said.append(
            (
                "held",
                "yellow",
                f"{one['entity']}: {one['documents']:,} documents: {why}{flag}{price}",
            )
        )
    said += [("note", "dim", text) for text in report["notices"]]
    said += [("error", "red", report["error"])] if report["error"] else []
    return [Text.assemble((f"{kind:9}", style), text) for kind, style, text in said]


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count:,} requests"
