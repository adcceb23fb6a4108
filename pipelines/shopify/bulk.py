"""Reads one window of a listing through a bulk operation, whatever becomes of the operation.

    find by marker, or start → poll → COMPLETED → download → count → objects
                                    → CANCELED, EXPIRED → start again
                                    → TIMEOUT, INTERNAL_SERVER_ERROR, no progress → smaller window

What a failed operation left as partial data is not used: it is in no order, so it would be unknown
what is missing. A run that is interrupted leaves its operation alone: the next one takes it over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .documents import LISTINGS, Listing, bulk_query, document
from .download import UrlExpiredError, download
from .errors import AccessDeniedError, IntegrityError
from .jobs import Job, Jobs, SlotsBusyError
from .jsonl import Contents, objects, survey
from .marker import Marker, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from .client import ShopifyClient
    from .windows import Window

__all__ = ["BulkReader", "TooLargeError"]

logger = logging.getLogger(__name__)

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 1.0, 10.0
LONG_JOB_SECONDS, LONG_JOB_POLL_SECONDS = 600.0, 30.0
RESTARTS = 3


class TooLargeError(Exception):
    """The operation did not manage its window; try a smaller one."""


@dataclass(frozen=True)
class _Result:
    path: Path
    contents: Contents


class BulkReader:
    """Bulk operations as iterators of objects.

    Args:
        client: Talks to the shop.
        jobs: The operations of this pipeline.
        folder: Where results are kept until they are read; a later run goes on from there.
    """

    def __init__(self, client: ShopifyClient, jobs: Jobs, folder: Path) -> None:
        self.client = client
        self.jobs = jobs
        self.folder = folder
        self.grouped = client.settings.bulk.grouped
        self.consumed: dict[str, list[Job]] = {}  # by what they read
        self._own: dict[str, list[Job]] = {}
        self._used: set[str] = set()

    def found(
        self, listing: Listing, start: datetime | None, *, after: datetime | None
    ) -> list[Job]:
        """Return this pipeline's operations that begin a window at `start`, newest first.

        Args:
            listing: What they read.
            start: Where the window begins; None is the beginning of the shop.
            after: Operations created until then have been used up by an earlier run.
        """
        if listing.name not in self._own:
            self._own[listing.name] = self.jobs.own(listing.name)
        selection = fingerprint(self._query(listing, "FILTER"))
        return [
            job
            for job in self._own[listing.name]
            if job.marker
            and (job.marker.start, job.marker.selection) == (start, selection)
            and job.status in ("CREATED", "RUNNING", "COMPLETED")
            and job.id not in self._used
            and (after is None or job.created_at > after)
        ]

    def cancel_others(self, listing: Listing, start: datetime | None) -> None:
        """Cancel our own operations that still run for a window nobody asks for any more.

        Asked for is the one at `start`, and those that go on where an asked one ends.
        """
        wanted: set[str] = set()
        starts = [start]
        while starts:
            for job in self.found(listing, starts.pop(), after=None):
                if job.id not in wanted:
                    wanted.add(job.id)
                    starts += [job.marker.end] if job.marker else []
        for job in self._own[listing.name]:
            if job.status in ("CREATED", "RUNNING") and job.id not in wanted | self._used:
                logger.info("Shopify: cancelling %s, its window is no longer asked for", job.id)
                self.jobs.cancel(job)
                self._used.add(job.id)

    def read(
        self, listing: Listing, window: Window, job: Job | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the objects that changed in a window, children included, in no order.

        Args:
            listing: What to read.
            window: When it changed.
            job: An operation on the same window that was found.

        Raises:
            TooLargeError: A smaller window may work.
            SlotsBusyError: No slot became free.
            BulkDeniedError: The app may not run bulk operations.
            IntegrityError: The result is not what the operation counted, three times.
            AccessDeniedError: A scope or an approval is missing.
        """
        query = self._query(listing, window.search("updated_at"))
        marker = Marker(
            self.jobs.pipeline,
            listing.name,
            window.start,
            window.end,
            fingerprint(self._query(listing, "FILTER")),
        )
        yield from self._objects(listing, query, marker, job)

    def ids(self, listing: Listing) -> Iterator[str]:
        """Yield the global ids of everything that exists."""
        text = document(f"{listing.name}_ids_bulk")
        marker = Marker(self.jobs.pipeline, f"{listing.name}_ids", None, None, fingerprint(text))
        for node in self._objects(listing, text, marker, None):
            yield node["id"]

    def _query(self, listing: Listing, search: str) -> str:
        return bulk_query(listing, self.client.settings.version, search)

    def _objects(
        self, listing: Listing, query: str, marker: Marker, job: Job | None
    ) -> Iterator[dict[str, Any]]:
        if job:
            self._used.add(job.id)
        result = self._result(query, marker, job)
        if result is None:
            return
        yield from objects(result.path, result.contents, listing.children)
        result.path.unlink(missing_ok=True)

    def _result(self, query: str, marker: Marker, job: Job | None) -> _Result | None:
        """Return a whole result, None when nothing was found; starts again up to three times."""
        for _ in range(1 + RESTARTS):
            job = self._finished(job or self._started(query, marker))
            if job.status == "FAILED":
                self._explain(job, marker)
            if job.status == "COMPLETED":
                if not job.objects:
                    self.consumed.setdefault(marker.resource, []).append(job)
                    return None
                result = self._fetched(job)
                if result:
                    self.consumed.setdefault(marker.resource, []).append(job)
                    return result
            logger.warning("Shopify: %s ended as %s, starting it again", job.id, job.status)
            job = None
        message = (
            f"The bulk operation on {marker.resource} gave a result that is not what it counted, "
            f"{1 + RESTARTS} times."
        )
        raise IntegrityError(message)

    def _started(self, query: str, marker: Marker) -> Job:
        """Start an operation; waits for a slot as long as the settings allow."""
        settings = self.client.settings.bulk
        began = self.client.clock()
        while True:
            try:
                return self.jobs.start(query, marker, grouped=self.grouped)
            except SlotsBusyError:
                if self.client.clock() - began >= settings.busy_seconds:
                    raise
                self.client.wait(LONGEST_POLL_SECONDS)

    def _finished(self, job: Job) -> Job:
        """Watch an operation to its end.

        Raises:
            TooLargeError: It takes too long or makes no progress; it is cancelled.
        """
        settings = self.client.settings.bulk
        began = moved = self.client.clock()
        pause, seen = FIRST_POLL_SECONDS, -1
        while True:
            job = self.jobs.look(job)
            if not job.live:
                return job
            now = self.client.clock()
            if job.objects != seen:
                seen, moved = job.objects, now
            if now - began > settings.longest_seconds or now - moved > settings.stall_seconds:
                self._cancel(job)
                raise TooLargeError
            self.client.wait(pause)
            long = now - began > LONG_JOB_SECONDS
            pause = LONG_JOB_POLL_SECONDS if long else min(LONGEST_POLL_SECONDS, pause * 1.5)

    def _cancel(self, job: Job) -> None:
        logger.warning("Shopify: %s makes no progress, cancelling it", job.id)
        self.jobs.cancel(job)
        for _ in range(30):
            if not self.jobs.look(job).live:
                return
            self.client.wait(LONGEST_POLL_SECONDS)

    def _explain(self, job: Job, marker: Marker) -> None:
        """Raise what a failed operation means."""
        if job.error_code == "ACCESS_DENIED":
            # The operation does not say what was denied; the same query as a page does.
            name = next(one.name for one in LISTINGS if marker.resource.startswith(one.name))
            self.client.query(f"{name.title()}Count", document(f"{name}_probe"), {"limit": 1})
            message = (
                f"Shopify denied the bulk operation on {name}, though not the same query as a "
                "page: has the app all scopes, and access to protected customer data?"
            )
            raise AccessDeniedError(message)
        logger.warning(
            "Shopify: %s failed (%s) after %d objects; its partial data is not used",
            job.id,
            job.error_code,
            job.objects,
        )
        if job.error_code == "TIMEOUT":
            # "Enabling grouping slows down bulk operations and increases the likelihood of
            # timeouts" (schema); the reader copes with both orders.
            self.grouped = False
        raise TooLargeError

    def _fetched(self, job: Job) -> _Result | None:
        """Download and count a result; None when the operation has to be run again."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{job.number}.jsonl"
        for _ in range(2):
            if not self._downloaded(job, path):
                return None
            try:
                contents = survey(path)
            except IntegrityError as error:
                logger.warning("Shopify: %s", error)
                contents = Contents(-1, -1, grouped=False)
            size = path.stat().st_size
            found, told = (size, contents.lines, contents.roots), (job.size, job.objects, job.roots)
            if found == (job.size or size, job.objects, job.roots):
                return _Result(path, contents)
            logger.warning(
                "Shopify: %s has bytes, lines, roots %s instead of %s", job.id, found, told
            )
            path.unlink()
        return None

    def _downloaded(self, job: Job, path: Path) -> bool:
        """Fetch to `path`, asking for new addresses as often as one expires; False when all did."""
        for _ in range(RESTARTS):
            if job.url is None:
                return False
            try:
                download(
                    job.url,
                    path,
                    job.size,
                    wait=self.client.wait,
                    transport=self.client.transport,
                )
            except UrlExpiredError:
                job = self.jobs.look(job)
                continue
            return True
        return False
