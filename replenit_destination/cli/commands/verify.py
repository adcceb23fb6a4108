"""Compare every document of the source with what the ledger says Replenit has accepted.

Makes all documents again from the staged tables; nothing is sent or recorded. Replenit cannot be
asked what it holds, so this is as far as anybody can see from here. The exit code is 1 where the
two differ. What it finds is sent by the next push, or `plan` and `explain` say why not.

Example:
  dlt replenit verify
  dlt replenit verify --entity orders --json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, pipeline_of

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]

_COUNTS = {
    "same": "same",
    "missing": "missing there",
    "differing": "differing",
    "surplus": "only there",
    "surplus_children": "lines only there",
    "refused": "refused",
    "waiting": "waiting",
    "skipped": "skipped",
    "purged": "purged",
}
_MEANING = {
    "missing": "in the source, never accepted",
    "differing": "accepted as something else, or perhaps not",
    "surplus": "at Replenit, and not in the source any more",
    "refused": "cannot be sent as they are",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument(
        "--entity", action="append", metavar="NAME", help="only this one; may be repeated"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Compare, print what was found and return 1 where something differs."""
    from replenit_destination.destinations.plan import verify

    found = verify(pipeline_of(options), entities=options.entity)
    console.result(found.to_dict())
    console.show(
        "The ledger and the source differ." if found.exit_code else "The ledger is as the source."
    )
    entities = sorted(found.entities.items())
    console.table(
        ("", *_COUNTS.values()),
        [(name, *(getattr(one, count) for count in _COUNTS)) for name, one in entities],
    )
    for name, one in entities:
        for what, samples in one.samples.items():
            console.show(f"  {what:9} {name}: {_MEANING[what]}: {', '.join(samples)}")
    for held in found.unreadable:
        console.show(f"  unread    {held.entity}: {'; '.join(held.reasons)}; correct the mapping")
    return found.exit_code
