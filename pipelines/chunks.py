"""A long stretch of time, piece by piece: what `backfill.py` shows and runs.

    from chunks import Backfill
    from stretch import Asked

    job = Backfill(Asked("csv", demo=True, since=since, days=30, max_requests=500))
    for chunk in job.run():
        print(chunk.label, chunk.state, chunk.requests)

The whole catalogue goes first, since orders of any time refer to it; then the newest piece, which
is worth most, and from whose end later runs of the script go on. What is done is kept in a small
file beside the ledger, so that the next run goes on where this one stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.runtime.collector import Collector
from launch import DEMO_FOLDER
from stretch import DELIVERED, STAGED, WAITING, Asked, Chunk, chunks_of

from replenit_destination.destinations.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replenit_destination.engine.plan import Plan

__all__ = ["Backfill", "Outcome"]

DONE, PARTLY, STOPPED = 0, 1, 3


@dataclass
class Outcome:
    """How a backfill ended, in the shape of a run's report."""

    chunks: list[Chunk]
    requests: int
    exit_code: int
    last: Any = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return it for a program; `last_run` is the last delivery's report."""
        last = self.last.to_dict() if self.last else None
        chunks = [asdict(chunk) for chunk in self.chunks]
        return {
            "exit_code": self.exit_code,
            "requests": self.requests,
            "chunks": chunks,
            "last_run": last,
        }

    @property
    def summary(self) -> str:
        """Return it for a person."""
        done = sum(chunk.state == DELIVERED for chunk in self.chunks)
        requests = "1 request" if self.requests == 1 else f"{self.requests:,} requests"
        head = f"{done} of {len(self.chunks)} pieces are delivered, {requests} in this run."
        rest = "" if done == len(self.chunks) else " Run it again to go on."
        return "\n".join([head + rest, *([self.last.summary] if self.last else [])])


class Backfill:
    """The pieces of a stretch of time, and what has become of them.

    Raises:
        ValueError: The stretch ends before it begins, or a piece has no length.
    """

    def __init__(self, asked: Asked) -> None:
        if asked.days < 1 or (asked.until and asked.until <= asked.since):
            message = "the stretch ends before it begins, or --chunk-days is below 1"
            raise ValueError(message)
        self.asked = asked
        self.script = import_module(f"{asked.source}_to_replenit")
        self.path = _place(asked)
        kept = None if asked.restart else self._kept()
        self.chunks = kept or chunks_of(asked, datetime.now(UTC))
        self.requests = 0
        self.last: Any = None

    def run(
        self,
        on_progress: Callable[[Chunk, int, int], None] | None = None,
        on_planned: Callable[[Chunk, Plan], None] | None = None,
    ) -> Iterator[Chunk]:
        """Deliver piece by piece, and yield each when it changed its state.

        Ends early when the budget is spent, or a piece was stopped.

        Args:
            on_progress: Called with a piece, the documents delivered of it, and their total.
            on_planned: Called with a piece and its plan when it is staged and none of it is sent.
        """
        for chunk in self.chunks:
            left = self._left()
            if chunk.state == DELIVERED:
                continue
            if left == 0:
                return
            self._deliver(chunk, left, on_progress, on_planned)
            yield chunk
            if chunk.state != DELIVERED:
                return

    def plan(self) -> tuple[Chunk, Plan] | None:
        """Read and stage the next piece, send nothing, and return it with its plan.

        None when every piece is delivered.
        """
        planned: list[Plan] = []
        for chunk in self.chunks:
            if chunk.state != DELIVERED:

                def staged(pipeline: dlt.Pipeline, chunk: Chunk = chunk) -> None:
                    planned.append(self._planned(chunk, pipeline))

                self._run(chunk, None, staged, stage_only=True)
                return chunk, planned[0]
        return None

    def outcome(self) -> Outcome:
        """Return how it stands."""
        if any(chunk.state != DELIVERED for chunk in self.chunks):
            code = STOPPED
        elif any(chunk.refused for chunk in self.chunks):
            code = PARTLY
        else:
            code = self.last.exit_code if self.last else DONE
        return Outcome(self.chunks, self.requests, code, self.last)

    def _left(self) -> int | None:
        limit = self.asked.max_requests
        return None if limit is None else max(0, limit - self.requests)

    def _deliver(
        self,
        chunk: Chunk,
        left: int | None,
        on_progress: Callable[[Chunk, int, int], None] | None,
        on_planned: Callable[[Chunk, Plan], None] | None,
    ) -> None:
        def staged(pipeline: dlt.Pipeline) -> None:
            if on_planned:
                on_planned(chunk, self._planned(chunk, pipeline))
            if on_progress:
                pipeline.collector = _Progress(lambda *counts: on_progress(chunk, *counts))

        report = self._run(chunk, left, staged)
        self.last = report
        self.requests += report.requests
        chunk.requests += report.requests
        entities = report.to_dict()["entities"].values()
        chunk.documents += sum(one["created"] + one["updated"] for one in entities)
        chunk.refused += sum(one["rejected"] for one in entities)
        if report.exit_code != STOPPED:
            chunk.state = DELIVERED
        self._keep()

    def _run(
        self,
        chunk: Chunk,
        left: int | None,
        on_staged: Callable[[dlt.Pipeline], None],
        *,
        stage_only: bool = False,
    ) -> Any:
        options = self.script.parse(self._arguments(chunk, left))
        # Rows that are staged are not read again: what is left of them is in the ledger.
        options.read = chunk.state == WAITING
        options.stage_only = stage_only

        def staged(pipeline: dlt.Pipeline) -> None:
            chunk.state = STAGED
            self._keep()
            on_staged(pipeline)

        options.on_staged = staged
        return (self.script.demo if options.demo else self.script.live)(options)

    def _planned(self, chunk: Chunk, pipeline: dlt.Pipeline) -> Plan:
        # What is planned is the whole piece; the budget only says where it stops.
        return plan(pipeline, entities=self._entities(chunk) or None, full=not chunk.since or None)

    def _entities(self, chunk: Chunk) -> tuple[str, ...]:
        return self.asked.entities if chunk.since else ("products",)

    def _arguments(self, chunk: Chunk, left: int | None) -> list[str]:
        given = ["--since", chunk.since] if chunk.since else ["--full"]
        given += ["--until", chunk.until] if chunk.until else []
        given += ["--demo"] if self.asked.demo else []
        entities = self._entities(chunk)
        given += ["--entities", ",".join(entities)] if entities else []
        given += ["--max-requests", str(left)] if left is not None else []
        return [*given, *self.asked.options]

    def _kept(self) -> list[Chunk] | None:
        """Return the pieces of an unfinished run over the same stretch, as it left them."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if kept["stretch"] != self.asked.stretch:
            return None
        return [Chunk(**chunk) for chunk in kept["chunks"]]

    def _keep(self) -> None:
        content = {
            "stretch": self.asked.stretch,
            "chunks": [asdict(chunk) for chunk in self.chunks],
        }
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(content, indent=2), encoding="utf-8")
        fresh.replace(self.path)


class _Progress(Collector):
    """Adds up what a delivery tells about its documents."""

    def __init__(self, show: Callable[[int, int], None]) -> None:
        self._show = show
        self._done = 0
        self._totals: dict[str | None, int] = {}

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        if name != "Delivered":
            return
        self._done += inc
        if total is not None:
            self._totals[label] = total
        self._show(self._done, sum(self._totals.values()))

    def _start(self, step: str) -> None:
        pass

    def _stop(self) -> None:
        pass


def _place(asked: Asked) -> Path:
    """Return the file of what is done: beside the ledger, or with all else of the demo."""
    if asked.demo:
        return DEMO_FOLDER / f"{asked.source}.backfill.json"
    database = dlt.secrets.get("destination.replenit.credentials", str)
    beside = Path(database) if database else Path("replenit_data") / asked.source
    return beside.with_name(f"{beside.stem}.backfill.json")
