"""What a delivery has counted so far, for the report."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from replenit_destination.engine.documents import Verdict
from replenit_destination.exceptions import DeliveryError

__all__ = ["Latencies", "Tally"]

# Bucket borders grow by a tenth: a quantile is exact to five per cent, in constant memory.
GROWTH = 1.1
SMALLEST_SECONDS = 0.0001


@dataclass(slots=True)
class Latencies:
    """Times of single requests, kept as a histogram."""

    count: int = 0
    total_seconds: float = 0.0
    longest_seconds: float = 0.0
    _buckets: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one request."""
        self.count += 1
        self.total_seconds += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)
        self._buckets[round(math.log(max(seconds, SMALLEST_SECONDS), GROWTH))] += 1

    def quantile(self, share: float) -> float:
        """Return the time that this share of the requests did not exceed, within five per cent."""
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= share * self.count:
                return min(self.longest_seconds, GROWTH**bucket)
        return 0.0

    def summary(self) -> dict[str, float]:
        """Return mean, median, 95th percentile and maximum, in seconds."""
        return {
            "mean": round(self.total_seconds / self.count, 4) if self.count else 0.0,
            "p50": round(self.quantile(0.50), 4),
            "p95": round(self.quantile(0.95), 4),
            "max": round(self.longest_seconds, 4),
        }

    def histogram(self) -> list[list[float]]:
        """Return [seconds, requests] per bucket, ascending; a bucket spans five per cent each way.

        The fastest and the slowest bucket are not capped by what was really measured.
        """
        return [
            [round(GROWTH**bucket, 4), requests]
            for bucket, requests in sorted(self._buckets.items())
        ]


@dataclass(slots=True)
class Tally:
    """Counts of one delivery, over all its stages."""

    requests: int = 0  # everything that was sent, whatever came back
    documents: int = 0  # documents and removals inside those requests
    bytes: int = 0  # of request bodies
    throttled: int = 0  # answers that told us to wait (429)
    retries: int = 0  # requests sent again because no usable answer came
    diagnosis_requests: int = 0  # requests spent on finding refused documents
    seconds_waiting_for_quota: float = 0.0
    seconds_in_flight: float = 0.0  # summed over parallel requests
    rulings: Counter[str] = field(default_factory=Counter)  # answers by ruling, and `no_answer`
    verdicts: Counter[str] = field(default_factory=Counter)  # items by verdict
    latencies: Latencies = field(default_factory=Latencies)
    minutes: Counter[int] = field(default_factory=Counter)  # Unix minute → requests sent in it

    def sent(self, documents: int, size: int, moment: float) -> None:
        """Count one request that leaves.

        Args:
            documents: Documents and removals inside it.
            size: Bytes of its body.
            moment: Unix seconds.
        """
        self.requests += 1
        self.documents += documents
        self.bytes += size
        self.minutes[int(moment // 60)] += 1

    def told(self, error: Exception, remaining: int) -> Exception:
        """Return an error that ends the delivery with what was delivered and how to go on.

        Args:
            error: Any but a `DeliveryError` is returned as it is.
            remaining: Items of the run that have no verdict yet.
        """
        if not isinstance(error, DeliveryError):
            return error
        accepted = self.verdicts[Verdict.ACCEPTED] + self.verdicts[Verdict.UNCONFIRMED]
        told = type(error)(
            f"{error} {accepted} documents and deletes were accepted in this run, {remaining} "
            "remain and wait in the ledger: mend the cause and push again, it goes on from there."
        )
        told.__cause__ = error.__cause__
        return told

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as plain values for a report."""
        return {
            "requests": self.requests,
            "documents": self.documents,
            "bytes": self.bytes,
            "throttled": self.throttled,
            "retries": self.retries,
            "diagnosis_requests": self.diagnosis_requests,
            "seconds_waiting_for_quota": round(self.seconds_waiting_for_quota, 3),
            "seconds_in_flight": round(self.seconds_in_flight, 3),
            "rulings": dict(sorted(self.rulings.items())),
            "verdicts": dict(sorted(self.verdicts.items())),
            "latency_seconds": self.latencies.summary(),
            "latency_histogram": self.latencies.histogram(),
            "requests_by_minute": [list(pair) for pair in sorted(self.minutes.items())],
        }
