"""Bulk operations: jobs that run beside the requests and leave a file of JSON lines.

    CREATED → RUNNING → COMPLETED, or by its fate FAILED, CANCELED, EXPIRED; cancelled: CANCELING →
    CANCELED

A job's life is told by the double's clock and moves on when somebody looks. Its data is what the
shop holds at the moment the job runs. Five queries run at a time per app and shop (shopify.dev,
from 2026-01 on); messages and counts are recorded ones.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from replenit_destination.sandbox.shopify.projection import Projection, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphql import GraphQLSchema

    from replenit_destination.sandbox.shopify.store import ShopStore

    Views = Callable[[str, str | None], Iterator[dict[str, Any]]]

__all__ = ["BulkJob", "BulkJobs", "Fate"]

View = dict[str, Any]
LIVE = ("CREATED", "RUNNING", "CANCELING")


@dataclass(frozen=True)
class Fate:
    """What becomes of a job, where that is not plain success.

    Args:
        status: How it ends: COMPLETED, FAILED, CANCELED or EXPIRED.
        error_code: Of a FAILED one.
        after_roots: How many root objects it reaches; what it has then is its partial data.
        lost_lines: How many lines the file lacks, although they are counted.
        stalls: It runs for ever, until it is cancelled.
        ungrouped: It writes children away from their parents, whatever was asked.
    """

    status: str = "COMPLETED"
    error_code: str | None = None
    after_roots: int | None = None
    lost_lines: int = 0
    stalls: bool = False
    ungrouped: bool = False


@dataclass
class BulkJob:
    """One operation and its file."""

    number: int
    query: str
    grouped: bool
    created_at: str
    started: float
    fate: Fate = Fate()
    status: str = "CREATED"
    error_code: str | None = None
    completed_at: str | None = None
    objects: int = 0
    roots: int = 0
    size: int = 0
    url: str | None = None
    partial_url: str | None = None
    file: Path | None = None
    work: Callable[[], None] | None = None
    produced: threading.Event = field(default_factory=threading.Event)

    @property
    def gid(self) -> str:
        """Shopify's global id."""
        return f"gid://shopify/BulkOperation/{self.number}"

    @property
    def record(self) -> View:
        """What a search over operations looks at."""
        return {
            "id": self.number,
            "createdAt": self.created_at,
            "completedAt": self.completed_at,
            "operationType": "QUERY",
            "status": self.status,
            "job": self,
        }

    @property
    def view(self) -> View:
        """The `BulkOperation`; its counts are strings (recorded)."""
        return {
            "__typename": "BulkOperation",
            "id": self.gid,
            "status": self.status,
            "type": "QUERY",
            "errorCode": self.error_code,
            "createdAt": self.created_at,
            "completedAt": self.completed_at,
            "objectCount": str(self.objects),
            "rootObjectCount": str(self.roots),
            "fileSize": str(self.size) if self.url else None,
            "url": self.url,
            "partialDataUrl": self.partial_url,
            "query": self.query,
        }


class BulkJobs:
    """The bulk operations of one app in one shop.

    Args:
        shop: Gives ids and the time of day.
        clock: Seconds, by which jobs move on.
    """

    def __init__(self, shop: ShopStore, clock: Callable[[], float]) -> None:
        self.shop = shop
        self.clock = clock
        self.jobs: dict[int, BulkJob] = {}
        self.fates: deque[Fate] = deque()
        self.enabled = True
        self.slots = 5
        self.queue_seconds = 0.5
        self.run_seconds = 1.0
        self.cancel_seconds = 0.5
        self.in_background = False
        self.base_url = ""
        self.signatures: dict[int, str] = {}
        self._cancelled: dict[int, float] = {}
        self._folder: Path | None = None

    def close(self) -> None:
        """Remove every file."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def live(self) -> list[BulkJob]:
        """Return the jobs that hold a slot."""
        return [job for job in self.all() if job.status in LIVE]

    def all(self) -> list[BulkJob]:
        """Return every job as it is now."""
        for job in self.jobs.values():
            self._move_on(job)
        return list(self.jobs.values())

    def start(self, query: str, *, grouped: bool, schema: GraphQLSchema, views: Views) -> BulkJob:
        """Start a job; `views` gives the root objects of a connection and a filter, in order."""
        job = self._add(query, grouped=grouped)
        job.fate = self.fates.popleft() if self.fates else Fate()
        projection = Projection(schema, query)
        job.work = lambda: self._produce(job, projection, views)
        if self.in_background:
            threading.Thread(target=job.work, name=f"bulk-{job.number}", daemon=True).start()
        return job

    def start_foreign(self, *, seconds: float = 3600) -> BulkJob:
        """Let another part of the same app run a query of its own."""
        job = self._add("{ products { edges { node { id } } } }", grouped=False)
        job.started += seconds
        job.work = job.produced.set
        return job

    def cancel(self, job: BulkJob) -> BulkJob:
        """Begin to cancel a job that is still live."""
        self._move_on(job)
        if job.status in ("CREATED", "RUNNING"):
            job.status = "CANCELING"
            self._cancelled[job.number] = self.clock()
        return job

    def expire(self, job: BulkJob) -> None:
        """Let seven days pass for a job: its file is gone."""
        job.status, job.url = "EXPIRED", None

    def expire_urls(self) -> None:
        """Let every address that was handed out stop working; a new look gives a new one."""
        for number in self.signatures:
            self.signatures[number] = secrets.token_hex(8)

    def address(self, job: BulkJob) -> str:
        """Return the signed address of a job's file."""
        signature = self.signatures.setdefault(job.number, secrets.token_hex(8))
        return f"{self.base_url}bulk-results/{job.number}.jsonl?signature={signature}"

    def look(self, job: BulkJob) -> BulkJob:
        """Return a job as it is now."""
        self._move_on(job)
        return job

    def _add(self, query: str, *, grouped: bool) -> BulkJob:
        with self.shop.lock:
            number = self.shop.new_id()
            job = BulkJob(number, query, grouped, self.shop.now(), self.clock())
            self.jobs[number] = job
            return job

    def _move_on(self, job: BulkJob) -> None:
        now = self.clock()
        if job.status == "CANCELING":
            if now >= self._cancelled[job.number] + self.cancel_seconds:
                job.status = "CANCELED"
            return
        if job.status not in LIVE:
            if job.url:
                job.url = self.address(job)
            return
        age = now - job.started
        if age < self.queue_seconds:
            return
        job.status = "RUNNING"
        if age < self.queue_seconds + self.run_seconds or job.fate.stalls:
            return
        if job.work and not self.in_background:
            job.work()
        if job.produced.is_set():
            self._finish(job)

    def _finish(self, job: BulkJob) -> None:
        job.status = job.fate.status
        job.error_code = job.error_code or job.fate.error_code
        if job.error_code:
            job.status = "FAILED"
        if job.status == "COMPLETED":
            job.completed_at = self.shop.now()
            # Nothing found: no file at all (shopify.dev).
            job.url = self.address(job) if job.objects else None
        elif job.status in ("FAILED", "CANCELED") and job.objects:
            job.partial_url = self.address(job)

    def _produce(self, job: BulkJob, projection: Projection, views: Views) -> None:
        """Write the file; what a query may not see fails the whole job."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="shopify-double-"))
        job.file = self._folder / f"{job.number}.jsonl"
        try:
            with job.file.open("w", encoding="utf-8", newline="") as file:
                self._write(job, projection, views, file)
        except PermissionError:
            job.error_code, job.objects = "ACCESS_DENIED", 0
        job.size = job.file.stat().st_size
        job.produced.set()

    def _write(self, job: BulkJob, projection: Projection, views: Views, file: TextIO) -> None:
        later: dict[int, list[str]] = {}
        left = job.fate.lost_lines
        scattered = job.fate.ungrouped or not job.grouped
        for view in views(projection.root, projection.filter):
            if job.fate.after_roots is not None and job.roots >= job.fate.after_roots:
                break
            job.roots += 1
            for depth, content in projection.lines(view):
                job.objects += 1
                if left and depth:
                    left -= 1
                    continue
                if scattered and depth:
                    later.setdefault(depth, []).append(line_of(content))
                else:
                    file.write(line_of(content))
        # Children come after their parents, wherever that is.
        for depth in sorted(later):
            file.writelines(later[depth])
