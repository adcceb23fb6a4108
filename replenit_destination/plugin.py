"""Entry point of group `dlt`: makes this package a dlt plugin.

dlt looks for `destination="replenit"` in the `destinations` package of every plugin, so that being
listed is all it takes. dlt imports this module at each start, therefore it imports next to nothing;
the command line is built only when dlt's is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import argparse

__all__ = ["plug_cli"]

_HOSTS = frozenset({"dlt", "dlthub"})


@pluggy.HookimplMarker("dlt")
def plug_cli(host: str) -> type | None:
    """Return the command `replenit` for dlt's command lines."""
    return _ReplenitCommand if host in _HOSTS else None


class _ReplenitCommand:
    """`dlt replenit …`, in the shape that dlt asks of a command."""

    command = "replenit"
    help_string = "See, deliver, explain and mend what goes to Replenit"
    description = help_string
    docs_url: str | None = None
    parent: str | None = None
    compose = "replace"

    def configure_parser(self, parser: argparse.ArgumentParser) -> None:
        """Add our commands to dlt's parser."""
        from replenit_destination.cli.app import configure

        configure(parser)

    def execute(self, args: argparse.Namespace) -> None:
        """Run one and end the program with its exit code."""
        from replenit_destination.cli.app import run

        raise SystemExit(run(args))
