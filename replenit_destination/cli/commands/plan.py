"""Show what a push would do now, and what it would cost; nothing is sent or recorded.

Takes the arguments of `push`. That push is rehearsed on a copy of the ledger, so the numbers are
those of the push that follows, if Replenit takes every document; the exit code is the push's too.
--markdown prints a comment for a pull request, without keys and personal data.

Example:
  dlt replenit plan
  dlt replenit plan --full --accept-resend --markdown > plan.md
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from replenit_destination.cli.moments import moment_of
from replenit_destination.cli.pipelines import add_pipeline, pipeline_of

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console
    from replenit_destination.engine.plan import Plan

__all__ = ["configure", "run"]

_FIELDS = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument(
        "--entity", action="append", metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--key", action="append", metavar="KEY", help="only the document with this key"
    )
    parser.add_argument("--since", metavar="TIME", help="only what was loaded or accepted since")
    parser.add_argument("--full", action="store_true", help="compare everything")
    parser.add_argument("--force", action="store_true", help="send also what Replenit already has")
    parser.add_argument(
        "--confirm", action="store_true", help="send again what Replenit took and did not count"
    )
    parser.add_argument("--retry", action="store_true", help="try quarantined documents again")
    parser.add_argument(
        "--allow-removals", action="append", metavar="ENTITY", help="let withheld removals go"
    )
    for hold in ("resend", "schema"):
        parser.add_argument(f"--accept-{hold}", action="store_true", help=f"let a held {hold} go")
    parser.add_argument("--max-requests", type=int, metavar="N", help="a push of so many at most")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="a push of so long at most")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")


def run(options: argparse.Namespace, console: Console) -> int:
    """Plan, print it and return the exit code of such a push."""
    from replenit_destination.destinations.plan import plan
    from replenit_destination.engine.clock import SystemClock

    since = None
    if options.since is not None:
        began = moment_of("--since", options.since, SystemClock().now(), ahead=False)
        since = datetime.fromtimestamp(began, UTC)
    made = plan(
        pipeline_of(options),
        entities=options.entity,
        full=options.full or None,
        force=options.force or None,
        confirm=options.confirm or None,
        keys=options.key,
        since=since,
        retry=options.retry or None,
        allow_removals=options.allow_removals,
        accept_resend=options.accept_resend or None,
        accept_schema=options.accept_schema or None,
        max_requests=options.max_requests,
        max_seconds=options.max_seconds,
    )
    console.result(made.to_dict())
    if options.markdown:
        from replenit_destination.engine.plan_markdown import plan_markdown

        console.show(plan_markdown(made).rstrip("\n"))
    else:
        _show(made, console)
    return made.exit_code


def _show(made: Plan, console: Console) -> None:
    from replenit_destination.engine.report import COUNTERS

    always = {"created", "updated", "unchanged", "deleted"}
    counts = made.report.entities
    shown = [c for c in COUNTERS if c in always or any(getattr(o, c) for o in counts.values())]
    headline = made.headline
    console.show(f"{headline[0].upper()}{headline[1:]}.")
    console.table(
        ("", *(counter.replace("_", " ") for counter in shown), "requests"),
        [
            (name, *(getattr(one, counter) for counter in shown), made.of(name).requests)
            for name, one in sorted(counts.items())
        ],
    )
    if changed := made.changed_rows(_FIELDS):
        console.show()
        console.table(("entity", "field", "updates"), changed)
    for line in made.report.details:
        console.show(line)
    console.show(f"Quota now: {'; '.join(map(str, made.price.windows))}.")
