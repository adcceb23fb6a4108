"""Hold delivery until a moment; loads go on staging.

Withdrawals of consent and erasures travel all the same. A push under a pause ends at once with exit
code 3, and what it had to send waits. The pause ends by itself, or by `resume`; it stands in the
ledger and moves with it. A push that is under way gives way.

Example:
  dlt replenit pause --until 18:00
  dlt replenit pause --until 2026-11-22T06:00Z --reason "stock-taking"
  dlt replenit pause --until 2h
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.moments import moment_of
from replenit_destination.cli.pipelines import add_pipeline, changed_ledger
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument(
        "--until",
        required=True,
        metavar="TIME",
        help="a moment, a time of day, or a span such as 30m, 2h, 3d",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="a few words, shown by status")


def run(options: argparse.Namespace, console: Console) -> int:
    """Hold delivery."""
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.pause import pause

    clock = SystemClock()
    until = moment_of("--until", options.until, clock.now(), ahead=True)
    if until <= clock.now():
        message = f"--until: `{options.until}` is over"
        raise SettingsError(message)
    with changed_ledger(options) as (_, ledger):
        held = pause(ledger, until, options.reason)
    console.result({"pause": held.to_dict()})
    console.show(f"{held}.".replace("delivery", "Delivery", 1))
    return 0
