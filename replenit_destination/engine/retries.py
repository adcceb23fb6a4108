"""How the engine behaves while the service fails: how long to wait, and when to give up.

Three rules end a delivery early. The *circuit*: most of the last answers were failures, so the rest
would be too. The *retry budget*: nothing at all has succeeded for too long. *First contact*: never
since the beginning was there a connection, so that the address is more likely wrong than the
service down.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["Backoff", "CircuitSettings", "Health"]

FEW_FAILURES = 5
CHANCE = 1e-7


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts: doubling from `first_seconds` to `longest_seconds`, with jitter.

    The jitter takes up to half of the wait away, so that batches which failed together do not
    return together.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 30.0

    def seconds(self, failures: int, random: Random) -> float:
        """Return how long to wait after the given number of failures, one or more."""
        doublings = min(max(0, failures - 1), 30)
        longest = min(self.longest_seconds, self.first_seconds * 2.0**doublings)
        return longest * (0.5 + 0.5 * random.random())


@dataclass(frozen=True, slots=True)
class CircuitSettings:
    """When most requests fail: `share` of the last `window` answers.

    A service that fails three times in ten opens it once in a hundred million requests.
    """

    window: int = 30
    share: float = 0.8


class Health:
    """What the last answers say about the service.

    An answer that refuses content is a success here: the service is up. A throttled one is neither.
    """

    def __init__(
        self,
        circuit: CircuitSettings,
        *,
        retry_budget_seconds: float,
        throttle_budget_seconds: float,
        first_contact_seconds: float = math.inf,
    ) -> None:
        self._circuit = circuit
        self._retry_budget_seconds = retry_budget_seconds
        self._throttle_budget_seconds = throttle_budget_seconds
        self._first_contact_seconds = first_contact_seconds
        self._reached = False
        self._recent: deque[bool] = deque(maxlen=circuit.window)
        self._failing_since: float | None = None
        self._throttled_since: float | None = None
        self._last_trouble = 0.0
        self.failures_in_a_row = 0
        self.throttles_in_a_row = 0
        self.successes = 0
        self._failures = 0

    @property
    def troubled(self) -> bool:
        """Whether to send one request at a time until one succeeds."""
        return self.failures_in_a_row >= 3 or self.throttles_in_a_row > 0

    @property
    def telling_failures(self) -> int:
        """How many failures in a row are no chance at the rate of this delivery; at least three."""
        rate = (self._failures + 1) / (self._failures + self.successes + 2)
        return max(3, math.ceil(math.log(CHANCE) / math.log(rate)))

    def begin(self) -> None:
        """Forget when trouble began: time between stages is no time of failing."""
        self._failing_since = self._throttled_since = None

    def succeeded(self) -> None:
        """Note an answer that shows the service at work."""
        self._recent.append(True)
        self._reached = True
        self._failing_since = self._throttled_since = None
        self.failures_in_a_row = self.throttles_in_a_row = 0
        self.successes += 1

    def failed(self, now: float, *, searching: bool = False, reached: bool = True) -> None:
        """Note a transient failure: no answer, or a server error.

        Args:
            now: Monotonic time.
            searching: For a document that makes the service fail: failures are what is expected
                then, so they do not count for the circuit.
            reached: Whether there was a connection at all.
        """
        if not searching:
            self._recent.append(False)
        self._reached = self._reached or reached
        self._failures += 1
        self.failures_in_a_row += 1
        self._last_trouble = now
        if self._failing_since is None:
            self._failing_since = now

    def throttled(self, now: float) -> None:
        """Note a throttled request: being told to wait is no fault of the service."""
        self._reached = True
        self.throttles_in_a_row += 1
        self._last_trouble = now
        if self._throttled_since is None:
            self._throttled_since = now

    def verdict(self) -> str:
        """Return why delivery should stop, or an empty string while it should go on.

        Only failures count, not the time since: a wait for the quota is no trouble. For the same
        reason a few failures far apart are none.
        """
        window = self._circuit.window
        failed = self._recent.count(False)
        if len(self._recent) == window and failed >= self._circuit.share * window:
            return f"{failed} of the last {window} requests failed"
        if not self._reached and self._lasted(self._failing_since) > self._first_contact_seconds:
            seconds = f"{self._first_contact_seconds:.0f} seconds"
            return f"no connection to it came about in {seconds}; check `base_url` and the network"
        few = max(self.failures_in_a_row, self.throttles_in_a_row) < FEW_FAILURES
        if not few and self._lasted(self._failing_since) > self._retry_budget_seconds:
            return f"no request succeeded for {self._retry_budget_seconds:.0f} seconds"
        if not few and self._lasted(self._throttled_since) > self._throttle_budget_seconds:
            return f"every request was throttled for {self._throttle_budget_seconds:.0f} seconds"
        return ""

    def _lasted(self, since: float | None) -> float:
        return 0.0 if since is None else self._last_trouble - since
