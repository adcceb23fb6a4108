"""Delete at Replenit everything this tenant holds, and forget it here.

Every document that the ledger knows takes one request; guards do not apply. It tells the price
first. Interrupted, or at the end of a budget, it goes on when it is run again. Delivery is paused
for good, since the staged rows would be sent again; `resume` ends that. With --local-only nothing
is sent: only the ledger forgets. Staged rows and dlt's files are not touched.

Example:
  dlt replenit offboard
  dlt replenit offboard --yes --max-requests 4000
  dlt replenit offboard --local-only --yes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.confirmation import NOT_CONFIRMED, add_yes, confirmed
from replenit_destination.cli.pipelines import account, add_pipeline, pipeline_of
from replenit_destination.cli.prices import show_prices

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console
    from replenit_destination.destinations.accounts import Account

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    add_yes(parser)
    parser.add_argument("--local-only", action="store_true", help="forget here, delete nothing")
    parser.add_argument("--max-requests", type=int, metavar="N", help="stop cleanly after so many")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop cleanly after so long")


def run(options: argparse.Namespace, console: Console) -> int:
    """Tell the price, ask, and delete."""
    from replenit_destination.destinations.state_sessions import state

    with state(pipeline_of(options)):
        return _offboard(options, console)


def _offboard(options: argparse.Namespace, console: Console) -> int:
    from replenit_destination.destinations.offboard import offboard
    from replenit_destination.engine.ledger_view import read_ledger
    from replenit_destination.engine.tenancy import deletion_prices

    of = account(options)
    tenant = of.target.tenant
    with read_ledger(of.ledger, of.target) as view:
        prices = deletion_prices(view, of.target, quota_share=of.quota_share) if view else []
    documents = sum(one.documents for one in prices)
    if options.local_only:
        question = f"Forget {documents:,} documents of tenant {tenant}? Replenit keeps them."
    else:
        show_prices(prices, console, "Deleting everything costs about:")
        question = f"Delete {documents:,} documents of tenant {tenant} at {of.target.host}?"
    if not confirmed(options, console, question):
        console.result({"tenant": tenant, "prices": [one.to_dict() for one in prices]})
        return NOT_CONFIRMED
    if options.local_only:
        return _forget(of, console)
    report = offboard(
        pipeline_of(options), max_requests=options.max_requests, max_seconds=options.max_seconds
    )
    console.result(report.to_dict())
    console.show(report.summary)
    return report.exit_code


def _forget(of: Account, console: Console) -> int:
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.offboard import forget_tenant

    count = forget_tenant(
        of.target, ledger=of.ledger, clock=SystemClock(), wait_seconds=of.lock_wait_seconds
    )
    console.result({"tenant": of.target.tenant, "forgotten": count})
    console.show(f"{count:,} documents are forgotten here; Replenit still has them.")
    return 0
