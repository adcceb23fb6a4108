"""Reads what changed in a window, by pages or in bulk, whichever suits the number of objects.

    count ≤ bulk_above        → pages
    count > bulk_above        → bulk, in parts of at most so many objects as one job managed so far
    an operation that was found, begun by a run that died → its window is the next part

A part that a job does not manage is halved; below a quarter of an hour it is read by pages.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .bulk import BulkReader, TooLargeError
from .documents import document
from .jobs import BulkDeniedError, Job, SlotsBusyError
from .windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .client import ShopifyClient
    from .documents import Listing

__all__ = ["Changes", "Part"]

logger = logging.getLogger(__name__)

Node = dict[str, Any]
SMALLEST = timedelta(minutes=15)
PAGE_OF_BULK = 500  # objects handed on at a time
BEGINNING = datetime(2004, 1, 1, tzinfo=UTC)  # there was no Shopify before


@dataclass(frozen=True)
class Part:
    """A stretch of a window, read in one go; `count` is capped, `job` was found."""

    window: Window
    count: int = 0
    job: Job | None = None


class Changes:
    """Chooses how to read; remembers, for one run, how much a job manages.

    Args:
        client: Talks to the shop.
        bulk: Reads in bulk.
    """

    def __init__(self, client: ShopifyClient, bulk: BulkReader) -> None:
        self.client = client
        self.bulk = bulk
        self.settings = client.settings.bulk
        self.rows = self.settings.rows
        self.enabled = self.settings.enabled

    def read(
        self,
        listing: Listing,
        window: Window,
        pages: Callable[[str], Iterator[list[Node]]],
        *,
        after: datetime | None = None,
    ) -> Iterator[list[Node]]:
        """Yield every object that changed in a window, some at a time.

        Args:
            listing: What to read.
            window: When it changed.
            pages: Reads a filter page by page.
            after: Bulk operations created until then belong to earlier runs.
        """
        if not self.enabled or self.count(listing, window) <= self.settings.above:
            yield from pages(window.search("updated_at"))
            return
        position, first = window.start, True
        while first or (position is not None and position < window.end):
            rest = Window(position, window.end)
            part = self._next(listing, rest, after)
            try:
                yield from self._part(listing, part, pages)
            except TooLargeError:
                self.rows = max(self.settings.above, min(self.rows, part.count) // 2)
                continue
            position, first = part.window.end, False

    def count(self, listing: Listing, window: Window, limit: int | None = None) -> int:
        """Return how many objects changed in a window, counted up to a limit.

        It is also the check that Shopify understands the filter: a bulk query gives no warnings.
        """
        limit = self.settings.above + 1 if limit is None else limit
        variables = {"query": window.search("updated_at"), "limit": limit}
        name = f"{listing.name.title()}Count"
        data = self.client.query(name, document(f"{listing.name}_probe"), variables)
        return int(data[f"{listing.name}Count"]["count"])

    def _part(
        self, listing: Listing, part: Part, pages: Callable[[str], Iterator[list[Node]]]
    ) -> Iterator[list[Node]]:
        small = part.job is None and part.count <= self.settings.above
        if self.enabled and not small and not self._tiny(part.window):
            began = self.client.clock()
            try:
                yield from _chunks(self.bulk.read(listing, part.window, part.job))
            except BulkDeniedError as error:
                self.enabled = False
                logger.warning("Shopify: no bulk operations, reading page by page: %s", error)
            except SlotsBusyError:
                logger.warning("Shopify: all bulk slots are taken, reading page by page")
            else:
                self._learn(self.client.clock() - began)
                return
        yield from pages(part.window.search("updated_at"))

    def _tiny(self, window: Window) -> bool:
        return window.start is not None and window.end - window.start <= SMALLEST

    def _learn(self, seconds: float) -> None:
        """Let parts grow while jobs are quick, and shrink when one took long."""
        if seconds < self.settings.target_seconds / 2:
            self.rows = min(self.rows * 2, self.settings.most_rows)
        elif seconds > self.settings.target_seconds * 2:
            self.rows = max(self.settings.above, self.rows // 2)

    def _next(self, listing: Listing, rest: Window, after: datetime | None) -> Part:
        """Return the next part: a found operation's, or one that a job can manage."""
        for job in self.bulk.found(listing, rest.start, after=after):
            end = job.marker.end if job.marker else None
            if end and end <= rest.end:
                logger.info("Shopify: going on with %s", job.id)
                self.bulk.cancel_others(listing, rest.start)
                return Part(Window(rest.start, end), self.rows, job)
        self.bulk.cancel_others(listing, rest.start)
        return self._cut(listing, rest)

    def _cut(self, listing: Listing, rest: Window) -> Part:
        """Halve a window until it holds no more than a job manages, or is tiny."""
        window = rest
        while True:
            count = self.count(listing, window, self.rows + 1)
            if count <= self.rows or self._tiny(window):
                return Part(window, count)
            begin = window.start or self._oldest(listing, window)
            middle = (begin + (window.end - begin) / 2).replace(microsecond=0)
            if middle <= begin:
                return Part(window, count)
            window = Window(rest.start, middle)

    def _oldest(self, listing: Listing, window: Window) -> datetime:
        name = f"{listing.name.title()}Oldest"
        variables = {"query": window.search("updated_at")}
        data = self.client.query(name, document(f"{listing.name}_probe"), variables)
        nodes = data[listing.name]["nodes"]
        return datetime.fromisoformat(nodes[0]["updatedAt"]) if nodes else BEGINNING


def _chunks(nodes: Iterator[Node]) -> Iterator[list[Node]]:
    chunk: list[Node] = []
    for node in nodes:
        chunk.append(node)
        if len(chunk) == PAGE_OF_BULK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
