"""What one run does differently from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        max_requests: Stop cleanly after so many requests.
        max_seconds: Stop cleanly after so many seconds of delivery.
        workers: Requests under way at once; 0 sends on the calling thread.
        quota_share: Part of the account's quota to use.
        memory_limit: DuckDB's, while this runs.
        lock_wait_seconds: How long to wait for a database that another process has open.
    """

    full: bool = False
    entities: Sequence[str] | None = None
    allow_removals: Sequence[str] = ()
    accept_resend: bool = False
    accept_schema: bool = False
    bulk_changes: Collection[str] = ()
    retry: bool = False
    force: bool = False
    max_requests: int | None = None
    max_seconds: float | None = None
    workers: int = 4
    quota_share: float = 0.8
    memory_limit: str = "512MB"
    lock_wait_seconds: float = 300.0
