"""Delete the staged rows of old orders that Replenit has accepted.

Nothing is sent. The ledger keeps the keys and hashes, so later pushes neither send nor delete these
orders. With the setting retention_days every push does this at its end. An entity whose rows may
still be needed is left alone, and the reason is shown. Loading rows again undoes it.

Example:
  dlt replenit purge --days 30
  dlt replenit purge --days 30 --rewrite
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
        "--days",
        type=float,
        metavar="N",
        help="how old an order and its acceptance must be; default the setting retention_days",
    )
    parser.add_argument(
        "--rewrite",
        action="store_true",
        help="write the database anew, so that deleted bytes are gone; needs as much free disk",
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Purge, and tell what was and what could not be."""
    from replenit_destination.destinations.purge import purge

    purged = purge(pipeline_of(options), days=options.days, rewrite=options.rewrite)
    console.result(purged.to_dict())
    console.show(str(purged))
    if purged.rows:
        console.table(("table", "rows deleted"), sorted(purged.rows.items()))
    for notice in purged.notices:
        console.show(f"  note      {notice}")
    return 0
