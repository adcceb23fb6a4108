"""Compares all ids in the shop with the staged ones, to find what was deleted without a trace.

Shopify is only known to write destroy events for products. So now and then every id is listed; a
staged row whose id is not there is asked for once more by itself, and is gone only when Shopify
knows nothing of it either. A narrower permission is not a deletion: orders are swept only with a
token that sees all of them.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_left
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity, SqlClientNotAvailable
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from .documents import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping

    from .client import ShopifyClient
    from .documents import Listing

__all__ = ["gone", "is_due"]

logger = logging.getLogger(__name__)

ASKED_AT_ONCE = 250  # Shopify's limit for a list in an argument
READ_AT_ONCE = 10_000


def is_due(state: MutableMapping[str, Any], now: datetime, every: Any) -> bool:
    """Whether the last sweep is long enough ago; the first run has nothing to sweep."""
    if not every:
        return False
    last = state.setdefault("swept_at", now.isoformat())
    return bool(now - datetime.fromisoformat(last) >= every)


def gone(
    client: ShopifyClient, listing: Listing, kind: str, existing: Iterable[str]
) -> Iterator[list[str]]:
    """Yield the ids of staged rows that Shopify no longer knows, some at a time.

    Args:
        client: Talks to the shop.
        listing: What is compared.
        kind: The kind in its global ids, for instance `Product`.
        existing: The global id of everything in the shop.
    """
    # Eight bytes an id: a million of them is nothing.
    there = array("Q", (int(gid.rpartition("/")[2]) for gid in existing))
    numbers = array("Q", sorted(there))
    if not numbers:
        logger.warning("Shopify lists no %s at all: nothing is taken for deleted", listing.name)
        return
    doubtful: list[str] = []
    for staged in _staged(listing.name):
        if not _has(numbers, int(staged)):
            doubtful.append(staged)
        if len(doubtful) == ASKED_AT_ONCE:
            yield _unknown(client, kind, doubtful)
            doubtful = []
    if doubtful:
        yield _unknown(client, kind, doubtful)


def _has(numbers: array[int], number: int) -> bool:
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number


def _unknown(client: ShopifyClient, kind: str, ids: list[str]) -> list[str]:
    """Ask for each id by itself, and return those that give nothing."""
    gids = [f"gid://shopify/{kind}/{number}" for number in ids]
    nodes = client.query("Exists", document("exists"), {"ids": gids})["nodes"]
    return [number for number, node in zip(ids, nodes, strict=True) if node is None]


def _staged(table: str) -> Iterator[str]:
    """Yield the ids that earlier runs staged; none where the destination cannot be asked."""
    try:
        with dlt.current.pipeline().sql_client() as sql:
            name = sql.make_qualified_table_name(table)
            with sql.execute_query(f"SELECT id FROM {name}") as rows:
                while chunk := rows.fetchmany(READ_AT_ONCE):
                    yield from (str(row[0]) for row in chunk)
    except (DatabaseUndefinedRelation, DestinationUndefinedEntity):
        return
    except SqlClientNotAvailable:
        logger.warning("The destination cannot be asked for its ids: nothing is swept")
