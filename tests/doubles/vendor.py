"""A small vendor: a target that reads its answers, and the service that gives them.

The service speaks plain HTTP values (`Request` in, `Answer` out) and is a transport by being
called. It keeps the documents it took and a journal of every request.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.documents import Batch, Document, Lane, Removal
from replenit_destination.engine.target import (
    Answer,
    BatchLimits,
    EntitySpec,
    Judgement,
    Pointer,
    Reading,
    Request,
    Ruling,
    TransportError,
)
from replenit_destination.exceptions import CredentialsRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.doubles.clock import FakeClock


def document(
    key: str,
    *,
    entity: str = "orders",
    value: str = "",
    solo_class: str | None = None,
    urgent: bool = False,
) -> Document:
    """Make a document; with a `solo_class` (which may be empty) it travels in the solo lane."""
    body = json.dumps({"key": key, "value": value}, separators=(",", ":")).encode()
    return Document(
        entity=entity,
        key=key,
        body=body,
        content_hash=int.from_bytes(hashlib.md5(body, usedforsecurity=False).digest()),
        source_hash=0,
        lane=Lane.BATCH if solo_class is None else Lane.SOLO,
        solo_class=solo_class or "",
        urgent=urgent,
    )


def documents(count: int, *, entity: str = "orders", prefix: str = "k") -> list[Document]:
    """Make `count` documents with keys `k0`, `k1`, …"""
    return [document(f"{prefix}{n}", entity=entity) for n in range(count)]


class PlainTarget:
    """Reads the answers of `Service`; every ruling has a status of its own."""

    name = "plain"
    host = "https://plain.example.com"
    tenant = "tenant"
    fingerprint = "1"
    entities: tuple[EntitySpec, ...] = ()

    def __init__(self, documents: int = 10, size: int = 1_000_000) -> None:
        self.batch_limits = BatchLimits(documents, size)

    def judge(self, entity: str, row: Mapping[str, Any]) -> Judgement:
        return Judgement(payload=row)

    def limits(self, entity: str) -> BatchLimits:
        return self.batch_limits

    def request(self, batch: Batch) -> Request:
        item = batch.items[0]
        if isinstance(item, Removal):
            return Request("DELETE", f"/{item.entity}/{item.key}/{item.child}")
        return Request(
            "POST", f"/{batch.entity}", body=b"[%s]" % b",".join(i.body for i in batch.items)
        )

    def read(self, batch: Batch, answer: Answer) -> Reading:
        said = json.loads(answer.body)
        remaining = answer.headers.get("remaining")
        common: dict[str, Any] = {
            "words": said.get("message", ""),
            "request_id": said.get("id", ""),
            "quota_remaining": None if remaining is None else int(remaining),
            "quota_reset_seconds": float(answer.headers["reset"]) if remaining else None,
        }
        match answer.status:
            case 200:
                return Reading(Ruling.ACCEPTED, confirmed=said.get("count"), **common)
            case 400:
                pointers = tuple(Pointer(*pointer) for pointer in said["pointers"])
                return Reading(Ruling.REFUSED, pointers=pointers, **common)
            case 401:
                error = CredentialsRefusedError("The key is refused.")
                return Reading(Ruling.STOP, error=error, **common)
            case 404:
                return Reading(Ruling.GONE, **common)
            case 413:
                return Reading(Ruling.TOO_LARGE, **common)
            case 429:
                wait = said.get("retry_after")
                return Reading(Ruling.THROTTLED, retry_after_seconds=wait, **common)
            case 299:
                return Reading(Ruling.RETRY, denied=True, **common)
            case _:
                return Reading(Ruling.RETRY, **common)


@dataclass(slots=True)
class Call:
    """One request as the service saw it; `moment` is its arrival."""

    moment: float
    method: str
    path: str
    keys: tuple[str, ...]
    status: int = 0


@dataclass
class RateLimit:
    """A server's own counting: sliding or fixed windows."""

    limit: int
    seconds: float
    fixed: bool = False
    _arrivals: deque[float] = field(default_factory=deque)

    def full(self, now: float) -> bool:
        start = now // self.seconds * self.seconds if self.fixed else now - self.seconds
        while self._arrivals and self._arrivals[0] < start:
            self._arrivals.popleft()
        return len(self._arrivals) >= self.limit

    def count(self, now: float) -> None:
        self._arrivals.append(now)

    def headers(self, now: float) -> dict[str, str]:
        reset = self.seconds - now % self.seconds if self.fixed else self.seconds
        return {"remaining": str(self.limit - len(self._arrivals)), "reset": str(reset)}


Fault = str
"""Empty, `refused`, `tls`, `reset`, `timeout`, `lost` (done, no answer), or a status as `503`."""


@dataclass
class Service:
    """The vendor's server. Poison is a key; `style` says how a refusal names it.

    Styles: `indexed` names every culprit, `first` only the first, `bare` none, `lying` an index
    beyond the batch.
    """

    clock: FakeClock | None = None
    poison: frozenset[str] = frozenset()
    style: str = "indexed"
    ignored: frozenset[str] = frozenset()
    largest_body: int = 10_000_000
    limits: tuple[RateLimit, ...] = ()
    headers: bool = False
    retry_after: float | None = None
    fault: Callable[[Call], Fault] = lambda _call: ""
    latency: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)
    stored: dict[tuple[str, str], Any] = field(default_factory=dict)
    accepted: list[tuple[str, str]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        there, back = self.latency()
        self._pass(there)
        call = self._arrive(request)
        try:
            answer = self._answer(request, call)
        finally:
            self._pass(back)
        call.status = answer.status
        return Answer(answer.status, answer.headers, answer.body, there + back)

    @property
    def statuses(self) -> list[int]:
        return [call.status for call in self.calls]

    def _pass(self, seconds: float) -> None:
        if self.clock is not None and seconds:
            self.clock.advance(seconds)

    def _arrive(self, request: Request) -> Call:
        moment = self.clock.now() if self.clock else 0.0
        keys: Iterable[str]
        if request.body:
            keys = [entry["key"] for entry in json.loads(request.body)]
        else:
            keys = [request.path.split("/")[2]]
        self.calls.append(Call(moment, request.method, request.path, tuple(keys)))
        return self.calls[-1]

    def _answer(self, request: Request, call: Call) -> Answer:
        over = [limit for limit in self.limits if limit.full(call.moment)]
        for limit in self.limits:
            limit.count(call.moment)
        headers = self.limits[0].headers(call.moment) if self.limits and self.headers else {}
        if over:
            return self._say(429, {"retry_after": self.retry_after}, headers)
        fault = self.fault(call)
        if fault in {"refused", "tls", "reset", "timeout"}:
            raise TransportError(fault, f"the connection was {fault}")
        if fault and fault != "lost":
            return self._say(
                int(fault), {"retry_after": self.retry_after, "message": fault}, headers
            )
        status, said = self._apply(request, call)
        if fault == "lost":
            call.status = status
            raise TransportError("reset", "the answer was lost")
        return self._say(status, said, headers)

    def _apply(self, request: Request, call: Call) -> tuple[int, dict[str, Any]]:
        if len(request.body) > self.largest_body:
            return 413, {}
        if request.method == "DELETE":
            _, entity, key, child = request.path.split("/")
            self.accepted.append((entity, f"{key}/{child}"))
            gone = self.stored.pop((entity, key), None) if not child else True
            return (404 if gone is None else 200), {}
        bad = [index for index, key in enumerate(call.keys) if key in self.poison]
        if bad:
            return 400, {"message": "Validation failed", "pointers": self._pointers(bad, call)}
        entity = request.path[1:]
        for entry in json.loads(request.body):
            if entry["key"] not in self.ignored:
                self.stored[entity, entry["key"]] = entry["value"]
            self.accepted.append((entity, entry["key"]))
        return 200, {"count": sum(key not in self.ignored for key in call.keys)}

    def _pointers(self, bad: list[int], call: Call) -> list[list[Any]]:
        match self.style:
            case "indexed":
                return [[index, "Field", "is poison"] for index in bad]
            case "first":
                return [[bad[0], "Field", "is poison"]]
            case "lying":
                return [[len(call.keys) + 3, "Field", "is poison"]]
            case _:
                return [[None, "", "something is poison"]]

    def _say(self, status: int, said: dict[str, Any], headers: dict[str, str]) -> Answer:
        said = {"id": f"r{len(self.calls)}", **said}
        return Answer(status, headers, json.dumps(said).encode())
