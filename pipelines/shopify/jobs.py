"""Starts, watches and cancels bulk operations; knows which ones are its own.

Operations of other parts of the same app are left alone: they are never cancelled, and a slot that
they hold is waited for.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .documents import document
from .errors import AccessDeniedError, QueryRefusedError, ShopifyUnavailableError
from .marker import Marker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .client import ShopifyClient

__all__ = ["BulkDeniedError", "Job", "Jobs", "SlotsBusyError"]

logger = logging.getLogger(__name__)

KEPT = timedelta(days=7)  # Shopify keeps a result so long
START_ATTEMPTS = 3
LIVE = frozenset({"CREATED", "RUNNING", "CANCELING"})


class SlotsBusyError(Exception):
    """Other operations of this app hold every slot."""


class BulkDeniedError(Exception):
    """The app may not run bulk operations at all."""


@dataclass(frozen=True)
class Job:
    """A bulk operation as Shopify last described it; `size` is in bytes."""

    id: str
    status: str
    error_code: str | None
    created_at: datetime
    objects: int
    roots: int
    size: int | None
    url: str | None
    partial_url: str | None
    marker: Marker | None

    @property
    def live(self) -> bool:
        """Whether it still holds a slot."""
        return self.status in LIVE

    @property
    def number(self) -> str:
        """The last part of its id."""
        return self.id.rpartition("/")[2]


def _job(node: Mapping[str, Any]) -> Job:
    # The counts are strings in the JSON.
    return Job(
        id=node["id"],
        status=node["status"],
        error_code=node["errorCode"],
        created_at=datetime.fromisoformat(node["createdAt"]),
        objects=int(node["objectCount"]),
        roots=int(node["rootObjectCount"]),
        size=int(node["fileSize"]) if node["fileSize"] else None,
        url=node["url"],
        partial_url=node["partialDataUrl"],
        marker=Marker.of(node["query"]),
    )


class Jobs:
    """The bulk operations of one pipeline in one shop.

    Args:
        client: Talks to the shop.
        pipeline: The pipeline's name: part of every marker.
        now: The time.
    """

    def __init__(self, client: ShopifyClient, pipeline: str, now: Callable[[], datetime]) -> None:
        self.client = client
        self.pipeline = pipeline
        self.now = now
        self.started = 0

    def start(self, query: str, marker: Marker, *, grouped: bool) -> Job:
        """Start an operation.

        A request that got no answer is not simply sent again: it may have started the operation,
        so the list is looked at first.

        Raises:
            SlotsBusyError: Every slot is taken.
            BulkDeniedError: The app may not do this.
            QueryRefusedError: Shopify does not take the query.
        """
        text = f"{marker.comment()}\n{query}"
        variables = {"query": text, "group": grouped}
        for attempt in range(START_ATTEMPTS):
            try:
                payload = self._send("BulkRun", "bulk_run", variables)["bulkOperationRunQuery"]
                break
            except ShopifyUnavailableError:
                found = [job for job in self.own(marker.resource) if job.marker == marker]
                if found:
                    return found[0]
                if attempt == START_ATTEMPTS - 1:
                    raise
            except AccessDeniedError as error:
                raise BulkDeniedError(str(error)) from error
        errors = payload["userErrors"] or ()
        if any(error["code"] in ("OPERATION_IN_PROGRESS", "LIMIT_REACHED") for error in errors):
            raise SlotsBusyError
        if errors:
            words = "; ".join(str(error["message"]) for error in errors)
            message = f"Shopify refused a bulk query of {marker.resource}: {words}"
            raise QueryRefusedError(message)
        self.started += 1
        return _job(payload["bulkOperation"])

    def look(self, job: Job) -> Job:
        """Return an operation as it is now; one that Shopify no longer knows has expired."""
        node = self.client.query("BulkPoll", _text("bulk_poll"), {"id": job.id})["bulkOperation"]
        if node is None:
            return Job(**{**vars(job), "status": "EXPIRED", "url": None})
        return _job(node)

    def cancel(self, job: Job) -> None:
        """Cancel an operation of our own.

        Raises:
            ValueError: It has no marker of this pipeline.
        """
        if job.marker is None or job.marker.pipeline != self.pipeline:
            message = f"{job.id} is not an operation of this pipeline"
            raise ValueError(message)
        self.client.query("BulkCancel", _text("bulk_cancel"), {"id": job.id})

    def own(self, resource: str) -> list[Job]:
        """Return this pipeline's operations that Shopify still keeps, newest first."""
        since = (self.now() - KEPT).strftime("%Y-%m-%dT%H:%M:%SZ")
        search = f"operation_type:query AND created_at:>='{since}'"
        found: list[Job] = []
        after: str | None = None
        while True:
            variables = {"query": search, "after": after}
            listing = self.client.query("BulkList", _text("bulk_list"), variables)["bulkOperations"]
            jobs = (_job(node) for node in listing["nodes"])
            found += [
                job
                for job in jobs
                if job.marker
                and (job.marker.pipeline, job.marker.resource) == (self.pipeline, resource)
            ]
            if not listing["pageInfo"]["hasNextPage"]:
                return found
            after = listing["pageInfo"]["endCursor"]

    def _send(self, name: str, file: str, variables: Mapping[str, Any]) -> Any:
        return self.client.query(name, _text(file), variables, once=True)


def _text(file: str) -> str:
    return document(file, "operation")
