"""What a command is going to cost, shown before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.moments import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.cli.console import Console
    from replenit_destination.engine.tenancy import Price

__all__ = ["show_prices"]


def show_prices(prices: Sequence[Price], console: Console, title: str) -> None:
    """Show documents, requests and time of quota, with their sum."""
    rows = [(one.entity, one.documents, one.requests, duration(one.minutes * 60)) for one in prices]
    documents, requests = (sum(row[place] for row in rows) for place in (1, 2))  # type: ignore[misc]
    minutes = sum(one.minutes for one in prices)
    console.show(title)
    console.table(
        ("", "documents", "requests", "quota"),
        [*rows, ("in all", documents, requests, duration(minutes * 60))],
    )
