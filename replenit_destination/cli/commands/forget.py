"""Erase one person, at Replenit and in everything that is kept here.

Deletes the person and their orders at Replenit, then their staged rows, what the ledger has of
them and dlt's copies of loaded rows, and rewrites both databases. A keyed hash stays, so that no
later load brings the person back; a consent given after this moment does. Prints a receipt without
personal data. Exit code 3: Replenit could not be told yet, the next push tells it first.

Example:
  dlt replenit forget --email ada@example.com --receipt ada.json
  dlt replenit forget --customer-id 1001 --offline
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, pipeline_of

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument("--email", metavar="ADDRESS", help="the person's address")
    parser.add_argument("--customer-id", metavar="ID", help="the person's id in the shop")
    parser.add_argument(
        "--offline", action="store_true", help="leave telling Replenit to the next push"
    )
    parser.add_argument("--receipt", metavar="FILE", help="write the receipt there too, as JSON")


def run(options: argparse.Namespace, console: Console) -> int:
    """Erase the person, print the receipt and return its exit code."""
    from replenit_destination.destinations.forget import forget

    receipt = forget(
        pipeline_of(options),
        email=options.email,
        customer_id=options.customer_id,
        offline=options.offline,
        step=lambda name: console.tell(f"… {name}"),
    )
    told = receipt.to_dict()
    if options.receipt:
        Path(options.receipt).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    console.result(told)
    console.show(str(receipt))
    return receipt.exit_code
