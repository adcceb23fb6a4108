"""Serves the result files of bulk operations, as a storage service behind signed addresses does.

It knows nothing of the shop's tokens: a request that carries one is refused, because a real client
would have given its token away. Ranges are honoured; an old signature is answered as expired.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request

    from replenit_destination.sandbox.shopify.bulk import BulkJobs

__all__ = ["Downloads"]

BLOCK = 65_536
EXPIRED = b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>"


@dataclass
class Downloads:
    """The file route, and what goes wrong on it on purpose.

    Args:
        bulk: Whose files.
        cuts: The next downloads lose their connections after so many bytes; None is not at all.
        before_first: Called once, before the next download is answered.
        pause_seconds: Between two blocks of 64 KiB, so that somebody can die in the middle.
        served: Bytes sent so far.
        ranges: The `Range` of every request, None where there was none.
    """

    bulk: BulkJobs
    cuts: list[int | None] = field(default_factory=list)
    before_first: Callable[[], None] | None = None
    pause_seconds: float = 0.0
    served: int = 0

    def __post_init__(self) -> None:
        self.ranges: list[str | None] = []

    async def answer(self, request: Request) -> Response:
        """Answer one download."""
        if "x-shopify-access-token" in request.headers:
            return Response(b"a token does not belong here", 400)
        before, self.before_first = self.before_first, None
        if before:
            before()
        job = self.bulk.jobs.get(request.path_params["number"])
        signature = request.query_params.get("signature")
        if job is None or job.file is None or not signature:
            return Response(status_code=404)
        if job.status == "EXPIRED" or signature != self.bulk.signatures.get(job.number):
            return Response(EXPIRED, 400, media_type="application/xml")
        asked = request.headers.get("range")
        self.ranges.append(asked)
        found = re.fullmatch(r"bytes=(\d+)-", asked or "")
        start = int(found[1]) if found else 0
        if start >= job.size:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{job.size}"})
        headers = {"Content-Length": str(job.size - start)}
        if found:
            headers["Content-Range"] = f"bytes {start}-{job.size - 1}/{job.size}"
        return StreamingResponse(
            self._blocks(request, job.file, start),
            206 if found else 200,
            headers,
            "application/jsonl",
        )

    async def _blocks(self, request: Request, path: Path, start: int) -> AsyncIterator[bytes]:
        left = self.cuts.pop(0) if self.cuts else None
        with path.open("rb") as file:
            file.seek(start)
            while block := file.read(BLOCK if left is None else min(BLOCK, left)):
                self.served += len(block)
                yield block
                if self.pause_seconds:
                    await asyncio.sleep(self.pause_seconds)
                if left is not None:
                    left -= len(block)
            if left == 0:
                server: Any = request.scope["sandbox.server"]
                server.hang_up(tuple(request.scope["client"]), reset=False)
                await asyncio.sleep(0.05)  # until the server has noticed
