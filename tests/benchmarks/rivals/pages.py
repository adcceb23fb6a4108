"""Scores as text: a line on the terminal, and docs/rivals.md from the template beside this file."""

from __future__ import annotations

import platform
from itertools import groupby
from typing import TYPE_CHECKING

from tests.benchmarks.rivals.programs import HERE, OURS
from tests.benchmarks.rivals.shop import LINES_PER_ORDER
from tests.benchmarks.rivals.standing import behind, standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.rivals.programs import Program
    from tests.benchmarks.rivals.results import Results
    from tests.benchmarks.rivals.scoring import Score
    from tests.benchmarks.rivals.standing import Behind

__all__ = ["line", "page"]

_HEADINGS = {
    "a": "Cold load",
    "b": "Nothing changed",
    "c": "Something changed",
    "d": "Something is gone",
    "e": "There and back",
    "f": "Poison: the batch is refused as a whole",
    "g": "Poison: the others of the batch are stored",
    "h": "Quota",
    "i": "Killed",
    "j": "Lost responses",
    "k": "Too large",
    "l": "Values",
}
_COLUMNS = (
    "program",
    "requests",
    "undelivered",
    "stale",
    "duplicates",
    "429s",
    "exit codes",
    "seconds",
    "CPU s",
    "peak MB",
)
_NAMES = {"throttled": "429s", "cpu_seconds": "CPU seconds", "peak_mb": "peak memory (MB)"}

_AT_ONCE = {
    False: "programs one after the other",
    True: "several programs at a time, so that the seconds say little",
}

# Why, by letter and measure; the letter `*` is any scenario.
_REASONS = {
    ("*", "seconds"): "start-up: ours imports dlt, DuckDB, pyarrow and pydantic, opens the ledger "
    "and compares contents before it sends; the others read a cursor",
    ("*", "cpu_seconds"): "the same",
    ("*", "peak_mb"): "dlt, DuckDB with its buffers, pyarrow and pydantic are one process; ours "
    "compares all documents in DuckDB",
    ("a", "seconds"): "per document ours nests, checks the vendor's contract, hashes and records "
    "intent and outcome in the ledger; the others post what the model gives them. airbyte-cdk "
    "does least per record, and its tap lets DuckDB write the JSON",
    ("a", "cpu_seconds"): "the same per document",
    ("i", "seconds"): "eleven starts, and each takes up what the killed one left in doubt",
    ("h", "seconds"): "ours counts a request until its window has passed since the answer, whether "
    "the server's window is fixed or sliding, so it never meets a 429; who sends until it is told "
    "to stop gains seconds when a fixed window ends",
    ("i", "duplicates"): "ours keeps up to four requests under way (`workers`), and a kill "
    "leaves all of them in doubt; the others have one",
    ("i", "requests"): "the same: what was in doubt is sent again",
}


def line(score: Score) -> str:
    """Return a score as one line of a terminal."""
    return (
        f"requests {score.requests:>5}  undelivered {score.undelivered:>5}  stale {score.stale:>5}"
        f"  duplicates {score.duplicates:>5}  429s {score.throttled:>3}  exit {_exits(score):9}"
        f" {score.seconds:6.1f} s {score.cpu_seconds:5.1f} CPU {score.peak_mb:5.0f} MB"
    )


def page(results: Results) -> str:
    """Return docs/rivals.md."""
    text = (HERE / "page.md").read_text(encoding="utf-8")
    parts = {
        "ORDERS": f"{results.orders:,}",
        "LINES": f"{results.orders * LINES_PER_ORDER:,}",
        "MINUTES": f"{results.minutes:.0f}",
        "AT_ONCE": _AT_ONCE[results.at_once > 1],
        "PYTHON": platform.python_version(),
        "PROGRAMS": _programs(results.programs),
        "SUMMARY": _summary(results),
        "BEHIND": _behind(results),
        "SCENARIOS": "\n".join(_sections(results)),
    }
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->", part)
    return text


def _programs(programs: Sequence[Program]) -> str:
    rows = [["program", "version", "what its program uses of it"]]
    for one in programs:
        version = one.packages[0].partition("==")[2] if one.packages else "this checkout"
        name = one.name if one.key == OURS else f"[{one.name}]({one.docs})"
        rows.append([name, version, one.used])
    return _table(rows)


def _summary(results: Results) -> str:
    rows = [["", "scenario", *(one.name for one in results.programs), "ours"]]
    for scenario in results.scenarios:
        scores = results.scores[scenario.key]
        cells = [_short(scores[one.key]) for one in results.programs]
        rows.append([scenario.key, scenario.title, *cells, standing(scores)])
    return _table(rows)


def _short(score: Score) -> str:
    said = [
        f"{value:,} {what}"
        for value, what in ((score.undelivered, "undelivered"), (score.stale, "stale"))
        if value
    ]
    said += [] if score.honest else ["exit ✗"]
    said += [f"{score.throttled} times 429"] if score.throttled else []
    return ", ".join([*(said or ["✓"]), f"{score.requests:,} req"])


def _sections(results: Results) -> list[str]:
    text = []
    for letter, group in groupby(results.scenarios, key=lambda one: one.letter):
        text.append(f"### {letter}. {_HEADINGS[letter]}\n")
        for scenario in group:
            title = f"**{scenario.key}**: {scenario.title}."
            text.append(f"{title} {scenario.note}".strip() + "\n")
            rows = [list(_COLUMNS)]
            scores = results.scores[scenario.key]
            rows += [[one.name, *_cells(scores[one.key])] for one in results.programs]
            text.append(_table(rows) + "\n")
    return text


def _cells(score: Score) -> list[str]:
    numbers = (
        score.requests,
        score.undelivered,
        score.stale,
        score.duplicates,
        score.throttled,
    )
    return [
        *(f"{number:,}" for number in numbers),
        _exits(score).replace("!", " ✗"),
        f"{score.seconds:.1f}",
        f"{score.cpu_seconds:.1f}",
        f"{score.peak_mb:.0f}",
    ]


def _exits(score: Score) -> str:
    pairs = zip(score.exits, score.truthful, strict=True)
    return ", ".join(
        f"{'-' if code is None else code}{'' if true else '!'}" for code, true in pairs
    )


def _behind(results: Results) -> str:
    names = {one.key: one.name for one in results.programs}
    found = [
        one
        for scenario in results.scenarios
        for one in behind(scenario, results.scores[scenario.key])
    ]
    rows = [["measure", "scenario: ours, the best that is as complete", "why"]]
    for reason, group in _by_reason(found).items():
        told = [
            f"{one.scenario}: {_value(one.ours)}, {_value(one.best)} ({names[one.program]})"
            for one in group
        ]
        measure = _NAMES.get(group[0].measure, group[0].measure)
        rows.append([measure, "; ".join(told), reason])
    return _table(rows) if found else "Nowhere in this run."


def _by_reason(found: Sequence[Behind]) -> dict[str, list[Behind]]:
    groups: dict[tuple[str, str], list[Behind]] = {}
    for one in found:
        any_reason = _REASONS.get(("*", one.measure), "not known yet")
        reason = _REASONS.get((one.scenario[0], one.measure), any_reason)
        groups.setdefault((one.measure, reason), []).append(one)
    return {reason: group for (_, reason), group in groups.items()}


def _value(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
