"""What an injected fault makes of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.sandbox.faults import FaultKind
from replenit_destination.sandbox.replenit import answers
from replenit_destination.sandbox.replenit.answers import Answer

if TYPE_CHECKING:
    from replenit_destination.sandbox.faults import Fault

__all__ = ["spoil"]

_MESSAGES = {
    401: "Unauthorized.",
    403: "Forbidden.",
    404: "Tenant not found.",
    413: "Request body too large.",
}
_PAGE = "<html><head><title>Bad gateway</title></head><body>Please try again.</body></html>"


def spoil(
    fault: Fault, answer: Answer, *, entity: str, throttle_answer: str, processed_at: str
) -> Answer:
    """Return what the client gets instead of `answer`; what was stored stays stored."""
    spoilt = _replacement(fault, answer, entity, throttle_answer, processed_at)
    spoilt.stored, spoilt.ignored = answer.stored, answer.ignored
    spoilt.documents, spoilt.committed = answer.documents, answer.committed
    for name, value in answer.headers.items():
        spoilt.headers.setdefault(name, value)
    spoilt.outcome = f"fault:{fault.kind}"
    return spoilt


def _replacement(
    fault: Fault, answer: Answer, entity: str, throttle_answer: str, processed_at: str
) -> Answer:
    kind = FaultKind(fault.kind)
    if kind is FaultKind.STATUS:
        return _status(fault, throttle_answer)
    if kind is FaultKind.NOT_JSON:
        return _page(200, fault.body or _PAGE)
    if kind is FaultKind.SUCCESS_FALSE:
        if fault.body is not None:
            return _page(200, fault.body, "application/json")
        return answers.failure(200, "The request could not be processed.", "")
    if kind is FaultKind.SHORT_COUNT:
        if answer.status != 200 or not entity:
            return Answer(answer.status, answer.body)
        return answers.success(entity, max(0, answer.stored - fault.short_by), processed_at)
    replaced = Answer(answer.status, answer.body)
    if kind is FaultKind.DELAY:
        replaced.delay_seconds = fault.seconds
        return replaced
    if kind is FaultKind.TIMEOUT:
        replaced.delay_seconds = fault.seconds
    replaced.dropped = kind
    return replaced


def _status(fault: Fault, throttle_answer: str) -> Answer:
    if fault.body is not None:
        answer = _page(fault.status, fault.body)
    elif fault.status == 429:
        answer = answers.throttled(throttle_answer, round(fault.retry_after or 60))
    else:
        message = _MESSAGES.get(fault.status, "An unexpected error occurred.")
        answer = answers.failure(fault.status, message, "")
    if fault.retry_after is not None:
        answer.headers["retry-after"] = f"{fault.retry_after:g}"
    return answer


def _page(status: int, body: str, content_type: str = "text/html; charset=utf-8") -> Answer:
    return Answer(status, body.encode(), {"content-type": content_type})
