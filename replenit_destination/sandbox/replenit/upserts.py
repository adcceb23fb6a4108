"""The POST endpoints: read a body, judge its documents, store them, answer (E1 to E3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from replenit_destination.sandbox.replenit import answers
from replenit_destination.sandbox.replenit.rules import Complaint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replenit_destination.sandbox.clock import Clock
    from replenit_destination.sandbox.faults import Faults
    from replenit_destination.sandbox.replenit.answers import Answer
    from replenit_destination.sandbox.replenit.routes import Route
    from replenit_destination.sandbox.replenit.switches import Switches
    from replenit_destination.sandbox.replenit.tenants import Tenant

__all__ = ["Upserts", "count"]

_decode = msgspec.json.Decoder().decode
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Upserts:
    """Carries out POSTs.

    Args:
        clock: What `processedAt` and a filled-in `OrderDate` show.
        faults: Whose poisons refuse or skip documents.
        count_only: Neither check nor store.
    """

    def __init__(self, clock: Clock, faults: Faults, *, count_only: bool) -> None:
        self._clock = clock
        self._faults = faults
        self._count_only = count_only
        self._refusals = 0  # the style `mixed` goes through the others by it

    def post(
        self, route: Route, tenant: Tenant, body: bytes, maxima: Mapping[str, int], number: int
    ) -> Answer:
        """Answer one POST; `number` is that of the request."""
        switches = tenant.switches
        if 0 < switches.max_body_bytes < len(body):
            return answers.failure(413, "Request body too large.", "too_large")
        if self._count_only:
            return self.success(route.entity, count(body), switches)
        try:
            documents = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._refuse_body("The body is not valid JSON.", switches, number)
        if type(documents) is not list:
            return self._refuse_body("The body must be a JSON array.", switches, number)
        maximum = maxima.get(route.entity)
        if maximum is not None and len(documents) > maximum and switches.over_maximum != "accept":
            # The numbers are [G:rate]'s (K26), the answer is an assumption (Q13).
            message = f"A request may hold at most {maximum} {route.entity}."
            answer = answers.failure(int(switches.over_maximum), message, "over_maximum")
        else:
            answer = self._take(route.entity, tenant, documents, number)
        answer.documents = len(documents)
        return answer

    def _take(self, entity: str, tenant: Tenant, documents: list[Any], number: int) -> Answer:
        switches = tenant.switches
        verdict = tenant.rules.judge(entity, documents, self._faults.poisons)
        keep = not verdict.complaints or switches.atomic_400 == "off"
        stored = self._store(entity, tenant, verdict.accepted) if keep else 0
        ignored = verdict.ignored + (len(verdict.accepted) - stored if keep else 0)
        if verdict.complaints:
            answer = self._refuse(verdict.complaints, switches, number)
        else:
            included = ignored if switches.ignored_in_count == "included" else 0
            answer = self.success(entity, stored + included, switches)
        answer.stored, answer.ignored, answer.committed = stored, ignored, stored > 0
        return answer

    def _store(self, entity: str, tenant: Tenant, documents: list[dict[str, Any]]) -> int:
        """Store documents and return how many; the others are skipped (Q11)."""
        store, rules = tenant.store, tenant.rules
        defaults = rules.defaults(entity)
        if entity == "orders" and rules.fills_order_date:
            defaults["OrderDate"] = self._clock.timestamp()
        child_defaults = rules.child_defaults(entity)
        skips_unlinked = entity == "orders" and tenant.switches.unknown_customer == "ignore"
        stored = 0
        for document in documents:
            if skips_unlinked and not store.knows_customer(document):
                continue
            store.upsert(entity, document, defaults, child_defaults)
            stored += 1
        return stored

    def success(self, entity: str, documents: int, switches: Switches) -> Answer:
        """Return the 200 that claims so many documents."""
        shown = self._clock.timestamp(milliseconds=switches.processed_at == "milliseconds")
        answer = answers.success(entity, documents, shown)
        answer.documents = answer.stored = documents
        answer.committed = documents > 0
        return answer

    def _refuse_body(self, message: str, switches: Switches, number: int) -> Answer:
        return self._refuse([Complaint(None, "", message)], switches, number)

    def _refuse(self, complaints: list[Complaint], switches: Switches, number: int) -> Answer:
        style = switches.error_style
        if style == "mixed":
            style = answers.MIXED_STYLES[self._refusals % len(answers.MIXED_STYLES)]
        self._refusals += 1
        return answers.refusal(complaints, style, switches.error_paths, number)


def count(body: bytes) -> int:
    """Return how many documents a body holds without reading them; 0 when it is no array."""
    try:
        return len(_decode_raw(body))
    except msgspec.DecodeError:
        return 0
