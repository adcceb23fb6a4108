"""A plan as Markdown, fit for a comment on a pull request: no keys, no personal data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.report import COUNTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replenit_destination.engine.plan import Plan

__all__ = ["plan_markdown"]

_ALWAYS = frozenset({"created", "updated", "unchanged", "deleted"})
_FIELDS = 12


def plan_markdown(plan: Plan) -> str:
    """Return the plan as GitHub-flavoured Markdown, with a line break at its end."""
    shown = [
        counter
        for counter in COUNTERS
        if counter in _ALWAYS or any(getattr(one, counter) for one in plan.report.entities.values())
    ]
    rows = [
        [name, *(f"{getattr(one, counter):,}" for counter in shown), f"{own.requests:,}"]
        for name, one in sorted(plan.report.entities.items())
        if (own := plan.of(name))
    ]
    names = [counter.replace("_", " ") for counter in shown]
    parts = [
        f"### Replenit plan: {plan.headline}",
        _table(["", *names, "requests"], rows),
    ]
    if changed := plan.changed_rows(_FIELDS):
        parts.append("Updates by field:")
        parts.append(_table(["entity", "field", "documents"], changed, texts=2))
    if details := [one.strip() for one in plan.report.details]:
        parts.append("\n".join(f"- {_escaped(' '.join(one.split()))}" for one in details))
    parts.append(f"Quota now: {'; '.join(map(str, plan.price.windows))}.")
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, texts: int = 1) -> str:
    """Return a table whose columns hold numbers, but for the first ones."""
    sides = ["---" if place < texts else "---:" for place in range(len(columns))]
    lines = [columns, sides, *rows]
    return "\n".join(f"| {' | '.join(_escaped(str(cell)) for cell in line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Return text that neither ends a cell nor becomes markup of its own."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("@", "&#64;")
