"""The vendor's service without sockets: one call per request, everything else in memory.

    key ── quota ── fault? ── path ── tenant ── method ── rules ── store ── answer ── journal

The order of authentication, permission and tenant is an assumption (Q23); [C] only says that the
tenant is
checked before the endpoint's own code.
"""

from __future__ import annotations

import math
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from replenit_destination.sandbox.clock import Clock
from replenit_destination.sandbox.faults import Dropped, FaultKind, Faults
from replenit_destination.sandbox.journal import Entry, Journal
from replenit_destination.sandbox.replenit import answers, deletes, routes, views
from replenit_destination.sandbox.replenit.limits import Limits, RateLimiter
from replenit_destination.sandbox.replenit.persistence import StateFile
from replenit_destination.sandbox.replenit.spoil import spoil
from replenit_destination.sandbox.replenit.switches import Switches
from replenit_destination.sandbox.replenit.tenants import Tenants
from replenit_destination.sandbox.replenit.upserts import Upserts, count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from replenit_destination.sandbox.faults import Fault
    from replenit_destination.sandbox.replenit.answers import Answer
    from replenit_destination.sandbox.replenit.limits import Allowance

__all__ = ["API_KEY", "TENANT_ID", "ReplenitService"]

API_KEY = "c2FuZGJveC1rZXk="  # base64 of "sandbox-key": keys look like that [R] [G:root] [D]
TENANT_ID = "5a11d0b0-0000-4000-8000-000000000001"


class ReplenitService:
    """The vendor as documented, under one profile and one set of switches.

    Safe to call from several threads; requests are carried out one at a time, in order of arrival.

    Args:
        profile: Whose validation applies: strict, reference, gitbook or docs-1.1.
        switches: Answers to the open questions, by name; see `Switches`.
        tenants: Key → the tenants it may write to. Default: one key, one tenant.
        tenant_switches: Tenant → switches that differ there.
        limits: The quota; `None` for none. Default: the vendor's.
        clock: The time; a callable is taken as the source of a `Clock`.
        state: File that keeps the documents across restarts; `None` keeps them in memory.
        seed: Of the faults' chance.
        count_only: Neither check nor store: count the documents and say 200, as fast as can be.
        keep_bodies: Whether the journal keeps request bodies.
    """

    def __init__(
        self,
        *,
        profile: str = "strict",
        switches: Mapping[str, Any] | None = None,
        tenants: Mapping[str, Iterable[str]] | None = None,
        tenant_switches: Mapping[str, Mapping[str, Any]] | None = None,
        limits: Limits | None = Limits(),  # noqa: B008 - frozen
        clock: Clock | Callable[[], float] | None = None,
        state: str | Path | None = None,
        seed: int = 0,
        count_only: bool = False,
        keep_bodies: bool = False,
    ) -> None:
        self.clock = clock if isinstance(clock, Clock) else Clock(*([clock] if clock else []))
        self.faults = Faults(seed=seed)
        self.journal = Journal()
        self._keep_bodies = keep_bodies
        self._lock = RLock()
        self._limiter = RateLimiter(limits or Limits.unlimited())
        self._upserts = Upserts(self.clock, self.faults, count_only=count_only)
        self._tenants = Tenants(
            tenants or {API_KEY: [TENANT_ID]},
            profile=profile,
            switches=Switches().but(switches or {}),
            overrides=tenant_switches or {},
            file=StateFile(Path(state)) if state is not None else None,
        )

    # -- requests
    # -----------------------------------------------------------------------------------------

    def handle(
        self,
        method: str,
        path: str,
        query: str | Iterable[tuple[str, str]] = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request; a delay passes on the sandbox's clock.

        Args:
            method: In any case.
            path: Percent-encoded, without the query.
            query: As sent, or as pairs not yet encoded.
            headers: Names in any case.
            body: The raw body.

        Returns: Status, headers with lower-case names, body.

        Raises: Dropped: A fault ended the connection.
        """
        encoded = query if isinstance(query, str) else urlencode(list(query))
        answer = self.answer(method, path, encoded, headers or {}, body)
        if answer.delay_seconds:
            self.clock.advance(answer.delay_seconds)
        if answer.dropped is not None:
            partial = answer.truncated if answer.dropped is FaultKind.TRUNCATE else b""
            raise Dropped(kind=answer.dropped, committed=answer.committed, partial=partial)
        return answer.status, answer.headers, answer.body

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Carry out one request and return the answer with what a fault does to it on the way."""
        with self._lock:
            request = _Request(method.upper(), path, query, body, self.clock())
            self._tenants.settle(request.now)
            answer = self._admitted(request, _header(headers, "x-replenit-auth-key"))
            self._tenants.save()
            self.journal.append(self._entry(request, answer))
            return answer

    def _admitted(self, request: _Request, key: str) -> Answer:
        """Answer a request after asking for its key, its quota, and whether a fault hits it."""
        allowed = self._tenants.keys.get(key)  # as sent: stray blanks make a wrong key [G:auth]
        if allowed is None:
            return answers.failure(401, "Unauthorized.", "unauthorized")  # [D:err]
        switches = self.switches
        quota = self._limiter.take(
            key,
            request.now,
            sliding=switches.window == "sliding",
            count_refused=switches.throttled_count == "on",
        )
        wait = max((window.retry_after_seconds for window in quota), default=0)
        if wait:
            answer = answers.throttled(switches.throttle_answer, wait)
        else:
            answer = self._faulted(request, allowed)
        if switches.rate_headers == "on":
            answer.headers.update(_rate_headers(quota, switches.rate_header_window))
        return answer

    def _faulted(self, request: _Request, allowed: tuple[str, ...]) -> Answer:
        fault = self.faults.choose(request.method, request.path)
        if fault is None:
            return self._routed(request, allowed)
        entity = request.route.entity if request.route and request.method == "POST" else ""
        work = fault.commits
        answer = self._routed(request, allowed) if work else self._unheard(request, entity)
        return self._spoilt(fault, answer, entity)

    def _unheard(self, request: _Request, entity: str) -> Answer:
        """Return what would have been answered when a fault strikes before the work is done."""
        if not entity:
            return answers.Answer(200)
        answer = self._upserts.success(entity, count(request.body), self.switches)
        answer.stored, answer.committed = 0, False
        return answer

    def _spoilt(self, fault: Fault, answer: Answer, entity: str) -> Answer:
        switches = self.switches
        shown = self.clock.timestamp(milliseconds=switches.processed_at == "milliseconds")
        return spoil(
            fault,
            answer,
            entity=entity,
            throttle_answer=switches.throttle_answer,
            processed_at=shown,
        )

    def _routed(self, request: _Request, allowed: tuple[str, ...]) -> Answer:
        route = request.route
        if route is None:
            return answers.Answer(404, outcome="no_such_path")
        if not routes.is_guid(route.tenant):
            return answers.failure(400, "Tenant ID is not valid.", "bad_tenant")  # K29
        tenant = self._tenants.find(route.tenant)
        if tenant is None:
            return answers.failure(404, "Tenant not found.", "no_tenant")  # [C] [D:err]
        if route.tenant.lower() not in allowed:
            return answers.failure(403, "Forbidden.", "forbidden")  # K27, K28
        style = tenant.switches.customer_delete_style
        methods = [
            each for each in route.methods if each != "DELETE" or deletes.served(route, style)
        ]
        if request.method not in methods:
            headers = {"allow": ", ".join(methods)}
            return answers.Answer(405, headers=headers, outcome="no_such_method")
        if request.method == "DELETE":
            answer = deletes.delete(route, request.query, tenant.store, request.now)
            tenant.store.settle(request.now)
            return answer
        return self._upserts.post(
            route, tenant, request.body, self.limits.batch, self.journal.total + 1
        )

    def _entry(self, request: _Request, answer: Answer) -> Entry:
        route = request.route
        return Entry(
            number=self.journal.total + 1,
            time=request.now,
            method=request.method,
            path=request.path,
            query=request.query,
            status=0 if answer.dropped else answer.status,
            documents=answer.documents,
            bytes=len(request.body),
            outcome=answer.outcome,
            entity=route.entity if route else "",
            tenant=route.tenant if route else "",
            stored=answer.stored,
            ignored=answer.ignored,
            committed=answer.committed,
            body=request.body if self._keep_bodies else None,
        )

    # -- the inside
    # ---------------------------------------------------------------------------------------

    @property
    def limits(self) -> Limits:
        """The quota in force."""
        return self._limiter.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limiter.limits = limits

    @property
    def profile(self) -> str:
        """Whose validation applies."""
        return self._tenants.profile

    @property
    def switches(self) -> Switches:
        """The switches as they hold where a tenant has none of its own."""
        return self._tenants.switches

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """Key → the tenants it opens."""
        return dict(self._tenants.keys)

    @property
    def tenant_ids(self) -> tuple[str, ...]:
        """All tenants, in the order in which they were given."""
        return tuple(self._tenants)

    def configure(
        self,
        *,
        profile: str | None = None,
        switches: Mapping[str, Any] | None = None,
        tenant_id: str | None = None,
    ) -> None:
        """Change the profile, or switches for all tenants or for one; what is stored stays."""
        with self._lock:
            self._tenants.configure(profile, switches or {}, tenant_id)

    def switches_of(self, tenant_id: str) -> Switches:
        """Return the switches as they hold for one tenant."""
        return self._tenants.switches_of(tenant_id)

    def state(self, tenant_id: str | None = None) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the documents of a tenant, by default the first: entity → key → document."""
        with self._lock:
            self._tenants.settle(self.clock())
            self._tenants.save()
            return views.state(self._tenants.get(tenant_id).store)

    def flags(self, tenant_id: str | None = None) -> dict[str, dict[str, list[str]]]:
        """Return what the sandbox noticed about documents; see `views.flags`."""
        with self._lock:
            return views.flags(self._tenants.get(tenant_id).store)

    def unknown_properties(self, tenant_id: str | None = None) -> dict[str, int]:
        """Return the properties no page names, with how often they came since `configure`."""
        with self._lock:
            return dict(self._tenants.get(tenant_id).rules.unknown_properties)

    def settle(self) -> None:
        """Carry out every queued delete now, due or not."""
        with self._lock:
            self._tenants.settle(float("inf"))
            self._tenants.save()

    def reset(self) -> None:
        """Forget documents, journal, used quota and faults. Clock and switches stay."""
        with self._lock:
            self._tenants.reset()
            self.journal.clear()
            self.faults.clear()
            self._limiter.reset()

    def close(self) -> None:
        """Let go of the state file."""
        self._tenants.close()


class _Request:
    """One request on its way through the service."""

    __slots__ = ("body", "method", "now", "path", "query", "route")

    def __init__(self, method: str, path: str, query: str, body: bytes, now: float) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.now = now
        self.route = routes.find(path)


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if value is None:
        value = next((each for key, each in headers.items() if key.lower() == name), "")
    return value


def _rate_headers(quota: tuple[Allowance, ...], window: str) -> dict[str, str]:
    if not quota:
        return {}
    shown = quota[0]  # [G:rate]: the minute
    if window == "tightest":
        shown = min(quota, key=lambda each: each.remaining)
    return {
        "x-ratelimit-limit": str(shown.limit),
        "x-ratelimit-remaining": str(shown.remaining),
        "x-ratelimit-reset": str(math.ceil(shown.reset_at)),
    }
