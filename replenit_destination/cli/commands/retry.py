"""Try refused documents again, as they are today.

Takes what stands rejected or quarantined, makes it anew from the staged rows, and sends what is
sound by now, apart from all other documents. Nothing else travels. Documents that changed since
they were refused, or whose mapping did, are tried by every push anyway.

Example:
  dlt replenit retry
  dlt replenit retry --entity orders --key 1001
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, pipeline_of

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
    parser.add_argument("--max-requests", type=int, metavar="N", help="stop cleanly after so many")


def run(options: argparse.Namespace, console: Console) -> int:
    """Try them, print the report and return its exit code."""
    from replenit_destination.destinations.push import push

    report = push(
        pipeline_of(options),
        entities=options.entity,
        keys=options.key,
        refused=True,
        max_requests=options.max_requests,
    )
    console.result(report.to_dict())
    console.show(report.summary)
    return report.exit_code
