"""Take today's staged data for accepted, without sending it.

For moving in from a script that has sent the same data, or after the ledger was lost. Documents are
made and checked as a push does it; what is sound is recorded as accepted, so that the next push
sends only what changes from now on. Nothing is sent. What Replenit holds and the source has no more
is not found by this.

Example:
  dlt replenit adopt
  dlt replenit adopt --entity customers --entity products
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, opened, pipeline_of

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
        "--force", action="store_true", help="also where the ledger has accepted documents already"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Adopt, and tell what was and what could not be."""
    from replenit_destination.destinations.state_sessions import state
    from replenit_destination.engine.adopt import adopt
    from replenit_destination.engine.clock import SystemClock

    with state(pipeline_of(options)), opened(options, entities=options.entity) as setup:
        adopted = adopt(
            setup.staged,
            setup.target,
            setup.mapping,
            ledger=setup.ledger,
            clock=SystemClock(),
            entities=options.entity,
            force=options.force,
            options=setup.options,
        )
    told = adopted.to_dict()
    console.result(told)
    states = ("adopted", "rejected", "skipped", "backlog", "withheld")
    rows = [(name, *(one[state] for state in states)) for name, one in told["entities"].items()]
    console.table(("", *states), rows)
    for one in told["refusals"]:
        console.show(f"  {one['count']} {one['entity']}: {one['field']} {one['reason']}")
    console.show("Nothing was sent. The next push sends what changes from now on.")
    return adopted.exit_code
