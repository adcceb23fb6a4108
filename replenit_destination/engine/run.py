"""One run, from staged tables to a report.

    recover ─ bind ─ diff ─ validate ─ batch ─ send ─ record ─ report

What an earlier run left undecided is folded first. Entities are compared stage by stage, then
delivered: withdrawn consents before everything else, products beside customers, orders after both,
removals last.
"""

from __future__ import annotations

import hashlib
import uuid
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.binding import BoundEntity, Tables
from replenit_destination.engine.books import Books
from replenit_destination.engine.closing import conclude, finish
from replenit_destination.engine.delivery import Delivery, Halt
from replenit_destination.engine.diff import Comparison, Diff, create_tables, woken_by_consent
from replenit_destination.engine.documents import Item, Outcome, Removal, Verdict
from replenit_destination.engine.doubts import Doubts
from replenit_destination.engine.erasures import Erasures
from replenit_destination.engine.evidence import collect
from replenit_destination.engine.guards import withheld_with
from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.lessons import Lessons
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.pause import pause_now
from replenit_destination.engine.removals import Removals
from replenit_destination.engine.report import Report
from replenit_destination.engine.resends import Resends
from replenit_destination.engine.schema_hold import SchemaHold
from replenit_destination.engine.sql import computed, relation
from replenit_destination.engine.staging import Staged
from replenit_destination.engine.stopping import finished, finished_in_time
from replenit_destination.engine.tombstones import Tombstones
from replenit_destination.engine.validation import Links, Validation
from replenit_destination.engine.workplace import windows_of, workplace
from replenit_destination.exceptions import ActivationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from random import Random

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.progress import Progress
    from replenit_destination.engine.quota import Quota
    from replenit_destination.engine.target import EntitySpec, Target, Transport
    from replenit_destination.engine.workplace import Workplace

__all__ = ["PushOptions", "Report", "Run", "Staged", "push", "remember"]


def push(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    *,
    transport: Transport,
    ledger: Path,
    clock: Clock,
    random: Random,
    options: PushOptions | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
    quota: Quota | None = None,
) -> Report:
    """Deliver what changed since the vendor last accepted it.

    Args:
        staged: The tables.
        target: The vendor.
        mapping: Entity → how its documents are made, as `Mapping.entities` returns it.
        transport: Sends requests, from worker threads.
        ledger: The ledger's file; made when it is not there.
        clock: Time.
        random: Jitter of retries.
        options: See `PushOptions`.
        stop: Asked several times a second, from any thread; true ends the run cleanly.
        progress: Told of every outcome.
        quota: The account's windows; by default a file beside the ledger that processes share.

    Raises:
        MappingError: The mapping does not fit the tables.
        LedgerError: The ledger or the database is in use, or newer than this program.
        StorageError, MemoryLimitError: Disk or memory do not do; what was accepted is on record.
        DeliveryError: Nothing more can be delivered; what was accepted is on record.
    """
    options = options or PushOptions()
    with (
        workplace(staged, ledger, clock=clock, options=options, stop=stop) as place,
        windows_of(target, ledger.parent, quota, clock=clock, options=options) as windows,
    ):
        run = Run(staged, target, mapping, place, clock, options)
        delivery = Delivery(
            target,
            transport,
            run.books,
            windows,
            clock=clock,
            random=random,
            stop=stop,
            give_way=lambda: place.give_way(delivery.tally, run.remaining()),
            progress=progress,
            promotions=run.promotions,
            limits=run.limits,
            remaining=run.remaining,
            options=options.delivery,
        )
        return run.push(delivery, stop)


def remember(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    *,
    ledger: Path,
    clock: Clock,
) -> None:
    """Keep the evidence of this load's hard deletes, for a push that comes later.

    The staging dataset that holds it is emptied by the next load. Nothing is compared or sent.

    Raises:
        MappingError: The mapping does not fit the tables.
        LedgerError: The ledger or the database is in use, or newer than this program.
    """
    options = PushOptions()
    with workplace(staged, ledger, clock=clock, options=options) as place:
        run = Run(staged, target, mapping, place, clock, options)
        run.ledger.fold()
        run.bind()


class Run:
    """The state of one run."""

    mark = ""  # what the name begins with that the ledger gives it

    def __init__(
        self,
        staged: Staged,
        target: Target,
        mapping: Mapping[str, EntityMapping],
        place: Workplace,
        clock: Clock,
        options: PushOptions,
    ) -> None:
        self.staged = staged
        self.target = target
        self.mapping = mapping
        self.clock = clock
        self.options = options
        self.specs: dict[str, EntitySpec] = {spec.name: spec for spec in target.entities}
        self.work = place.connection
        self.status = place.status
        shape = f"{target.fingerprint} {sorted(mapping.items())!r}"
        self.fingerprint = hashlib.sha256(shape.encode()).hexdigest()[:32]
        self.ledger = Ledger(
            place.file,
            target=target.name,
            host=target.host,
            tenant=target.tenant,
            run=self.mark + uuid.uuid4().hex,
            fingerprint=self.fingerprint,
            specs=target.entities,
            clock=clock,
        )
        self.promotions = self.ledger.promotions()
        self.report = Report.of(target, options)
        self.links = Links()
        self.lessons = Lessons(self.ledger)
        self.limits = self.lessons.limits(target.limits)
        self.erasures = Erasures(self.ledger)
        self.books = Books(self.ledger, self.links, self.specs, self.lessons, self.erasures)
        self.undertaken = 0
        self.compared: dict[str, Comparison] = {}
        self.keep_children: frozenset[str] = frozenset()
        self.held: dict[str, dict[str, int]] = {}

    def push(self, delivery: Delivery, stop: Callable[[], bool]) -> Report:
        """Run all steps; `stop` breaks off comparing, later the delivery asks it."""
        self.report.tally = delivery.tally
        with self._timed("recover"):
            self.ledger.fold()
            self.ledger.start_run(self.staged.load_id)
            self.held = self.ledger.counts()
            self.pause = pause_now(self.ledger)
            self.report.notices += [str(self.pause)] if self.pause else []
        with self._settling(delivery):
            delivery.deliver(self.erasures.pending(), label="erasures")
        with self._timed("diff"):
            bound = self.bind()  # never broken off: it keeps what only this load knows
            compare = partial(self._compare, bound)
            if not finished(compare, self.work, self.ledger.connection, stop=stop):
                # As after a kill: nothing counts as compared, so the next run compares it again.
                delivery.halted = Halt.STOPPED
                return self._settle(delivery)
            self.report.held = self.schema.hold(bound, self.held)
            removals = Removals(self.work, self.ledger, self.options.allow_removals, self.held)
            gone = self._decide(removals, bound)
        with self._settling(delivery), self._timed("deliver"):
            if self._deliver(delivery, removals, gone):
                self._mark_processed()
        return self._settle(delivery)

    @contextmanager
    def _settling(self, delivery: Delivery) -> Iterator[None]:
        """Record what there is to record when the block fails."""
        try:
            yield
        except Exception as error:
            if isinstance(error, ActivationError):
                self.report.error = str(error)
            # The first error tells what is wrong: a full disk lets nothing be recorded either. Who
            # interrupts twice is not kept waiting: the next run records what this one has written.
            with suppress(duckdb.Error):
                self._settle(delivery)
            raise

    def _settle(self, delivery: Delivery) -> Report:
        with self._timed("record"):
            self.books.flush()
            self.ledger.keep_promotions(self.promotions)
            self.lessons.keep_sizes(self.limits)
            if self._in_time(delivery, self.ledger.fold):
                self.lessons.forget_cleared()
        self.report.halted = "" if self.report.error else str(delivery.halted or "")
        counts = self.books.counts
        conclude(self.report, self.ledger, counts, self.compared, self.specs, self.mapping)
        finish(self.report, self.ledger, self.target)
        return self.report

    # -- diff -------------------------------------------------------------------------------------

    def bind(self) -> dict[str, BoundEntity]:
        """Bind the mapping, tell what is not there, and keep the evidence of hard deletes."""
        row = self.work.execute("SELECT current_database()").fetchone()
        catalog = str(row[0]) if row else ""
        self.tables = Tables(self.work, catalog, self.staged.dataset)
        if any(self.tables):
            # A query in the mapping names the dataset's tables as its author sees them.
            self.work.execute(f"USE {relation(catalog, self.staged.dataset)}")
        wanted = self.options.entities
        mapping = {n: m for n, m in self.mapping.items() if wanted is None or n in wanted}
        self.schema = SchemaHold(self.work, self.ledger, self.target, self.tables, self.options)
        bound = self.schema.bind(mapping)
        self.report.notices += [f"{one.place}: {one.text}" for one in bound.notices]
        there = bound.keys() | self.schema.unbound.keys()
        tables = {name: one.table for name, one in mapping.items() if name not in there}
        self.report.withheld += withheld_with(tables, self.held)
        if self.staged.staging_dataset:
            staging = Tables(self.work, catalog, self.staged.staging_dataset)
            entities, deletes = bound.values(), self.staged.hard_deletes
            keep = partial(collect, self.work, self.ledger, entities, staging, deletes)
            computed("the ids of hard-deleted rows", keep)
        return dict(sorted(bound.items(), key=lambda pair: pair[1].spec.stage))

    def _compare(self, bound: dict[str, BoundEntity]) -> None:
        create_tables(self.work)
        diff = Diff(
            self.work,
            self.ledger,
            self.tables,
            self.fingerprint,
            tombstones=Tombstones(self.work, self.ledger, self.specs, self.staged.dataset),
            retry=self.options.retry,
            confirm=self.options.confirm,
            named=self.options.named,
        )
        every = self.options.force or self.options.rerender
        full = "asked for" if self.options.full or every else ""
        for name, entity in list(bound.items()):
            also = woken_by_consent(entity.spec, self.specs, self.compared, self.ledger)
            whole = full or self.schema.recovered(name)
            compare = partial(diff.compare, entity, full=whole, also=also, force=every)
            compared = self.schema.compared(name, partial(computed, f"{name}.fields", compare))
            if compared is None:
                del bound[name]
                continue
            self.compared[name] = compared
            self.report.notices += compared.notices
            # What a column that drifted leaves without a key is no fault of the row.
            for fault in () if self.schema.drifted(name) else compared.faults:
                self.books.note(fault.outcome)

    def _decide(
        self, removals: Removals, bound: Mapping[str, BoundEntity]
    ) -> dict[str, list[Item]]:
        """Return per entity the removals that may go; note the withheld ones."""
        rows = {name: self.compared[name].source_rows for name in bound}
        decided, withheld, self.keep_children = removals.decide(bound, rows)
        self.report.withheld += withheld
        for name, items in decided.items():
            successors = [i for i in items if isinstance(i, Removal) and i.after]
            for removal in successors:
                self.books.expect(removal)
            self.books.settled(name, self.ledger.accepted(name, [i.after for i in successors]))
        return decided

    # -- delivery ---------------------------------------------------------------------------------

    def _deliver(
        self, delivery: Delivery, removals: Removals, gone: Mapping[str, list[Item]]
    ) -> bool:
        self.links.read(self.ledger, self.specs.values())
        self._hold_resends()
        validation = self._validation()
        self.report.left_out = validation.notes.counts
        doubts = Doubts(self.work, self.ledger, validation, self.fingerprint, self.limits)
        self.undertaken = self.books.ended + doubts.pending + sum(map(len, gone.values()))
        later = () if self.pause else sorted({spec.stage for spec in self.specs.values()})
        for stage in (None, *later):
            names = [name for name, spec in self.specs.items() if spec.stage == stage]
            label = " and ".join(names) or "withdrawals"
            self.status.enter("deliver", label)
            for documents, suspects in doubts.passes(stage=stage):
                delivery.deliver(documents, suspects=suspects, label=label)
        self._remove(delivery, removals, validation, gone)
        delivery.halted = delivery.halted or (Halt.PAUSED if self.pause else None)
        self.books.flush()
        leave = partial(self.ledger.leave_pending, self.work, str(delivery.halted))
        everything = not delivery.halted or self._in_time(delivery, leave)
        return everything and not self.options.named

    def _in_time(self, delivery: Delivery, work: Callable[[], object]) -> bool:
        """Do what the next run can do as well; return whether a stopped run had the time for it."""
        hurried = delivery.halted is Halt.STOPPED
        books = (self.work, self.ledger.connection)
        return finished_in_time(work, *books, clock=self.clock, hurried=hurried)

    def remaining(self) -> int:
        """Return how many documents and removals of this run have no verdict yet."""
        return max(0, self.undertaken - self.books.ended)

    def _validation(self) -> Validation:
        return Validation(
            self.target,
            self.books,
            self.links,
            now=self.clock.now(),
            force=self.options.force,
            keep_children=self.keep_children,
        )

    def _hold_resends(self) -> None:
        share = self.options.quota_share
        resends = Resends(self.work, self.ledger, self.target, self._validation(), share)
        accept = self.options.accept_resend or self.options.force
        self.report.held += resends.hold(self.held, accept=accept)
        self.books.flush()

    def _remove(
        self,
        delivery: Delivery,
        removals: Removals,
        validation: Validation,
        gone: Mapping[str, list[Item]],
    ) -> None:
        """Send the removals, children first; they wait for a document that has not arrived."""
        source_rows = {name: one.source_rows for name, one in self.compared.items()}
        allowed, withheld, kept = removals.children(validation.removals, source_rows)
        self.report.withheld += withheld
        last_first = sorted(gone, key=lambda name: self.specs[name].stage, reverse=True)
        items: list[Item] = [*allowed, *(item for name in last_first for item in gone[name])]
        waiting = [item for item in items if not self._may_go(item)]
        unsent = iter([item for item in items if self._may_go(item)])
        self.status.enter("deliver", "removals")
        delivery.deliver(unsent, label="removals")
        for removal in kept:
            self.books.note(Outcome(removal, Verdict.BACKLOG, reason="withheld"))
        for item in (*waiting, *unsent):
            self.books.note(Outcome(item, Verdict.BACKLOG, reason=str(delivery.halted or "waits")))

    def _may_go(self, item: Item) -> bool:
        """Return whether a removal waits for nothing: a pause holds all but erasures."""
        return self.books.arrived(item) and (item.urgent or self.pause is None)

    def _mark_processed(self) -> None:
        dataset = self.staged.dataset
        for name, one in self.compared.items():
            self.books.flush()
            self.ledger.mark_processed(dataset, name, self.fingerprint, one.scope.tables)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = self.clock.monotonic()
        self.status.enter(step)
        try:
            yield
        finally:
            self.report.seconds[step] = self.clock.monotonic() - began
