"""Write the HTML report of a run, with what happened over the runs before.

One file that opens without a network, in light and dark, on a phone and on paper. It names
documents by key hashes and holds no personal data. With --json the runs are printed as they are
on record.

Example:
  dlt replenit report --out report.html
  dlt replenit report --run 3f9a --last 90 --out report.html
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, pipeline_of

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument("--out", default="report.html", metavar="FILE", help="default report.html")
    parser.add_argument(
        "--run", metavar="ID", help="which run, by the beginning of its name; default the newest"
    )
    parser.add_argument(
        "--last", type=int, default=30, metavar="N", help="how many runs back (default 30)"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the page, or print the runs."""
    from replenit_destination.destinations.reporting import html_report, told_runs

    which = {"run": options.run, "last": options.last}
    if console.json:
        console.result([asdict(one) for one in told_runs(pipeline_of(options), **which)])
        return 0
    html_report(pipeline_of(options), out=options.out, **which)
    console.show(options.out)
    return 0
