"""A run in the few values that others are told: counts, reasons, alarms, no personal data."""

from __future__ import annotations

from typing import Any

from replenit_destination.exceptions import ActivationError

__all__ = ["of_error", "of_report", "slack_text"]

_STATES = {0: "delivered", 1: "incomplete", 2: "failed", 3: "stopped"}
_WORDS = {
    "delivered": "everything is delivered",
    "incomplete": "delivered, but not everything",
    "failed": "stopped by an error",
    "stopped": "stopped before the end; the rest waits for the next run",
}
_CHANGES = ("created", "updated", "deleted", "children_deleted")
_MOST_LINES = 8


def of_report(report: dict[str, Any]) -> dict[str, Any]:
    """Return the summary of a run that came to its end.

    Args:
        report: As `Report.to_dict` makes it.
    """
    code = int(report.get("exit_code", 0))
    alarms = [_line(one["entity"], one["text"]) for one in report.get("alarms", ())]
    trouble = [*alarms, *_kept(report), *_refused(report)]
    return _summary(
        code,
        str(report.get("tenant", "")),
        trouble,
        target=report.get("target", ""),
        halted=report.get("halted", ""),
        error=report.get("error", ""),
        requests=report.get("requests", 0),
        seconds=round(sum(report.get("seconds", {}).values()), 1),
        alarms=list(report.get("alarms", ())),
        entities={
            name: {key: value for key, value in one.items() if isinstance(value, int)}
            for name, one in report.get("entities", {}).items()
        },
    )


def of_error(error: Exception, tenant: str) -> dict[str, Any]:
    """Return the summary of a run that an error ended.

    Our own errors tell without personal data what is wrong; of others only the kind is told.
    """
    words = str(error) if isinstance(error, ActivationError) else type(error).__name__
    return _summary(2, tenant, [words], error=words)


def slack_text(summary: dict[str, Any]) -> str:
    """Return the summary in Slack's notation."""
    text: str = summary["text"]
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, written)
    head, _, rest = text.partition("\n")
    return f"*{head}*\n{rest}".rstrip()


def _summary(code: int, tenant: str, trouble: list[str], **facts: Any) -> dict[str, Any]:
    state = _STATES.get(code, "failed")
    changes = [
        f"{sum(one.get(key, 0) for key in _CHANGES):,} {name}"
        for name, one in facts.get("entities", {}).items()
    ]
    lines = [f"Replenit, tenant {tenant}: {_WORDS[state]}"]
    lines += [f"Changed: {', '.join(changes)}."] if changes else []
    lines += [f"- {one}" for one in trouble[:_MOST_LINES]]
    lines += [f"- and {len(trouble) - _MOST_LINES} more"] if len(trouble) > _MOST_LINES else []
    return {
        "state": state,
        "exit_code": code,
        # Stopped in order, by a budget or a signal, is how a long backfill goes on every night.
        "failed": state in {"failed", "incomplete"},
        "trouble": bool(trouble) or state in {"failed", "incomplete"},
        "tenant": tenant,
        "text": "\n".join(lines),
        **facts,
    }


def _kept(report: dict[str, Any]) -> list[str]:
    withheld = [
        f"{one['entity']}: {one['count']:,} removals withheld: {one['reason']}"
        for one in report.get("withheld", ())
    ]
    held = [
        f"{one['entity']}: {one['documents']:,} documents held ({one['kind']})"
        for one in report.get("held", ())
    ]
    return withheld + held


def _refused(report: dict[str, Any]) -> list[str]:
    most = sorted(report.get("refusals", ()), key=lambda one: -one["count"])
    return [
        f"{one['entity']}: {one['count']:,} refused: {one['field']} {one['reason']}" for one in most
    ]


def _line(entity: str, text: str) -> str:
    return f"{entity}: {text}" if entity else text
