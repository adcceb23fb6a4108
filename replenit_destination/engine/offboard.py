"""Deletes everything at the vendor that the ledger says a tenant holds.

Orders go first, people and products last, each with a request of its own. What was deleted is
forgotten here at once, so that an interrupted offboarding goes on where it stopped. Afterwards
delivery is paused for good: the staged rows are still there, and the next scheduled push would send
all of them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.books import Books
from replenit_destination.engine.closing import conclude, finish
from replenit_destination.engine.delivery import Delivery
from replenit_destination.engine.documents import Removal
from replenit_destination.engine.lessons import Lessons
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.own_ledger import own_ledger
from replenit_destination.engine.pause import FOREVER, pause
from replenit_destination.engine.report import Report
from replenit_destination.engine.tenancy import void
from replenit_destination.engine.validation import Links
from replenit_destination.engine.workplace import windows_of
from replenit_destination.exceptions import ActivationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from random import Random

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.progress import Progress
    from replenit_destination.engine.quota import Quota
    from replenit_destination.engine.target import EntitySpec, Target, Transport

__all__ = ["REASON", "forget_tenant", "offboard"]

REASON = "offboarded"
"""Why delivery is paused afterwards."""


def offboard(
    target: Target,
    *,
    transport: Transport,
    ledger: Path,
    clock: Clock,
    random: Random,
    options: PushOptions | None = None,
    identities: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
    quota: Quota | None = None,
) -> Report:
    """Delete what the tenant holds, then forget it here, and pause delivery for good.

    Args:
        target: The vendor and tenant.
        transport: Sends requests, from worker threads.
        ledger: The ledger's file.
        clock: Time.
        random: Jitter of retries.
        options: Budgets and quota share; guards do not apply.
        identities: Entity → the vendor field that holds its rows' id at the source, for services
            that delete by it.
        stop: Asked several times a second; true ends it cleanly.
        progress: Told of every outcome.
        quota: The account's windows; by default a file beside the ledger that processes share.

    Raises:
        LedgerError: The ledger cannot be used.
        DeliveryError: Nothing more can be delivered; what was deleted is on record.
    """
    options = options or PushOptions()
    wait = options.lock_wait_seconds
    with (
        own_ledger(ledger, target, clock=clock, wait_seconds=wait) as books_of,
        windows_of(target, ledger.parent, quota, clock=clock, options=options) as windows,
    ):
        pause(books_of, FOREVER, REASON)
        specs = {spec.name: spec for spec in target.entities}
        books = Books(books_of, Links(), specs, Lessons(books_of))
        delivery = Delivery(
            target,
            transport,
            books,
            windows,
            clock=clock,
            random=random,
            stop=stop,
            progress=progress,
            options=options.delivery,
        )
        report = Report.of(target, options)
        report.tally = delivery.tally
        books_of.start_run()
        try:
            for spec in sorted(specs.values(), key=lambda one: one.stage, reverse=True):
                gone = _removals(books_of, spec, (identities or {}).get(spec.name))
                delivery.deliver(gone, label=f"{spec.name} deletions")
        except ActivationError as error:
            report.error = str(error)
            raise
        finally:
            books.flush()
            books_of.fold()
            report.halted = "" if report.error else str(delivery.halted or "")
            conclude(report, books_of, books.counts, {}, specs, list(specs))
            finish(report, books_of, target)
        if not any(one.get("sent") for one in books_of.counts().values()):
            void(books_of)
    return report


def forget_tenant(target: Target, *, ledger: Path, clock: Clock, wait_seconds: float) -> int:
    """Forget what the tenant holds without telling the vendor, and pause delivery for good.

    Returns:
        How many documents were forgotten; the vendor still has them.
    """
    with own_ledger(ledger, target, clock=clock, wait_seconds=wait_seconds) as opened:
        pause(opened, FOREVER, REASON)
        return void(opened)


def _removals(ledger: Ledger, spec: EntitySpec, identity: str | None) -> Iterator[Removal]:
    """Yield the removal of every document of an entity; read at once, as the ledger is written."""
    rows = ledger.connection.execute(
        f"SELECT key, source_id FROM {ledger.schema}.entry"
        " WHERE account = ? AND entity = ? AND sent ORDER BY key",
        [ledger.account, spec.name],
    ).fetchall()
    for key, source_id in rows:
        identifiers = [(spec.key, key)]
        if identity and source_id:
            identifiers.append((identity, source_id))
        yield Removal(spec.name, key, identifiers=tuple(identifiers))
