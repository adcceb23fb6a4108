"""Forget what this tenant holds, so that the next push sends everything again.

For a tenant that was emptied or set up anew at Replenit. It tells the price first: documents,
requests, and minutes of quota. The quota's windows, the history of runs and tombstones are kept.
What Replenit still holds and the source has no more is never deleted afterwards, since nothing
knows of it any more.

Example:
  dlt replenit reset-tenant
  dlt replenit reset-tenant --yes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.confirmation import NOT_CONFIRMED, add_yes, confirmed
from replenit_destination.cli.pipelines import add_pipeline, changed_ledger
from replenit_destination.cli.prices import show_prices

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    add_yes(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Tell the price, ask, and forget."""
    from replenit_destination.engine.own_ledger import view_of
    from replenit_destination.engine.tenancy import resend_prices, void

    with changed_ledger(options) as (of, ledger):
        prices = resend_prices(view_of(ledger), of.target, quota_share=of.quota_share)
        show_prices(prices, console, "Sending everything again costs about:")
        told = {"tenant": of.target.tenant, "prices": [one.to_dict() for one in prices]}
        if not confirmed(options, console, f"Forget what tenant {of.target.tenant} holds?"):
            console.result({**told, "forgotten": None})
            return NOT_CONFIRMED
        count = void(ledger)
    console.result({**told, "forgotten": count})
    console.show(f"{count:,} documents are forgotten; the next push sends everything.")
    return 0
