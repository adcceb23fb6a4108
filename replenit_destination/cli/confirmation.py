"""Asking before something that cannot be taken back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["NOT_CONFIRMED", "add_yes", "confirmed"]

NOT_CONFIRMED = 2
"""The exit code of a command that nobody said yes to."""


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add the option that answers the question beforehand."""
    parser.add_argument("-y", "--yes", action="store_true", help="do it without asking")


def confirmed(options: argparse.Namespace, console: Console, question: str) -> bool:
    """Return whether the person wants it; without a terminal only `--yes` says so."""
    if options.yes or _yes_to_dlt():
        return True
    if not (sys.stdin and sys.stdin.isatty()):
        console.tell(f"{question} Nothing is done without --yes.")
        return False
    console.err.write(f"{question} [y/N] ")
    console.err.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    console.tell("Nothing was done.")
    return False


def _yes_to_dlt() -> bool:
    """Return whether `--yes` was typed under `dlt`, which takes it before a command sees it."""
    echo = sys.modules.get("dlt._workspace.cli.echo")
    return bool(getattr(echo, "ALWAYS_CONFIRM", False))
