"""The bodies the service answers with, as the vendor's pages show them: F1 to F6."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.sandbox.faults import FaultKind
    from replenit_destination.sandbox.replenit.rules import Complaint

__all__ = ["MIXED_STYLES", "Answer", "deleted", "failure", "refusal", "success", "throttled"]

MIXED_STYLES = ("problem", "envelope", "minimal", "bare")

_encode = msgspec.json.Encoder().encode
_JSON = "application/json; charset=utf-8"
_PROBLEM = "application/problem+json; charset=utf-8"
_TITLE = "One or more validation errors occurred."


@dataclass(slots=True)
class Answer:
    """One answer, and what an injected fault does to it on the way.

    `dropped` names the fault that ends the connection without a whole answer; `delay_seconds` comes
    first.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    outcome: str = ""
    stored: int = 0
    ignored: int = 0
    committed: bool = False
    documents: int = 0
    delay_seconds: float = 0.0
    dropped: FaultKind | None = None

    @property
    def truncated(self) -> bytes:
        """The part of the body that a cut connection delivers."""
        return self.body[: len(self.body) // 2]


def _json(status: int, value: Any, outcome: str, content_type: str = _JSON) -> Answer:
    return Answer(status, _encode(value), {"content-type": content_type}, outcome)


def success(entity: str, count: int, processed_at: str) -> Answer:
    """Return the 200 of a POST: §5.1, [R] and [D:start]."""
    message = {
        "customers": "Customers saved.",
        "orders": "Orders saved.",
        "products": "Products saved.",
    }
    body = {
        "success": True,
        "message": message[entity],
        "data": {"count": count, "processedAt": processed_at},
    }
    return _json(200, body, "stored")


def failure(status: int, message: str, outcome: str) -> Answer:
    """Return F5, the envelope of every failure that is not about content."""
    return _json(status, {"success": False, "message": message, "data": {}}, outcome)


def deleted(shape: str, message: str, ids: dict[str, str], outcome: str) -> Answer:
    """Return the success of a DELETE.

    [C] promises the customer's id; the property's name and the other bodies are assumptions.
    """
    if shape == "204":
        return Answer(204, outcome=outcome)
    if shape == "empty":
        return Answer(200, outcome=outcome)
    return _json(200, {"success": True, "message": message, "data": ids}, outcome)


def throttled(shape: str, seconds: int) -> Answer:
    """Return a 429: F6 [G:rate] or F5 [D:rate], with `Retry-After` or without (K25)."""
    message = f"Rate limit exceeded. Retry after {seconds} seconds."
    if shape == "f6":
        body = {"success": False, "message": message, "data": {"retryAfter": seconds}}
        answer = _json(429, body, "throttled")
    else:
        answer = failure(429, "Rate limit exceeded.", "throttled")
    if shape != "no_header":
        answer.headers["retry-after"] = str(seconds)
    return answer


def refusal(complaints: Sequence[Complaint], style: str, paths: str, number: int) -> Answer:
    """Return a 400 about content in one of the four documented shapes (K22).

    Args:
        complaints: What is wrong, at least one.
        style: problem, envelope, minimal or bare.
        paths: indexed or serializer.
        number: Of the request; becomes the trace id.
    """
    nameless = all(complaint.missing_identifier for complaint in complaints)
    if style == "minimal" or (style == "problem" and nameless):
        # F3 [D:err]: the empty key names no record, even in a batch.
        messages = list(dict.fromkeys(complaint.message for complaint in complaints))
        return _json(400, {"status": 400, "errors": {"": messages}}, "refused")
    errors: dict[str, list[str]] = {}
    for complaint in complaints:
        key = _bare(complaint) if style == "bare" else _pointer(complaint, paths)
        messages = errors.setdefault(key, [])
        if complaint.message not in messages:
            messages.append(complaint.message)
    if style == "bare":  # F4 [G:err]
        return _json(400, {"title": _TITLE, "status": 400, "errors": errors}, "refused", _PROBLEM)
    if style == "envelope":  # F1 [R]
        body = {"success": False, "message": "Validation failed", "data": {}, "errors": errors}
        return _json(400, body, "refused")
    body = {  # F2 [D:err]
        "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
        "title": _TITLE,
        "status": 400,
        "traceId": f"00-{number:032x}-{number:016x}-00",
        "errors": errors,
    }
    return _json(400, body, "refused", _PROBLEM)


def _pointer(complaint: Complaint, paths: str) -> str:
    root = "$" if paths == "serializer" else ""
    if complaint.index is None:
        return "$"
    pointer = complaint.pointer or ("CustomerId" if complaint.missing_identifier else "")
    place = f"{root}[{complaint.index}]"
    return f"{place}.{pointer}" if pointer else place


def _bare(complaint: Complaint) -> str:
    pointer = complaint.pointer or ("CustomerId" if complaint.missing_identifier else "")
    return pointer.rpartition(".")[2]
