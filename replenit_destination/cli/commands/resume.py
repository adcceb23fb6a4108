"""Let delivery go on that `pause` holds.

The next push sends what waits.

Example:
  dlt replenit resume
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, changed_ledger

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """End the pause."""
    from replenit_destination.engine.pause import resume

    with changed_ledger(options) as (_, ledger):
        was_held = resume(ledger)
    console.result({"was_paused": was_held})
    console.show("Delivery goes on." if was_held else "Delivery was not paused.")
    return 0
