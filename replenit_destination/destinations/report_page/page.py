"""The page as a whole: one file that opens without a network and runs no script."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from replenit_destination.destinations.report_page import figures, sections
from replenit_destination.destinations.report_page.elements import Html, tag
from replenit_destination.destinations.report_page.scales import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.past_runs import PastRun

__all__ = ["page"]

# The page may load nothing and run nothing, whatever a vendor's words would put into it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_THEMES = (("auto", "Auto"), ("light", "Light"), ("dark", "Dark"))


def page(runs: Sequence[PastRun], *, made: float) -> str:
    """Return the report of the last of these runs, and what became of things over all of them.

    Args:
        runs: With a report, the oldest first; at least one.
        made: Unix seconds of now.
    """
    run = runs[-1]
    report = run.report
    title = f"Delivery report, {moment(run.started)}"
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", title),
        tag("style", Html(style)),
    )
    main = tag(
        "main",
        tag("section", sections.headline(run), sections.tiles(report), class_="top"),
        _section("Needs a look", sections.attention(report)),
        _section("What changed", figures.changes_figure(report), sections.entities(report)),
        _section(
            "Requests against the quota",
            figures.busiest_hour(report),
            figures.requests_figure(report),
        ),
        tag(
            "div",
            _section("Answer times", figures.latency_figure(report)),
            _section("Time per step", figures.steps_figure(report)),
            class_="pair",
        ),
        _section("Left out on the way", sections.left_out(report)),
        *_over_runs(runs),
    )
    body = tag("body", _header(report), main, _footer(made))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(report: dict[str, object]) -> Html:
    choices = []
    for value, words in _THEMES:
        picked = value == "auto"
        choices.append(
            tag("input", type="radio", name="theme", id=f"theme-{value}", checked=picked)
        )
        choices.append(tag("label", words, for_=f"theme-{value}"))
    return tag(
        "header",
        tag(
            "div",
            tag("h1", "Delivery report"),
            tag("p", f"{report['target']}, tenant ", tag("code", report["tenant"])),
        ),
        tag("fieldset", tag("legend", "Colours"), *choices, class_="themes"),
    )


def _over_runs(runs: Sequence[PastRun]) -> list[Html | None]:
    if len(runs) < 2:
        return []
    return [
        tag("h2", f"Over the last {len(runs)} runs", class_="part"),
        tag(
            "div",
            _section("Backlog", figures.backlog_figure(runs)),
            _section("Changes", figures.changes_over_runs(runs)),
            class_="pair",
        ),
        tag(
            "div",
            _section("Refused", figures.refused_figure(runs)),
            _section("Answer times", figures.latency_over_runs(runs)),
            class_="pair",
        ),
        _section("Requests against the quota, all runs", figures.requests_over_runs(runs)),
        _section("Runs", sections.runs_table(runs)),
    ]


def _section(title: str, *parts: Html | None) -> Html | None:
    if not any(parts):
        return None
    return tag("section", tag("h2", title), *parts)


def _footer(made: float) -> Html:
    words = (
        f"Made {moment(made)} from the ledger. Documents are named by a hash of entity and key; "
        "this page holds no personal data, loads nothing and runs no script."
    )
    return tag("footer", tag("p", words))
