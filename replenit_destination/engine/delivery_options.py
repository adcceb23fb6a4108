"""The settings of a delivery, each with its unit and its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from replenit_destination.engine.diagnosis import DiagnosisSettings
from replenit_destination.engine.retries import Backoff, CircuitSettings

__all__ = ["DeliveryOptions", "Halt"]


class Halt(StrEnum):
    """Why a delivery takes no more items."""

    STOPPED = "stopped"  # the user or the scheduler asked
    MAX_REQUESTS = "max_requests"
    MAX_SECONDS = "max_seconds"
    YIELDED = "yielded"  # another run asked for its turn at the database
    PAUSED = "paused"  # a person holds all but withdrawals and erasures
    FAILED = "failed"  # an error has been raised


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How a delivery behaves; the defaults suit 100 requests a minute."""

    workers: int = 4
    """Requests under way at once. 0: each is sent on the calling thread, for reproducible tests."""
    max_attempts: int = 10
    """Sendings of one batch without a usable answer before it is searched for the cause."""
    retry_budget_seconds: float = 300.0
    """How long every request may fail before delivery stops."""
    throttle_budget_seconds: float = 7200.0
    """How long every request may be throttled before delivery stops."""
    throttle_fallback_seconds: float = 60.0
    """How long to wait after a 429 that does not say."""
    backoff: Backoff = field(default_factory=Backoff)
    """Waits between attempts."""
    circuit: CircuitSettings = field(default_factory=CircuitSettings)
    """When most requests fail, delivery stops."""
    max_requests: int | None = None
    """Requests this delivery may make; what is left then is backlog."""
    max_seconds: float | None = None
    """Time this delivery may take, counted from its first stage; what is left then is backlog."""
    diagnosis: DiagnosisSettings = field(default_factory=DiagnosisSettings)
    """What searching refused batches may cost."""
    confirm: bool = False
    """Whether a batch that was accepted but not counted in full is halved until it is."""
    first_contact_seconds: float = 30.0
    """How long no connection may come about at the beginning before delivery stops."""
    solo_share: float = 0.20
    """Largest share of the requests for documents that must travel alone …"""
    solo_floor: int = 100
    """… but so many requests in any case."""
    solo_waiting: int = 5000
    """Solo documents kept waiting in memory; more become backlog."""
    grace_seconds: float = 3.0
    """How long a stopped delivery waits for what is in flight, before that is backlog.

    Airflow kills 5 seconds after its TERM, GitHub Actions interrupts a second time after 7.5."""
    landing_seconds: float = 20.0
    """The same where the delivery ends by itself and nobody is about to kill it."""
    poll_seconds: float = 0.2
    """How often `stop` is asked while waiting."""
