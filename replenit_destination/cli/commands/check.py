"""Check settings, key, tenant, mapping, tables, ledger and quota, and say what to do.

Nothing is sent or recorded. Replenit has nothing to read from: --online tries key and tenant with
an upsert of no customers, which counts as one request. The exit code is 0 when a push can run, 1
when it can but there are warnings, 2 when it cannot.

Example:
  dlt replenit check
  dlt replenit check --online --json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, pipeline_of

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]

_ENDINGS = {
    0: "A push can run.",
    1: "A push can run; look at the warnings first.",
    2: "A push cannot run before the faults are mended.",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument("--online", action="store_true", help="try key and tenant: one request")


def run(options: argparse.Namespace, console: Console) -> int:
    """Check, print every remark and return the exit code."""
    from replenit_destination.destinations.check import check

    made = check(pipeline_of(options), online=options.online)
    console.result(made.to_dict())
    for one in made.remarks:
        console.show(f"  {one.level:8} {one.area:9} {one.text}")
    console.show(_ENDINGS[made.exit_code])
    return made.exit_code
