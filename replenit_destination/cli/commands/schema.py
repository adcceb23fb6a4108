"""Print the form of mapping files as a JSON Schema, for editors.

With it an editor completes the fields of Replenit and marks what is misspelt while you type. Put
`#:schema mapping.schema.json` into the first line of the mapping: Taplo, and with it Even Better
TOML in VS Code, reads that. --pipeline takes the extra and required fields of that tenant.

Example:
  dlt replenit schema > mapping.schema.json
  taplo check --schema "file://$PWD/mapping.schema.json" mapping.toml
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import account, add_pipeline

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Print it; it is JSON with and without --json."""
    from replenit_destination.targets.replenit.mapping_schema import replenit_mapping_schema

    settings = account(options).target.settings if options.pipeline else None
    schema = replenit_mapping_schema(settings)
    console.result(schema)
    console.show(json.dumps(schema, indent=2))
    return 0
