"""What the server of the side-by-side suite holds, and how it answers a batch or a delete."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import orjson

from tests.benchmarks.rivals.behaviour import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.rivals.behaviour import Behaviour, Quota

__all__ = ["Answer", "Gate", "Store"]

# The cursor column of the source: several programs cannot take it out of the document.
_CURSOR = "updated_at"
_REASON = "The Email domain is not accepted."

Answer = tuple[int, dict[str, str], bytes]


class Store:
    """Orders by key, over all tenants: the suite gives no two tenants the same order."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.counts = Counts()
        self.orders: dict[str, dict[str, Any]] = {}

    def post(self, body: bytes) -> Answer:
        """Store a batch, or refuse it."""
        limit = self.behaviour.max_body_bytes
        if 0 < limit < len(body):
            self.counts.too_large += 1
            return _failure(413, "Request body too large.")
        self.counts.batches += 1
        try:
            documents = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _failure(400, "The body is not valid JSON.")
        if not isinstance(documents, list):
            return _failure(400, "The body must be a JSON array.")
        bad = self._poisoned(documents)
        multi_status = self.behaviour.poison_answer == "multi_status"
        if bad:
            self.counts.refused += 1
            if not multi_status:
                return _refusal(bad, self.behaviour.poison_answer)
        for place, document in enumerate(documents):
            if place not in bad:
                self._keep(document)
        return _saved(len(documents) - len(bad), bad)

    def delete(self, path: str, query: str) -> Answer:
        """Delete an order, or a line: `/orders/{tenant}/{key}[/items?productId=&sku=]`."""
        self.counts.deletes += 1
        _, _, _, key, *rest = unquote(path).split("/")
        order = self.orders.get(key)
        if order is None:
            return _failure(404, "Order not found.")
        if rest:
            wanted = parse_qs(query)
            name = (wanted["productId"][0], wanted["sku"][0])
            lines = order["OrderItems"]
            order["OrderItems"] = [line for line in lines if _line_key(line) != name]
        else:
            del self.orders[key]
        return 200, {}, orjson.dumps({"success": True, "message": "Deleted.", "data": {}})

    def _poisoned(self, documents: list[dict[str, Any]]) -> list[int]:
        poison = self.behaviour.poison
        if not poison:
            return []
        return [place for place, one in enumerate(documents) if one.get("OrderId") in poison]

    def _keep(self, document: dict[str, Any]) -> None:
        document.pop(_CURSOR, None)
        key = str(document.get("OrderId"))
        held = self.orders.get(key)
        if held is not None and self.behaviour.children == "merge":
            lines = {_line_key(line): line for line in held["OrderItems"]}
            lines |= {_line_key(line): line for line in document["OrderItems"]}
            document["OrderItems"] = list(lines.values())
        self.counts.accepted += 1
        self.counts.duplicates += held == document
        self.orders[key] = document


class Gate:
    """Counts requests in the quota's window and turns away what is too much."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.time) -> None:
        self._quota = quota
        self._clock = clock
        self._times: deque[float] = deque()

    def enter(self) -> tuple[Answer | None, dict[str, str]]:
        """Return the 429, if it must be one, and the headers of any answer."""
        quota, now = self._quota, self._clock()
        sliding = quota.kind == "sliding"
        start = now - quota.seconds if sliding else now // quota.seconds * quota.seconds
        while self._times and self._times[0] <= start:
            self._times.popleft()
        full = len(self._times) >= quota.limit
        if not full:
            self._times.append(now)
        reset = (self._times[0] if sliding else start) + quota.seconds
        headers = {
            "X-RateLimit-Limit": str(quota.limit),
            "X-RateLimit-Remaining": str(quota.limit - len(self._times)),
            "X-RateLimit-Reset": str(math.ceil(reset)),
        }
        if not quota.hints:
            headers = {}
        if not full:
            return None, headers
        wait = max(1, math.ceil(reset - now))
        data = {"retryAfter": wait} if quota.hints else {}
        if quota.hints:
            headers["Retry-After"] = str(wait)
        body = {"success": False, "message": "Rate limit exceeded.", "data": data}
        return (429, {}, orjson.dumps(body)), headers


def _line_key(line: dict[str, Any]) -> tuple[str, str]:
    return str(line.get("ProductId")), str(line.get("Sku"))


def _failure(status: int, message: str) -> Answer:
    return status, {}, orjson.dumps({"success": False, "message": message, "data": {}})


def _saved(count: int, bad: list[int]) -> Answer:
    body: dict[str, Any] = {
        "success": True,
        "message": "Orders saved.",
        "data": {"count": count, "processedAt": "2026-11-21T00:00:00.000Z"},
    }
    if not bad:
        return 200, {}, orjson.dumps(body)
    results = [{"index": place, "status": 422, "error": _REASON} for place in bad]
    errors = {f"[{place}].Email": [_REASON] for place in bad}
    return 207, {}, orjson.dumps({**body, "errors": errors, "results": results})


def _refusal(bad: list[int], style: str) -> Answer:
    errors = {f"[{place}].Email": [_REASON] for place in bad}
    if style == "envelope":  # F1 [R]
        body = {"success": False, "message": "Validation failed", "data": {}, "errors": errors}
    elif style == "nameless":  # F3 [D:err]
        body = {"status": 400, "errors": {"": [_REASON]}}
    else:  # F2 [D:err]
        title = "One or more validation errors occurred."
        body = {"title": title, "status": 400, "traceId": "00-1-00", "errors": errors}
    return 400, {}, orjson.dumps(body)
