"""Tell what was sent about a person, and when.

Lists every request's part that was about a person or a document of theirs: the action, the
consents that were given and withheld, the answer and the request's id. Works after the person was
forgotten, too: the log knows keyed hashes only.

Example:
  dlt replenit log --email ada@example.com
  dlt replenit log --entity orders --key 1001 --since 2026-01-01
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.moments import moment, moment_of
from replenit_destination.cli.pipelines import account, add_pipeline
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument("--email", metavar="ADDRESS", help="the person's address")
    parser.add_argument("--customer-id", metavar="ID", help="the person's id in the shop")
    parser.add_argument("--entity", metavar="NAME", help="customers or orders, with --key")
    parser.add_argument("--key", metavar="KEY", help="one document's key")
    parser.add_argument("--since", metavar="MOMENT", help="a moment, or a span such as 30d")


def run(options: argparse.Namespace, console: Console) -> int:
    """Print what was sent, the oldest first."""
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.delivery_log import sent_about
    from replenit_destination.engine.own_ledger import own_ledger

    names = [name for name in (options.email, options.customer_id) if name]
    if bool(options.entity) != bool(options.key) or not (names or options.key):
        message = "say who: --email, --customer-id, or --entity with --key"
        raise SettingsError(message)
    clock, since = SystemClock(), None
    if options.since:
        since = moment_of("--since", options.since, clock.now(), ahead=False)
    whose = account(options)
    wait_seconds = whose.lock_wait_seconds
    with own_ledger(whose.ledger, whose.target, clock=clock, wait_seconds=wait_seconds) as ledger:
        sent = sent_about(
            ledger, names=names, entity=options.entity or "", key=options.key or "", since=since
        )
    console.result([one.to_dict() for one in sent])
    columns = ("when", "entity", "key", "action", "verdict", "given", "withheld", "request")
    console.table(
        columns,
        [
            (
                moment(one.moment),
                one.entity,
                one.key_hash[:10],
                one.action,
                one.verdict,
                " ".join(one.given),
                " ".join(one.withheld),
                one.request_id,
            )
            for one in sent
        ],
    )
    if not sent:
        console.tell("Nothing is on record.")
    return 0
