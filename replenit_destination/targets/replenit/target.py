"""Replenit as the engine sees it: every decision of the vendor's behind one object."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from replenit_destination.engine.target import BatchLimits
from replenit_destination.targets.replenit import errors
from replenit_destination.targets.replenit.api import build_request
from replenit_destination.targets.replenit.contracts import CONTRACT_VERSION
from replenit_destination.targets.replenit.entities import entity_specs
from replenit_destination.targets.replenit.judgement import Judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from replenit_destination.engine.documents import Batch
    from replenit_destination.engine.target import Answer, EntitySpec, Judgement, Reading, Request
    from replenit_destination.targets.replenit.configuration import ReplenitSettings

__all__ = ["ReplenitTarget"]

_SHAPES_DOCUMENTS = (
    "caps",
    "compute_total_revenue",
    "customer_identifier_priority",
    "duplicate_lines",
    "email_case",
    "extra_fields",
    "guest_orders",
    "language_fallback",
    "optional_invalid",
    "product_identifier_priority",
    "product_removal",
    "required_fields",
    "truncate",
    "uncertain",
    "gdpr_policy",
)


class ReplenitTarget:
    """Implements `engine.target.Target` for one tenant of Replenit.

    Args:
        settings: The tenant and its choices.
        clock: Unix seconds; read for dates in the future and for times in the service's headers.
    """

    def __init__(
        self, settings: ReplenitSettings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self._clock = clock
        tomorrow = datetime.fromtimestamp(clock(), UTC) + timedelta(days=1)
        self._judge = Judge(settings, tomorrow=f"{tomorrow:%Y-%m-%dT%H:%M:%S}.000Z")
        self.entities: tuple[EntitySpec, ...] = entity_specs(settings, self._judge.schemas)

    def __repr__(self) -> str:
        return f"ReplenitTarget(host={self.host!r}, tenant={self.tenant!r})"

    @property
    def name(self) -> str:
        """`replenit`."""
        return "replenit"

    @property
    def host(self) -> str:
        """The configured base URL: scheme, host, port and, behind a gateway, path."""
        return self.settings.base_url

    @property
    def tenant(self) -> str:
        """The tenant's GUID; it is no secret."""
        return self.settings.tenant_id

    @property
    def account(self) -> str:
        """The name of the quota account, which several tenants may share."""
        return self.settings.account

    @property
    def windows(self) -> tuple[tuple[int, float], ...]:
        """100 requests a minute and 5,000 an hour, over all tenants of the account [R][D:rate]."""
        return (
            (self.settings.requests_per_minute, 60.0),
            (self.settings.requests_per_hour, 3600.0),
        )

    @property
    def fingerprint(self) -> str:
        """A hash of the contract's version and of every setting that shapes documents."""
        shaping = {name: getattr(self.settings, name) for name in _SHAPES_DOCUMENTS}
        text = orjson.dumps([CONTRACT_VERSION, shaping], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()[:32]

    def judge(self, entity: str, row: Mapping[str, Any]) -> Judgement:
        """Return the verdict on one assembled row."""
        return self._judge(entity, row)

    def limits(self, entity: str) -> BatchLimits:
        """Return the recommended batch size and the body's cap, both settings."""
        documents = getattr(self.settings, f"{entity}_per_request")
        return BatchLimits(documents, self.settings.max_batch_bytes)

    def request(self, batch: Batch) -> Request:
        """Return the request for a batch; a delete without its identifier is unaddressable."""
        return build_request(self.settings, batch)

    def read(self, batch: Batch, answer: Answer) -> Reading:
        """Return what an answer means; never raises."""
        return errors.read(batch, answer, now=self._clock())
