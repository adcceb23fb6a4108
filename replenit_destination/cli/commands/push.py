"""Deliver what is staged, without reading the source again.

Sends what changed since Replenit last accepted it, with the backlog of earlier runs.

With --key or --since it looks at exactly the documents that these name, and at nothing else: no
backlog, no removals. It sends those of them that changed, with --force all of them. --since means
documents whose rows were loaded since then, and those that Replenit accepted since then; without a
time zone it is this machine's time.

Example:
  dlt replenit push --max-requests 500
  dlt replenit push --entity orders --key 1001 --force
  dlt replenit push --since 2026-11-20T18:00 --force
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from replenit_destination.cli.moments import moment_of
from replenit_destination.cli.pipelines import add_pipeline, pipeline_of
from replenit_destination.cli.rendering import show_report

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument(
        "--entity", action="append", metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--key",
        action="append",
        metavar="KEY",
        help="only the document with this key, of the one --entity; may be repeated",
    )
    parser.add_argument(
        "--since", metavar="TIME", help="only what was loaded or accepted since; 2h, 3d are spans"
    )
    parser.add_argument("--full", action="store_true", help="compare everything")
    parser.add_argument("--force", action="store_true", help="send also what Replenit already has")
    parser.add_argument(
        "--confirm", action="store_true", help="send again what Replenit took and did not count"
    )
    parser.add_argument(
        "--allow-removals", action="append", metavar="ENTITY", help="let withheld removals go once"
    )
    for hold in ("resend", "schema"):
        parser.add_argument(f"--accept-{hold}", action="store_true", help=f"let a held {hold} go")
    parser.add_argument("--max-requests", type=int, metavar="N", help="stop cleanly after so many")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop cleanly after so long")


def run(options: argparse.Namespace, console: Console) -> int:
    """Deliver, print the report and return its exit code."""
    from replenit_destination.destinations.live_progress import LiveProgress
    from replenit_destination.destinations.lost_ledger import lost_ledger
    from replenit_destination.destinations.push import push
    from replenit_destination.engine.clock import SystemClock

    since = None
    if options.since is not None:
        began = moment_of("--since", options.since, SystemClock().now(), ahead=False)
        since = datetime.fromtimestamp(began, UTC)
    pipeline = pipeline_of(options)
    if warning := lost_ledger(pipeline):
        console.tell(f"Warning: {warning}")
    pipeline.collector = LiveProgress(console.err)
    report = push(
        pipeline,
        entities=options.entity,
        full=options.full or None,
        force=options.force or None,
        confirm=options.confirm or None,
        keys=options.key,
        since=since,
        allow_removals=options.allow_removals,
        accept_resend=options.accept_resend or None,
        accept_schema=options.accept_schema or None,
        max_requests=options.max_requests,
        max_seconds=options.max_seconds,
    )
    show_report(report, console)
    return report.exit_code
