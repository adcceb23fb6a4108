"""The command line: `dlt replenit …`, and `python -m replenit_destination …` without dlt's.

Each command is a module of `cli.commands`: its docstring is its help, `configure` adds its
arguments, `run` does it and returns the exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from replenit_destination.cli.console import Console
from replenit_destination.exceptions import ActivationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "Command", "configure", "load", "main", "run"]

COMMANDS: tuple[str, ...] = (
    *("init", "probe", "check", "plan", "push", "retry", "pause", "resume", "status", "explain"),
    "verify",
    *("quarantine", "adopt", "reset-tenant", "offboard"),
    *("report", "schema", "forget", "purge", "log"),
    *("state", "sandbox"),
)
"""In the order of a person's day; each is a module of `cli.commands`, `_` for `-`."""

DESCRIPTION = "See, deliver, explain and mend what goes to Replenit."
EXIT_CODES = """\
Exit codes:
  0    done; everything is delivered
  1    done, but something was refused, held, withheld or differs; the output says what
  2    not done: a setting, the mapping, the arguments or the service is at fault
  3    stopped before the end; run it again to go on
  130  interrupted a second time
"""


class Command(Protocol):
    """A module of `cli.commands`."""

    __doc__: str | None

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, options: argparse.Namespace, console: Console) -> int:
        """Do it and return the exit code."""


def load(name: str) -> Command:
    """Return a command's module."""
    module = import_module(f"replenit_destination.cli.commands.{name.replace('-', '_')}")
    return cast("Command", module)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add all commands to a parser."""
    parser.epilog = EXIT_CODES
    commands = parser.add_subparsers(dest="replenit_command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = load(name)
        head, _, details = (command.__doc__ or "").partition("\n")
        made = commands.add_parser(
            name,
            help=head.rstrip("."),
            description=f"{head}\n{details.rstrip()}",
            epilog=EXIT_CODES,
        )
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        command.configure(made)
    _keep_lines(parser)


def _keep_lines(parser: argparse.ArgumentParser) -> None:
    """Have help printed line by line as it is written, by this parser and those below it.

    dlt gives every parser a formatter of its own and makes Markdown of descriptions, both after
    `configure`: examples and exit codes would run into one paragraph.
    """
    description = parser.description

    def format_help() -> str:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.description = description
        return argparse.ArgumentParser.format_help(parser)

    parser.format_help = format_help  # type: ignore[method-assign]
    for action in parser._actions:  # noqa: SLF001 - there is no public way to the parsers below
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in dict.fromkeys(action.choices.values()):
                _keep_lines(below)


def run(options: argparse.Namespace, console: Console | None = None) -> int:
    """Run the chosen command and return the exit code."""
    console = console or Console(json=options.json)
    try:
        try:
            code = load(options.replenit_command).run(options, console)
        finally:
            _settle_states()
        console.out.flush()
    except ActivationError as error:
        console.tell(str(error))
        return 2
    except BrokenPipeError:
        # Who read the output, `head` perhaps, has seen enough; Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), console.out.fileno())
        return 141
    except KeyboardInterrupt:
        console.tell("Interrupted.")
        return 130
    return code


def _settle_states() -> None:
    """Store what a command changed behind `state_url`, or let others have it."""
    sessions = sys.modules.get("replenit_destination.destinations.state_sessions")
    if sessions is not None:
        sessions.settle_all()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: As typed after the program's name; default this process's.
    """
    parser = argparse.ArgumentParser(prog="python -m replenit_destination", description=DESCRIPTION)
    configure(parser)
    return run(parser.parse_args(arguments))
