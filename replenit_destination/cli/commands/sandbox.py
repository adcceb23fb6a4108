"""Start a double of Replenit's API on this machine.

It keeps what it is sent, refuses what Replenit refuses and counts requests. Nothing leaves this
machine. Ctrl-C ends it. `python -m replenit_destination.sandbox --help` has more switches.

Example:
  dlt replenit sandbox --port 8123 --state shop.sqlite
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--port", type=int, default=8123, help="0 takes a free one (default 8123)")
    parser.add_argument("--state", metavar="FILE", help="keep the documents in this file")
    parser.add_argument("--profile", help="whose validation: strict, gitbook, … (default strict)")
    parser.add_argument("--no-limits", action="store_true", help="no request quota")


def run(options: argparse.Namespace, console: Console) -> int:
    """Serve until a signal comes."""
    try:
        from replenit_destination.sandbox.__main__ import main
    except ModuleNotFoundError as error:
        message = (
            f"the sandbox needs more packages (`{error.name}`): pip install 'dlt-replenit[sandbox]'"
        )
        raise SettingsError(message) from error
    arguments = ["--port", str(options.port)]
    arguments += ["--state", options.state] if options.state else []
    arguments += ["--profile", options.profile] if options.profile else []
    arguments += ["--no-limits"] if options.no_limits else []
    return main(arguments)
