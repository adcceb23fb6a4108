"""What one run does differently from another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replenit_destination.engine.alarms import AlarmRules
from replenit_destination.engine.delivery_options import DeliveryOptions
from replenit_destination.engine.diagnosis import DiagnosisSettings
from replenit_destination.engine.named import Named
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["PushOptions"]


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What one run does differently.

    Args:
        full: Compare everything, not only what loads touched.
        entities: Only these; None is all.
        allow_removals: Entities whose removals the guards let pass this once.
        accept_resend: Send again what only a new mapping or setting changed, however much it is.
        accept_schema: Send although the source's tables or a field of many documents changed.
        bulk_changes: Fields that may change in any number of documents at once without a word, such
            as `products.variants.Stock`; turning to nothing is told all the same.
        retry: Try refused documents again although nothing about them changed.
        force: Send everything, also what the vendor already has.
        rerender: Make every document again and compare it, also where its rows are the same.
        keys: Look at the documents with these keys only, of the one entity that is named.
        since: Look at documents only that were loaded or accepted since then, in Unix seconds.
        refused: Look at documents only that stand rejected or quarantined.
        max_requests: Stop cleanly after so many requests.
        max_seconds: Stop cleanly after so many seconds of delivery.
        workers: Requests under way at once; 0 sends on the calling thread.
        max_attempts: Sendings of one batch without a usable answer before it is searched.
        retry_budget_seconds: How long every request may fail before delivery stops.
        diagnosis_share: Part of the requests that may search refused batches; 1 is no limit.
        confirm: Send again what the vendor took without counting it, to find out which it was.
        quota_share: Part of the account's quota to use.
        memory_limit: DuckDB's, while this runs.
        delivery_log: Whether what is sent about people is logged.
        lock_wait_seconds: How long to wait for a database that another process has open.
        alarms: From when on the report warns.
    """

    full: bool = False
    entities: Sequence[str] | None = None
    allow_removals: Sequence[str] = ()
    accept_resend: bool = False
    accept_schema: bool = False
    bulk_changes: Collection[str] = ()
    retry: bool = False
    force: bool = False
    rerender: bool = False
    keys: Collection[str] = ()
    since: float | None = None
    refused: bool = False
    max_requests: int | None = None
    max_seconds: float | None = None
    workers: int = 4
    max_attempts: int = 10
    retry_budget_seconds: float = 300.0
    diagnosis_share: float = 0.10
    confirm: bool = False
    quota_share: float = 0.8
    memory_limit: str = "512MB"
    delivery_log: bool = True
    lock_wait_seconds: float = 300.0
    alarms: AlarmRules = field(default_factory=AlarmRules)

    def __post_init__(self) -> None:
        """Refuse values no delivery can work with.

        Raises:
            SettingsError: Names the setting.
        """
        for name, fits, rule in (
            ("max_attempts", self.max_attempts >= 1, "at least 1"),
            ("retry_budget_seconds", self.retry_budget_seconds >= 0, "0 or more seconds"),
            ("diagnosis_share", 0 <= self.diagnosis_share <= 1, "between 0 and 1"),
        ):
            if not fits:
                message = f"{name}: must be {rule}."
                raise SettingsError(message)

        if self.keys and len(self.entities or ()) != 1:
            message = "keys: name the entity too, and only one: keys are unique within it only."
            raise SettingsError(message)

    @property
    def named(self) -> Named | None:
        """The documents this run is about; None when it is about what changed."""
        return Named(self.keys, self.since, self.refused) or None

    @property
    def delivery(self) -> DeliveryOptions:
        """How the delivery behaves under these options."""
        return DeliveryOptions(
            workers=self.workers,
            max_requests=self.max_requests,
            max_seconds=self.max_seconds,
            max_attempts=self.max_attempts,
            retry_budget_seconds=self.retry_budget_seconds,
            diagnosis=DiagnosisSettings(share=self.diagnosis_share),
            confirm=self.confirm,
        )
