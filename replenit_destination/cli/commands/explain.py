"""Say why a document is at Replenit, or is not.

Follows one document from the staged rows to what Replenit accepted, when, and with which request.
ENTITY is customers, orders or products; KEY is the document's key (an address in any case) or the
row's id at the source. Content is told with --show only: it may be a person's.

With --sql it prints the mapping as the SQL that makes the documents; KEY is not needed then.

Example:
  dlt replenit explain orders 1001
  dlt replenit explain customers ada@example.com --show
  dlt replenit explain orders --sql
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from replenit_destination.cli.pipelines import add_pipeline, opened
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("entity", metavar="ENTITY", help="customers, orders or products")
    parser.add_argument("key", metavar="KEY", nargs="?", help="the document's key, or its row's id")
    add_pipeline(parser)
    parser.add_argument("--show", action="store_true", help="also the key and the content")
    parser.add_argument("--sql", action="store_true", help="print the mapping as SQL")


def run(options: argparse.Namespace, console: Console) -> int:
    """Explain one document; 1 when Replenit does not have it as it is today."""
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.explanation import Explainer
    from replenit_destination.engine.ledger_view import read_ledger

    if options.key is None and not options.sql:
        message = "KEY: say which document, or --sql"
        raise SettingsError(message)
    with (
        opened(options, wait=False) as setup,
        read_ledger(setup.ledger, setup.target) as view,
    ):
        now = SystemClock().now()
        explainer = Explainer(
            setup.staged, setup.target, setup.mapping, options.entity, view, now=now
        )
        sql = explainer.sql() if options.sql else ""
        found = explainer.explain(options.key) if options.key is not None else None
    if found is None:
        console.result({"entity": options.entity, "sql": sql})
        console.show(sql)
        return 0
    told = found.to_dict(show=options.show)
    console.result({**told, "sql": sql} if sql else told)
    _show(told, console)
    console.show(f"\n{sql}" if sql else "")
    known = told["document"]["verdict"] == "unchanged" or (told["accepted"] or {}).get("purged")
    return 0 if known else 1


def _show(told: dict[str, Any], console: Console) -> None:
    name = f" {told['key']}" if "key" in told else ""
    console.show(f"{told['entity']} {told['key_hash']}{name}")
    for row in told["staged"]:
        state = " (left out by the filter)" if row["filtered"] else ""
        state += " (destroyed)" if row["destroyed"] else ""
        loaded = f", loaded {row['loaded']} by load {row['load_id']}" if row["load_id"] else ""
        console.show(f"  staged    {row['table']}{loaded}, {row['children']} child rows{state}")
        console.show(f"            {_content(row, 'columns', 'values')}")
    document = told["document"]
    if document["fields"]:
        console.show(f"  document  {_content(document, 'fields', 'payload')}")
    for note in document["notes"]:
        console.show(f"            {note}")
    if accepted := told["accepted"]:
        request = f", request id {accepted['request_id']}" if accepted["request_id"] else ""
        load = f", load {accepted['load_id']}" if accepted["load_id"] else ""
        counted = "" if accepted["counted"] else ", not counted by Replenit"
        console.show(f"  accepted  {accepted['at']}{request}, run {accepted['run']}{load}{counted}")
    if refused := told["refused"]:
        console.show(
            f"  {refused['state']:9} since {refused['since']}, {refused['attempts']} times:"
            f" {refused['field']} {refused['reason']}"
        )
        if refused["words"]:
            console.show(f"            {refused['words']}")
    if told["backlog"]:
        console.show(f"  backlog   {told['backlog']}")
    console.show()
    for sentence in told["conclusion"]:
        console.show(sentence)


def _content(told: dict[str, Any], names: str, values: str) -> str:
    if values in told:
        return json.dumps(told[values], default=str, ensure_ascii=False)
    return ", ".join(told[names])
