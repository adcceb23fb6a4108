"""Which stretch of time a backfill delivers, and in which pieces."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch import moment, names

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DELIVERED",
    "STAGED",
    "WAITING",
    "Asked",
    "Chunk",
    "chunks_of",
    "parse",
    "pieces",
    "sources",
]

SOURCES = ("csv", "postgres", "shopify")
WAITING, STAGED, DELIVERED = "waiting", "staged", "delivered"
HELP = """\
Exit codes: 0 everything was delivered · 1 some documents refused or kept back ·
2 could not run, nothing is lost · 3 interrupted or out of budget, run it again to go on.
"""


@dataclass(frozen=True)
class Asked:
    """What a person asked for.

    Args:
        source: `csv`, `postgres` or `shopify`.
        since: The beginning of the stretch.
        until: Its end; None is now, and whatever comes while it runs.
        days: Of one piece.
        max_requests: Of all pieces of this run together; None is no limit.
        entities: Only these; empty is all.
        demo: From the sample to the sandbox, both on this machine.
        restart: Forget what an earlier run has done.
        plan: Send nothing; stage the next piece and show what it would cost.
        options: More options of the source's script.
    """

    source: str
    since: datetime
    until: datetime | None = None
    days: int = 30
    max_requests: int | None = None
    entities: tuple[str, ...] = ()
    demo: bool = False
    restart: bool = False
    plan: bool = False
    options: tuple[str, ...] = ()
    report: Path | None = None

    @property
    def stretch(self) -> dict[str, Any]:
        """What has to be the same for a run to go on with an earlier one's work."""
        until = self.until.isoformat() if self.until else None
        return {"since": self.since.isoformat(), "until": until, "entities": list(self.entities)}


@dataclass
class Chunk:
    """One piece: rows changed from `since` up to `until`; None is without that end.

    Without `since` it is the whole catalogue.
    """

    since: str | None
    until: str | None
    state: str = WAITING
    requests: int = 0
    documents: int = 0
    refused: int = 0

    @property
    def label(self) -> str:
        """The piece as a person reads it."""
        if self.since is None:
            return "all products"
        return f"{self.since[:10]} to {self.until[:10] if self.until else 'now'}"


def chunks_of(asked: Asked, now: datetime) -> list[Chunk]:
    """Return the pieces in the order of their delivery."""
    chunks = pieces(asked.since, asked.until, asked.days, now)
    # A file is of one time as a whole; products in it are not older than it.
    whole = asked.source != "csv" and "products" in (asked.entities or ("products",))
    return [Chunk(None, None), *chunks] if whole else chunks


def pieces(since: datetime, until: datetime | None, days: int, now: datetime) -> list[Chunk]:
    """Return the pieces of a stretch, the newest first; each begins where the older one ends."""
    made, end, open_end = [], until or now, until is None
    while end > since:
        begin = max(since, end - timedelta(days=days))
        made.append(Chunk(begin.isoformat(), None if open_end else end.isoformat()))
        end, open_end = begin, False
    return made or [Chunk(since.isoformat(), None)]


def sources() -> list[str]:
    """Return the sources whose scripts lie beside this file."""
    here = Path(__file__).parent
    return [name for name in SOURCES if (here / f"{name}_to_replenit.py").is_file()]


def parse(arguments: Sequence[str]) -> Asked:
    """Return what a command line asks for."""
    parser = argparse.ArgumentParser(
        prog="backfill.py",
        description="Deliver a long stretch of time piece by piece, and go on where it stopped.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = sources()
    parser.add_argument("--source", choices=known, default=known[0], help=f"default {known[0]}")
    parser.add_argument("--demo", action="store_true", help="the sample, to a sandbox")
    parser.add_argument("--since", type=moment, metavar="TIME", required=True, help="2025-01-31")
    parser.add_argument("--until", type=moment, metavar="TIME", help="default now")
    parser.add_argument("--chunk-days", type=int, default=30, metavar="N", help="default 30")
    parser.add_argument("--max-requests", type=int, metavar="N", help="in this run; then code 3")
    parser.add_argument("--entities", type=names, metavar="NAMES", default=[], help="only these")
    parser.add_argument(
        "--plan", action="store_true", help="stage the next piece and show its price, send nothing"
    )
    parser.add_argument("--restart", action="store_true", help="forget what is done")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the outcome as JSON")
    parser.add_argument("options", nargs="*", help="after --: more options of the source's script")
    given = parser.parse_args(arguments)
    if given.chunk_days < 1 or (given.until and given.until <= given.since):
        parser.error("the stretch ends before it begins, or --chunk-days is below 1")
    return Asked(
        source=given.source,
        since=given.since,
        until=given.until,
        days=given.chunk_days,
        max_requests=given.max_requests,
        entities=tuple(given.entities),
        demo=given.demo,
        restart=given.restart,
        plan=given.plan,
        options=tuple(given.options),
        report=given.report,
    )
