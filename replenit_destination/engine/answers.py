"""What follows from the answer to a batch: outcomes for its items, or more work.

Every path ends each item in an outcome or puts it back in line; nothing is dropped here. The
service's state (`Health`), learned sizes, the solo lane and the search for refused documents all
learn from the same answers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.engine.batching import halves
from replenit_destination.engine.diagnosis import Group
from replenit_destination.engine.documents import Outcome, Verdict
from replenit_destination.engine.target import Reading, Ruling
from replenit_destination.engine.worklist import Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from replenit_destination.engine.batching import LearnedLimits, Numbering, Packer
    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.delivery_options import DeliveryOptions
    from replenit_destination.engine.diagnosis import Diagnosis
    from replenit_destination.engine.documents import Item
    from replenit_destination.engine.quota import Quota
    from replenit_destination.engine.retries import Health
    from replenit_destination.engine.solo import SoloLane
    from replenit_destination.engine.tally import Tally
    from replenit_destination.engine.target import Pointer, TransportError
    from replenit_destination.engine.worklist import Worklist

__all__ = ["Answers"]

logger = logging.getLogger(__name__)

# A body that times out again is split, unless it is so small that its size cannot be the reason.
LARGE_BODY_BYTES = 32 * 1024
REASONS_SHOWN = 3


@dataclass(slots=True)
class Answers:
    """The rules from rulings to consequences, over the delivery's parts."""

    worklist: Worklist
    packer: Packer
    numbering: Numbering
    limits: LearnedLimits
    diagnosis: Diagnosis
    solo: SoloLane
    health: Health
    quota: Quota
    tally: Tally
    clock: Clock
    random: Random
    options: DeliveryOptions
    quiet_until: float = 0.0  # monotonic: nothing leaves before
    fatal: Exception | None = None  # raised when everything in flight has come back

    def read(self, work: Work, reading: Reading) -> list[Outcome]:
        """Return the outcomes an answer decides; what it leaves open is back in line."""
        self.tally.rulings[reading.ruling] += 1
        match reading.ruling:
            case Ruling.GONE if not work.batch.is_removal:
                return self._failed(work, reading.words, None)  # nothing was to be deleted
            case Ruling.ACCEPTED | Ruling.GONE:
                return self._accepted(work, reading)
            case Ruling.REFUSED:
                return self._refused(work, reading)
            case Ruling.TOO_LARGE:
                return self._too_large(work, reading)
            case Ruling.THROTTLED:
                return self._throttled(work, reading)
            case Ruling.RETRY if reading.denied and self._is_final(work):
                return self._refused(work, reading)
            case Ruling.RETRY:
                return self._failed(work, reading.words, reading.retry_after_seconds)
            case Ruling.STOP:
                return self._stopped(work, reading)

    def unanswered(self, work: Work, error: TransportError) -> list[Outcome]:
        """Send a request without an answer again: whether it took effect is unknown."""
        self.tally.rulings["no_answer"] += 1
        if error.reason == "timeout":
            work.timeouts += 1
            large = work.batch.size_bytes > LARGE_BODY_BYTES and len(work.batch.items) > 1
            if large and work.timeouts > 1:
                self.health.failed(self.clock.monotonic())
                self.limits.too_large(work.batch)
                self._halve(work, str(error))
                return []
        reached = error.reason not in {"refused", "tls"}
        return self._failed(work, str(error), None, reached=reached)

    def _is_final(self, work: Work) -> bool:
        """Whether a denial was repeated so often that it is a refusal.

        Searching a batch of good documents costs some requests; a good document that is refused
        alone would be quarantined, so there a chain of failures must rule itself out.
        """
        work.denials += 1
        alone = min(self.health.telling_failures, self.options.max_attempts)
        return work.denials >= (2 if len(work.batch.items) > 1 else alone)

    def _accepted(self, work: Work, reading: Reading) -> list[Outcome]:
        batch = work.batch
        self.health.succeeded()
        self.limits.accepted(batch)
        if work.probe:
            self.diagnosis.learn(good=len(batch.items))
            self.diagnosis.answered(work.probe, accepted=True)
        named = self._named(batch.items, reading.pointers) if reading.pointers else {}
        outcomes = self._named_outcomes(work, reading, named)
        items = tuple(item for index, item in enumerate(batch.items) if index not in named)
        sent = len(items)
        if reading.confirmed is not None and reading.confirmed < sent and not batch.is_removal:
            if self.options.confirm and reading.confirmed > 0 and not named:
                self._in_halves(work)
                return []
            for item in items:
                self.solo.refused(item)
            reason = f"{reading.confirmed} of {sent} confirmed"
            return outcomes + self._outcomes(work, items, Verdict.UNCONFIRMED, reading, reason)
        for item in items:
            for promoted in self.solo.accepted(item):
                for full in self.packer.add(promoted):
                    self.worklist.add(Work(full))
        return outcomes + self._outcomes(work, items, Verdict.ACCEPTED, reading)

    def _refused(self, work: Work, reading: Reading) -> list[Outcome]:
        batch = work.batch
        self.health.succeeded()
        if work.probe:
            self.diagnosis.answered(work.probe, accepted=False)
        named = self._named(batch.items, reading.pointers)
        if not named:
            self.diagnosis.suspect(Group(batch.items, batch, reading.words))
            return []
        self.diagnosis.learn(bad=len(named))
        outcomes = self._named_outcomes(work, reading, named)
        rest = tuple(item for index, item in enumerate(batch.items) if index not in named)
        if rest and not work.rest and not work.probe:
            # Mostly the service names all faults at once, so this first re-sending is not a search.
            again = self.numbering.batch(rest, parent=batch)
            self.worklist.add(Work(again, intended=True, rest=True))
        else:
            self.diagnosis.suspect(Group(rest, batch, reading.words, guilty=False, named=True))
        return outcomes

    def _named_outcomes(
        self, work: Work, reading: Reading, named: Mapping[int, tuple[Pointer, ...]]
    ) -> list[Outcome]:
        outcomes = []
        for index, pointers in sorted(named.items()):
            self.solo.refused(work.batch.items[index])
            outcomes += self._quarantined(work, work.batch.items[index], reading, pointers)
        return outcomes

    @staticmethod
    def _named(
        items: tuple[Item, ...], pointers: tuple[Pointer, ...]
    ) -> dict[int, tuple[Pointer, ...]]:
        """Return the pointers per named item; a lone item is named by being refused."""
        if len(items) == 1:
            return {0: pointers}
        named: dict[int, tuple[Pointer, ...]] = {}
        for pointer in pointers:
            if pointer.index is not None and 0 <= pointer.index < len(items):
                named[pointer.index] = (*named.get(pointer.index, ()), pointer)
        return named

    def _quarantined(
        self, work: Work, item: Item, reading: Reading, pointers: tuple[Pointer, ...]
    ) -> list[Outcome]:
        reasons = [p.message for p in pointers[:REASONS_SHOWN] if p.message] or [reading.words]
        field = next((p.field for p in pointers if p.field), "")
        reason = "; ".join(reasons)
        return self._outcomes(work, [item], Verdict.QUARANTINED, reading, reason, field)

    def _too_large(self, work: Work, reading: Reading) -> list[Outcome]:
        self.health.succeeded()
        if len(work.batch.items) == 1:
            self.diagnosis.learn(bad=1)
            self.solo.refused(work.batch.items[0])
            if work.probe:
                self.diagnosis.answered(work.probe, accepted=False)
            reason = f"the service does not take {work.batch.size_bytes} bytes in one request"
            return self._outcomes(work, work.batch.items, Verdict.QUARANTINED, reading, reason)
        self.limits.too_large(work.batch)
        self._halve(work, reading.words)
        return []

    def _halve(self, work: Work, words: str) -> None:
        if work.probe:
            self.diagnosis.answered(work.probe, accepted=False)
            for half in halves(work.batch.items):
                self.diagnosis.suspect(Group(half, work.batch, words, guilty=False))
        else:
            self._in_halves(work)

    def _in_halves(self, work: Work) -> None:
        for half in halves(work.batch.items):
            self.worklist.add(work.part(self.numbering.batch(half, parent=work.batch)))

    def _throttled(self, work: Work, reading: Reading) -> list[Outcome]:
        now = self.clock.monotonic()
        self.tally.throttled += 1
        self.health.throttled(now)
        asked = reading.retry_after_seconds
        if asked is None:
            asked = self.options.throttle_fallback_seconds
        backoff = self.options.backoff.seconds(self.health.throttles_in_a_row, self.random)
        seconds = max(asked, backoff)
        self.quota.throttled(seconds)
        self.quiet_until = max(self.quiet_until, now + seconds)
        self.worklist.postpone(work, now + seconds)
        logger.warning("The service asks to wait for %.0f seconds.", seconds)
        return []

    def _failed(
        self, work: Work, words: str, asked: float | None, *, reached: bool = True
    ) -> list[Outcome]:
        now = self.clock.monotonic()
        self.health.failed(now, searching=work.probe is not None, reached=reached)
        work.failures += 1
        attempts = self.options.max_attempts
        if work.probe:  # a search multiplies what each of its requests costs
            attempts = min(attempts, self.health.telling_failures)
        if work.failures >= attempts and self.health.successes:
            return self._given_up(work, words)
        seconds = max(asked or 0.0, self.options.backoff.seconds(work.failures, self.random))
        if self.health.troubled:
            streak = self.health.failures_in_a_row
            pause = max(asked or 0.0, self.options.backoff.seconds(streak, self.random))
            self.quiet_until = max(self.quiet_until, now + pause)
        self.worklist.postpone(work, now + seconds)
        logger.warning(
            "Batch %d got no usable answer (%s), trying again in %.1f seconds.",
            work.batch.number,
            words,
            seconds,
        )
        return []

    def _given_up(self, work: Work, words: str) -> list[Outcome]:
        """Search a batch that keeps failing while the service works: a document may be the cause.

        A lone document is not refused by this: it is tried again in the next run. Where the service
        fails for everything, circuit or retry budget end the delivery before this does harm.
        """
        if work.probe:
            self.diagnosis.answered(work.probe, accepted=False)
        if len(work.batch.items) > 1:
            self.diagnosis.suspect(Group(work.batch.items, work.batch, words))
            return []
        reason = f"no usable answer to {work.failures} requests: {words}"
        return self._outcomes(work, work.batch.items, Verdict.BACKLOG, None, reason)

    def _stopped(self, work: Work, reading: Reading) -> list[Outcome]:
        if self.fatal is None:
            self.fatal = reading.error or RuntimeError(reading.words or "the target said stop")
        if work.probe:
            self.diagnosis.returned(work.probe)
            return []
        return self._outcomes(work, work.batch.items, Verdict.BACKLOG, reading, reading.words)

    @staticmethod
    def _outcomes(
        work: Work,
        items: Iterable[Item],
        verdict: Verdict,
        reading: Reading | None,
        reason: str = "",
        field: str = "",
    ) -> list[Outcome]:
        return [
            Outcome(
                item,
                verdict,
                batch=work.batch.number,
                request_id=reading.request_id if reading else "",
                field=field,
                reason=reason,
                words=reading.words if reading else "",
            )
            for item in items
        ]
