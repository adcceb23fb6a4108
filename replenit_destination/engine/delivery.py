"""Sending: items in, one outcome per item out, inside the quota, through whatever the service does.

    items ─► key order ─► solo lane / packer ─► worklist ─► intend ─► workers ─► answers ─► record
                                                   ▲                                │
                                                   └──── rest · halves · probes ────┘

One thread does everything but HTTP: it pulls items only as far as batches are needed, so a backlog
of any size takes no memory, and it alone talks to the recorder. Stages are calls of `deliver`, one
after the other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from replenit_destination.engine.answers import Answers
from replenit_destination.engine.batching import LearnedLimits, Numbering, Packer
from replenit_destination.engine.connections import Connections
from replenit_destination.engine.delivery_options import DeliveryOptions, Halt
from replenit_destination.engine.diagnosis import Diagnosis
from replenit_destination.engine.documents import Outcome, Verdict
from replenit_destination.engine.intake import Intake
from replenit_destination.engine.progress import NullProgress
from replenit_destination.engine.quota import Wait
from replenit_destination.engine.retries import Health
from replenit_destination.engine.solo import SoloLane
from replenit_destination.engine.tally import Tally
from replenit_destination.engine.target import TransportError
from replenit_destination.engine.turns import Turns
from replenit_destination.engine.workers import Workers
from replenit_destination.engine.worklist import Worklist
from replenit_destination.exceptions import ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping, Sequence
    from random import Random

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.diagnosis import Group
    from replenit_destination.engine.documents import Item
    from replenit_destination.engine.progress import Progress
    from replenit_destination.engine.quota import Grant, Quota
    from replenit_destination.engine.recorder import Recorder
    from replenit_destination.engine.target import Target, Transport
    from replenit_destination.engine.workers import Exchange
    from replenit_destination.engine.worklist import Work

__all__ = ["Delivery", "DeliveryOptions", "Halt"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Flight:
    work: Work
    grant: Grant


class Delivery:
    """Delivers the items of one run, stage by stage.

    Args:
        target: What the vendor decides.
        transport: Sends one request; called from worker threads.
        recorder: The ledger, or a double of it.
        quota: The account's request windows.
        clock: Time; a fake one makes everything but the threads reproducible.
        random: Jitter.
        stop: Asked at least every `poll_seconds`; true ends the delivery cleanly.
        give_way: Asked before each request, so it must be cheap, and at least every `poll_seconds`;
            true ends the delivery cleanly where there is anything left to send.
        promotions: Solo class → acceptances, remembered per tenant; changed in place.
        limits: How much one request may hold, as remembered per tenant; default the target's.
        remaining: Returns how many items of the run have no verdict yet.
    """

    def __init__(
        self,
        target: Target,
        transport: Transport,
        recorder: Recorder,
        quota: Quota,
        *,
        clock: Clock,
        random: Random,
        stop: Callable[[], bool] = lambda: False,
        give_way: Callable[[], bool] = lambda: False,
        progress: Progress | None = None,
        options: DeliveryOptions | None = None,
        promotions: MutableMapping[str, int] | None = None,
        limits: LearnedLimits | None = None,
        remaining: Callable[[], int] | None = None,
    ) -> None:
        self._target = target
        self._transport = transport
        self._recorder = recorder
        self._quota = quota
        self._clock = clock
        self._stop = stop
        self._give_way = give_way
        self._progress = progress or NullProgress()
        self._options = options = options or DeliveryOptions()
        self._connections = Connections(options.workers, quota.spacing_seconds)
        self.tally = tally = Tally()
        self._remaining = remaining or (lambda: tally.verdicts[Verdict.BACKLOG])
        self.halted: Halt | None = None
        numbering = Numbering()
        limits = limits or LearnedLimits(target.limits)
        packer = Packer(limits, numbering)
        self._worklist = Worklist()
        self._diagnosis = Diagnosis(options.diagnosis, limits)
        solo = SoloLane(
            {} if promotions is None else promotions,
            share=options.solo_share,
            floor=options.solo_floor,
        )
        self._health = Health(
            options.circuit,
            retry_budget_seconds=options.retry_budget_seconds,
            throttle_budget_seconds=options.throttle_budget_seconds,
            first_contact_seconds=options.first_contact_seconds,
        )
        self._answers = Answers(
            worklist=self._worklist,
            packer=packer,
            numbering=numbering,
            limits=limits,
            diagnosis=self._diagnosis,
            solo=solo,
            health=self._health,
            quota=quota,
            tally=self.tally,
            clock=clock,
            random=random,
            options=options,
        )
        self._turns = Turns(
            target, self._worklist, self._diagnosis, limits, numbering, conclude=self._conclude
        )
        self._intake = Intake(
            self._worklist,
            packer,
            solo,
            numbering,
            diagnosis=self._diagnosis,
            options=options,
            refuse=self._backlog,
        )
        self._flights: dict[int, _Flight] = {}
        self._tickets = 0
        self._label: str | None = None
        self._deadline: float | None = None
        self._halted_at = 0.0
        self._abandoned = False

    def deliver(
        self,
        items: Iterable[Item],
        *,
        suspects: Iterable[Group] = (),
        label: str = "",
        total: int | None = None,
    ) -> None:
        """Deliver one stage and return when every item taken from it has its outcome on record.

        Items are pulled as they are needed, `suspects` (groups of earlier runs) as far as the
        search budget goes. After a halt (see `halted`) nothing is pulled, at once or from then on.

        Raises:
            DeliveryError: A setting is wrong or the service failed for too long. What was in flight
                has come back and is on record, everything else is backlog.
        """
        if self.halted:
            return
        if self._deadline is None and self._options.max_seconds is not None:
            self._deadline = self._clock.monotonic() + self._options.max_seconds
        self._label = label or None
        if total is not None:
            self._progress.update("Delivered", inc=0, total=total, label=self._label)
        self._intake.open(items, suspects)
        self._health.begin()
        workers = Workers(self._transport, self._options.workers)
        try:
            self._run(workers)
        finally:
            workers.close(join=not self._flights and not self._abandoned)
        if self._answers.fatal is not None:
            raise self.tally.told(self._answers.fatal, self._remaining())

    def _run(self, workers: Workers) -> None:
        while True:
            for exchange in workers.finished():
                self._absorb(exchange)
            self._consider_halting()
            if self.halted:
                self._shed()
                if self._landed():
                    return
                seconds, for_quota = self._options.poll_seconds, False
            else:
                self._intake.refill(self.tally.requests)
                self._settle_leftovers()
                seconds, for_quota = self._dispatch(workers)
                if self._idle():
                    return
                if self._too_long(seconds):
                    self._halt(Halt.MAX_SECONDS)
                    continue
            self._recorder.flush()
            began = self._clock.monotonic()
            self._clock.wait(min(seconds, self._options.poll_seconds), workers.wake)
            if for_quota:
                self.tally.seconds_waiting_for_quota += self._clock.monotonic() - began

    # Sending

    def _dispatch(self, workers: Workers) -> tuple[float, bool]:
        """Send while there is work, a worker and a grant; return the wait, and if for quota."""
        poll = self._options.poll_seconds
        capacity = 1 if self._health.troubled else self._connections.worthwhile
        while len(self._flights) < capacity:
            now = self._clock.monotonic()
            if now < self._answers.quiet_until:
                return self._answers.quiet_until - now, False
            work = self._turns.next(now, self.tally.requests)
            if work is None:
                due = self._worklist.next_due()
                return (poll if due is None else max(0.0, due - now)), False
            most = self._options.max_requests
            if most is not None and self.tally.requests >= most:
                self._halt(Halt.MAX_REQUESTS)
                return 0.0, False
            if self._give_way():
                self._halt(Halt.YIELDED)
                return 0.0, False
            granted = self._quota.acquire(urgent=work.batch.urgent)
            if isinstance(granted, Wait):
                return granted.seconds, True
            self._worklist.remove(work)
            self._send(work, granted, workers)
            self._intake.refill(self.tally.requests)
        return poll, False

    def _settle_leftovers(self) -> None:
        """End what the budgets of search and solo lane leave no room for."""
        while self._diagnosis.overfull:
            self._give_up_group()
        if self._flights or self._worklist:
            return
        if not self._diagnosis.affordable(self.tally.requests):
            self._intake.leave_suspects()
        if self._intake.pulling:
            return
        self._intake.refuse_solo("the solo lane's share of the requests is used up")
        while self._diagnosis and not self._diagnosis.affordable(self.tally.requests):
            self._give_up_group()

    def _send(self, work: Work, grant: Grant, workers: Workers) -> None:
        if work.failures:
            self.tally.retries += 1
            self._diagnosis.requests += bool(work.probe)
        if not work.intended:
            self._recorder.intend(work.batch)
            work.intended = True
        if work.probe:
            self.tally.diagnosis_requests += 1
        request = self._target.request(work.batch)
        self.tally.sent(len(work.batch.items), len(request.body), self._clock.now())
        self._tickets += 1
        self._flights[self._tickets] = _Flight(work, grant)
        workers.submit(self._tickets, request)

    def _absorb(self, exchange: Exchange) -> None:
        """Take in one finished request."""
        flight = self._flights.pop(exchange.ticket)
        work, result = flight.work, exchange.result
        batch = work.batch
        if isinstance(result, Exception):
            self._quota.settle(flight.grant)
            work.batch = replace(batch, attempt=batch.attempt + 1)
            if isinstance(result, TransportError):
                self._conclude(self._answers.unanswered(work, result))
            else:
                self._answers.fatal = self._answers.fatal or result
                self._backlog(batch.items, "the transport failed")
            return
        reading = self._target.read(batch, result)
        if reading.quota_remaining is not None:
            self._quota.observed(flight.grant, reading.quota_remaining, reading.quota_reset_seconds)
        self._quota.settle(flight.grant)
        self.tally.seconds_in_flight += result.seconds
        self.tally.latencies.add(result.seconds)
        self._connections.answered(result.seconds)
        outcomes = self._answers.read(work, reading)
        work.batch = replace(batch, attempt=batch.attempt + 1)
        self._conclude(outcomes)

    # Outcomes

    def _conclude(self, outcomes: Sequence[Outcome]) -> None:
        """Put outcomes on record and let the next items of their keys go."""
        if not outcomes:
            return
        self._recorder.record(outcomes)
        self.tally.verdicts.update(outcome.verdict for outcome in outcomes)
        self._intake.release(outcomes)
        self._progress.update("Delivered", inc=len(outcomes), label=self._label)

    def _backlog(self, items: Iterable[Item], reason: str) -> None:
        self._conclude([Outcome(item, Verdict.BACKLOG, reason=reason) for item in items])

    def _give_up_group(self) -> None:
        self._suspects(self._diagnosis.give_up(), "the search budget is used up")

    def _suspects(self, group: Group, why: str) -> None:
        reason = f"refused together with others; {why}"
        one = partial(Outcome, reason=reason, words=group.words, guilty=group.guilty)
        self._conclude([one(item, Verdict.SUSPECT, group.batch.number) for item in group.items])

    # Ending

    def _idle(self) -> bool:
        """Whether everything taken has its outcome and nothing is left to take."""
        waits = self._flights or self._worklist or self._diagnosis
        return not (waits or self._intake.pulling) and self._intake.empty

    def _consider_halting(self) -> None:
        if self.halted:
            return
        now = self._clock.monotonic()
        self._answers.fatal = self._answers.fatal or self._intake.failure
        if self._answers.fatal is not None:
            self._halt(Halt.FAILED)
        elif trouble := self._health.verdict():
            self._answers.fatal = ServiceUnavailableError(f"The service is unavailable: {trouble}.")
            self._halt(Halt.FAILED)
        elif self._stop():
            self._halt(Halt.STOPPED)
        elif self._deadline is not None and now >= self._deadline:
            self._halt(Halt.MAX_SECONDS)
        elif (self._worklist or self._intake.pulling) and self._give_way():
            self._halt(Halt.YIELDED)

    def _too_long(self, seconds: float) -> bool:
        """Whether nothing is under way and the wait would outlast the time budget."""
        if self._deadline is None or self._flights:
            return False
        return self._clock.monotonic() + seconds >= self._deadline

    def _halt(self, reason: Halt) -> None:
        if self.halted is None:
            self.halted = reason
            self._halted_at = self._clock.monotonic()
            logger.info("Delivery takes no more items: %s.", reason)

    def _shed(self) -> None:
        """Give all that is not in flight its outcome; again when answers bring work back."""
        reason = f"the run ended first ({self.halted})"
        for work in self._worklist.drain():
            self._shelve(work, reason)
        while self._diagnosis:
            group = self._diagnosis.give_up()
            if group.named and not group.guilty:
                self._backlog(group.items, reason)
            else:
                self._suspects(group, reason)
        self._intake.close(reason)

    def _shelve(self, work: Work, reason: str) -> None:
        """Leave work to the next run; what was being searched goes back to its group."""
        if work.probe:
            self._diagnosis.returned(work.probe)
        else:
            self._backlog(work.batch.items, reason)

    def _landed(self) -> bool:
        """Whether nothing is in flight, or what is has had its time to come back."""
        waited = self._clock.monotonic() - self._halted_at
        hurried = self.halted is Halt.STOPPED or self._stop()
        patience = self._options.grace_seconds if hurried else self._options.landing_seconds
        if self._flights and waited >= patience:
            for flight in self._flights.values():
                self._shelve(flight.work, "no answer before the run ended")
            self._flights.clear()
            self._abandoned = True
            self._shed()
        return not self._flights
