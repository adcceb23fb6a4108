"""What one run does: look at the shop, read what changed, then what was deleted."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt

from . import preflight, records, sweep
from .bulk import BulkReader
from .changes import Changes
from .documents import CUSTOMERS, ORDERS, PRODUCTS, Listing
from .jobs import BulkDeniedError, Jobs, SlotsBusyError
from .pager import Pager
from .windows import Asked, Window, close_window, next_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

    from .client import ShopifyClient

__all__ = ["Reader"]

Rows = list[dict[str, Any]]
FOLDER = "shopify_bulk"
SAFETY = timedelta(minutes=10)  # between Shopify's clock and ours


class Reader:
    """Reads the three resources of one run; the first to start looks at the shop.

    Args:
        client: Talks to the shop.
        now: The time.
        asked: What the run was asked to read.
    """

    def __init__(self, client: ShopifyClient, now: Callable[[], datetime], asked: Asked) -> None:
        self.client = client
        self.pager = Pager(client)
        self.now = now
        self.asked = asked
        self._shop: preflight.Shop | None = None
        self._changes: Changes | None = None

    @property
    def shop(self) -> preflight.Shop:
        """The shop, looked at once."""
        if self._shop is None:
            begin = self.asked.since or (None if self.asked.full else self.asked.begin)
            self._shop = preflight.look(self.client, now=self.now(), begin=begin)
        return self._shop

    @property
    def changes(self) -> Changes:
        """The way to read; one for the run, because it learns how much an operation manages."""
        if self._changes is None:
            name, folder = _place()
            jobs = Jobs(self.client, name, self.now)
            self._changes = Changes(self.client, BulkReader(self.client, jobs, folder))
        return self._changes

    def customers(self) -> Iterator[Rows]:
        """Yield customers that changed, and those destroyed."""
        _ = self.shop
        yield from self._read(CUSTOMERS, self.pager.customers, records.customer_row)

    def orders(self) -> Iterator[Rows]:
        """Yield orders that changed, with lines and refunds, and those destroyed."""
        _ = self.shop
        buyers = self.client.settings.buyers_currency

        def row(node: dict[str, Any]) -> dict[str, Any]:
            made = records.order_row(node)
            return records.in_buyers_currency(made) if buyers else made

        yield from self._read(ORDERS, self.pager.orders, row)

    def products(self) -> Iterator[Rows]:
        """Yield products that changed, with variants, and those destroyed."""
        shop = self.shop

        def row(node: dict[str, Any]) -> dict[str, Any]:
            return records.product_row(node, currency=shop.currency, language=shop.language)

        yield from self._read(PRODUCTS, self.pager.products, row)

    def _read(
        self,
        listing: Listing,
        pages: Callable[[str], Iterator[list[dict[str, Any]]]],
        row: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Iterator[Rows]:
        """Yield what changed in the next window, then what was destroyed."""
        state = dlt.current.resource_state()
        begun = self.now()
        window = next_window(state, self.client.settings, begun, self.asked)
        if window is None:
            return
        used = state.get("bulk_until")
        after = datetime.fromisoformat(used) if used else None
        for page in self.changes.read(listing, window, pages, after=after):
            yield [row(node) for node in page]
        taken = [job.created_at for job in self.changes.bulk.consumed.get(listing.name, ())]
        yield from self._destroyed(listing, self._exposed(window, begun, min(taken, default=None)))
        if sweep.is_due(state, begun, self.client.settings.sweep) or (
            self.asked.full and not window.first
        ):
            yield from self._swept(listing, state, begun)
        if taken:
            state["bulk_until"] = max(taken).isoformat()
        close_window(state, window)

    def _exposed(self, window: Window, begun: datetime, taken: datetime | None) -> Window:
        """Return the time in which something that is staged may have been destroyed.

        In the first run that is from when it was read: an operation taken over may be days old.
        """
        if not window.first:
            return window
        read_at = min(begun, taken) if taken else begun
        return Window(min(read_at - SAFETY, window.end), max(window.end, self.now()))

    def _destroyed(self, listing: Listing, window: Window) -> Iterator[Rows]:
        search = window.search("created_at", f"subject_type:{listing.subject}", "action:destroy")
        for page in self.pager.deletions(search):
            yield [
                records.deleted_row(event)
                for event in page
                # Trust the answer, not the filter: a delete must never rest on a search term alone.
                if event["action"] == "destroy" and event.get("subjectType") == listing.subject
            ]

    def _swept(
        self, listing: Listing, state: MutableMapping[str, Any], begun: datetime
    ) -> Iterator[Rows]:
        if listing is ORDERS and not self.shop.shows_all_orders:
            return
        kind = listing.subject.title()
        for numbers in sweep.gone(self.client, listing, kind, self._ids(listing)):
            yield [
                records.deleted_row({"subjectId": f"/{n}", "createdAt": begun.isoformat()})
                for n in numbers
            ]
        state["swept_at"] = begun.isoformat()

    def _ids(self, listing: Listing) -> Iterator[str]:
        """Yield every id there is, in bulk where there are many."""
        everything = Window(None, self.now() + timedelta(days=1))
        if self.changes.enabled and (
            self.changes.count(listing, everything) > self.client.settings.bulk.above
        ):
            try:
                yield from self.changes.bulk.ids(listing)
            except (BulkDeniedError, SlotsBusyError):
                pass
            else:
                return
        for page in self.pager.ids(listing):
            yield from page


def _place() -> tuple[str, Path]:
    """Return the pipeline's name, and where results are kept: a later run goes on from there."""
    try:
        pipeline = dlt.current.pipeline()
        return pipeline.pipeline_name, Path(pipeline.working_dir) / FOLDER
    except Exception:
        return "shopify", Path(tempfile.mkdtemp(prefix=FOLDER))
