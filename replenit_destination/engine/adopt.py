"""Takes today's data for accepted without sending it: moving in from a script, or a lost ledger.

Everything is compared and judged as a push would do it, and then recorded instead of sent. A push
afterwards sends what changed since.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.adopted import ADOPTED
from replenit_destination.engine.delivery import Delivery
from replenit_destination.engine.documents import Outcome, Verdict
from replenit_destination.engine.erasures import Erasures
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import Run
from replenit_destination.engine.validation import read_pending
from replenit_destination.engine.workplace import workplace
from replenit_destination.exceptions import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.documents import Item, Removal
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.removals import Removals
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import Answer, Request, Target

__all__ = ["Adopted", "adopt"]


@dataclass
class Adopted:
    """What was adopted: entity → documents; and the report of what could not be.

    `moment` is Unix seconds; the ledger keeps it as the time of acceptance.
    """

    moment: float
    documents: dict[str, int] = field(default_factory=dict)
    report: Report | None = None

    @property
    def exit_code(self) -> int:
        """0 when everything was adopted, 1 when something was refused, 3 when it was stopped."""
        return self.report.exit_code if self.report else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        told = self.report.to_dict() if self.report else {}
        states = ("rejected", "skipped", "backlog", "withheld")
        return {
            "moment": self.moment,
            "entities": {
                name: {
                    "adopted": self.documents.get(name, 0),
                    **{state: counts[state] for state in states},
                }
                for name, counts in told.get("entities", {}).items()
            },
            "refusals": told.get("refusals", []),
            "exit_code": self.exit_code,
        }


def adopt(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    *,
    ledger: Path,
    clock: Clock,
    entities: Sequence[str] | None = None,
    force: bool = False,
    options: PushOptions | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Adopted:
    """Record today's documents as accepted; nothing is sent.

    They count as not confirmed: `push(confirm=True)` would send them once to be sure. What was
    removed at the source before that day is not known here, and stays at the vendor.

    Args:
        staged: The tables.
        target: The vendor.
        mapping: Entity → how its documents are made.
        ledger: The ledger's file; made when it is not there.
        clock: Time.
        entities: Only these; default all that are mapped.
        force: Also where the ledger already has accepted documents of an entity.
        options: Memory and locks of it; the rest is decided here.
        stop: Asked several times a second while comparing; true ends it.

    Raises:
        LedgerError: The ledger has accepted documents already, or cannot be used.
        MappingError: The mapping does not fit the tables.
    """
    given = options or PushOptions()
    chosen = PushOptions(
        entities=entities,
        full=True,
        force=force,
        accept_resend=True,
        accept_schema=True,
        delivery_log=False,
        workers=0,
        memory_limit=given.memory_limit,
        lock_wait_seconds=given.lock_wait_seconds,
    )
    with workplace(staged, ledger, clock=clock, options=chosen, stop=stop) as place:
        run = _Adoption(staged, target, mapping, place, clock, chosen)
        run.refuse_known(entities or list(mapping), force=force)
        # A delivery that is never given anything: a run asks it whether to go on.
        delivery = Delivery(
            target, _nowhere, run.books, UnlimitedQuota(), clock=clock, random=random.SystemRandom()
        )
        moment = clock.now()
        report = run.push(delivery, stop)
    return Adopted(moment, dict(run.adopted), report)


def _nowhere(_: Request) -> Answer:
    message = "an adoption sends nothing"
    raise AssertionError(message)


class _LaterErasures(Erasures):
    """Erasures that wait for a push: an adoption sends nothing."""

    def pending(self) -> list[Removal]:
        return []


class _Adoption(Run):
    """A run that records instead of delivering."""

    mark = ADOPTED

    def refuse_known(self, entities: Sequence[str], *, force: bool) -> None:
        """Stop where an adoption would cover up what was really sent."""
        self.adopted: dict[str, int] = {}
        self.erasures = _LaterErasures(self.ledger)
        self.ledger.fold()
        counts = self.ledger.counts()
        known = {name: sent for name in entities if (sent := counts.get(name, {}).get("sent", 0))}
        if known and not force:
            told = ", ".join(f"{sent:,} {name}" for name, sent in known.items())
            message = (
                f"the ledger already says that the vendor has {told}. A push sends what changed "
                "since. To take today's data for accepted all the same, use --force; to begin "
                "anew, `reset-tenant`."
            )
            raise LedgerError(message)

    def _deliver(
        self, delivery: Delivery, removals: Removals, gone: Mapping[str, list[Item]]
    ) -> bool:
        self.links.read(self.ledger, self.specs.values())
        validation = self._validation()
        self.report.left_out = validation.notes.counts
        for stage in sorted({spec.stage for spec in self.specs.values()}):
            for urgent in (True, False):
                rows = read_pending(self.work, urgent=urgent, stage=stage)
                for document in validation.documents(rows):
                    self.books.note(Outcome(document, Verdict.UNCONFIRMED))
                    name = document.entity
                    self.adopted[name] = self.adopted.get(name, 0) + 1
        self.books.flush()
        for items in gone.values():
            # Known from before and not in the source any more: the next push decides.
            for item in items:
                self.books.note(Outcome(item, Verdict.BACKLOG, reason="removal"))
        self.books.flush()
        return True
