"""Talks to one shop: sends GraphQL, paces it by cost, renews tokens, sorts errors.

    send → THROTTLED, 429, 5xx → wait, send again
         → 401 → renew the token once
         → ACCESS_DENIED, invalid query, ignored filter → stop and say why

Clock, wait and transport are arguments. Tokens and answers appear in no message.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from .errors import (
    AccessDeniedError,
    QueryRefusedError,
    SearchIgnoredError,
    ShopifyUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .settings import Settings

__all__ = ["Pacer", "ShopifyClient"]

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
MAX_BACKOFF_SECONDS = 60.0
TIMEOUT_SECONDS = 60.0
RENEW_BEFORE_SECONDS = 300.0
RETRYABLE_STATUS = frozenset({429, 430, 500, 502, 503, 504})
# A query may fail inside Shopify and succeed a moment later; everything else it says is final.
RETRYABLE_CODES = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
STATUS_MEANING = {
    402: "the shop is frozen for unpaid bills",
    403: "access is forbidden: with an IP allowlist on the app, is this machine's address on it?",
    404: "there is no such shop or API version: check sources.shopify.shop and api_version",
    423: "the shop is locked",
}


@dataclass
class Pacer:
    """Spends the points of the shop's cost bucket: waits before a query, not after a refusal.

    What a query costs is learned from its first answer. The bucket is shared by every app process;
    what Shopify says about it always wins over what was reckoned.
    """

    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    available: float | None = None
    restore_rate: float = 50.0
    throttled: int = 0
    _seen: float = 0.0
    _costs: dict[str, float] = field(default_factory=dict)

    def before(self, name: str) -> None:
        """Wait until the bucket can pay for the query `name`."""
        if self.available is None:
            return
        refilled = self.available + (self.clock() - self._seen) * self.restore_rate
        short = self._costs.get(name, 0.0) - refilled
        if short > 0:
            self.wait(short / self.restore_rate)

    def after(self, name: str, cost: Mapping[str, Any] | None) -> None:
        """Learn from an answer's cost block."""
        if not cost:
            return
        status = cost["throttleStatus"]
        self.available = float(status["currentlyAvailable"])
        self.restore_rate = max(1.0, float(status["restoreRate"]))
        self._seen = self.clock()
        if cost.get("requestedQueryCost"):
            self._costs[name] = float(cost["requestedQueryCost"])

    def throttle(self, name: str) -> None:
        """Wait after THROTTLED as long as the missing points need, at least a second's worth."""
        self.throttled += 1
        short = self._costs.get(name, 0.0) - (self.available or 0.0)
        self.wait(max(1.0, short / self.restore_rate))


class TooExpensiveError(Exception):
    """The query would cost more than one query may; ask for smaller pages."""


class ShopifyClient:
    """One shop's GraphQL Admin API.

    Args:
        settings: Shop, credentials, version.
        transport: How requests leave; the network by default.
        clock: Seconds, for pacing and for the life of tokens.
        wait: Called with seconds to wait.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.transport = transport
        self.clock = clock
        self.wait = wait
        self.pacer = Pacer(clock=clock, wait=wait)
        self.requests = 0
        self._token = settings.access_token
        self._token_until = float("inf") if settings.access_token else 0.0
        self._warned = False
        self._http: httpx.Client | None = None

    @property
    def http(self) -> httpx.Client:
        """The open HTTP client; it follows no redirect, so the token stays with its shop."""
        if self._http is None:
            self._http = httpx.Client(
                transport=self.transport, timeout=TIMEOUT_SECONDS, follow_redirects=False
            )
        return self._http

    def close(self) -> None:
        """Close the connections; the next query opens new ones."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def query(
        self,
        name: str,
        text: str,
        variables: Mapping[str, Any] | None = None,
        *,
        once: bool = False,
    ) -> Any:
        """Return the `data` of a query.

        Args:
            name: The operation's name: its cost is remembered under it.
            text: The whole document, fragments included.
            variables: The operation's variables.
            once: Do not send it again where it may have been carried out: for mutations.

        Raises:
            AccessDeniedError: Token, scope or protected-data approval is missing.
            QueryRefusedError: Shopify will never answer this query.
            SearchIgnoredError: A filter was not understood.
            ShopifyUnavailableError: Shopify kept failing.
            TooExpensiveError: The page is too large for one query.
        """
        body = {"query": text, "operationName": name, "variables": dict(variables or {})}
        reason = ""
        for attempt in range(MAX_ATTEMPTS):
            self.pacer.before(name)
            answer, reason = self._post(body)
            if answer is None and once:
                break
            if answer is None:
                self._back_off(name, attempt, reason)
                continue
            extensions = answer.get("extensions") or {}
            self.pacer.after(name, extensions.get("cost"))
            codes = _codes(answer)
            if "THROTTLED" in codes:
                reason = "throttled"
                self.pacer.throttle(name)
                continue
            if codes & RETRYABLE_CODES:
                reason = "an internal error at Shopify"
                if once:
                    break
                self._back_off(name, attempt, reason)
                continue
            _refuse(name, answer, codes)
            _refuse_warnings(name, extensions)
            return answer["data"]
        attempts = 1 if once else MAX_ATTEMPTS
        message = f"Shopify did not answer {name} after {attempts} attempts (last: {reason})."
        raise ShopifyUnavailableError(message)

    def _post(self, body: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """Send once; returns the answer, or None with the reason when it is worth sending again."""
        url = f"{self.settings.url}/admin/api/{self.settings.version}/graphql.json"
        for renewed in (False, True):
            headers = {"X-Shopify-Access-Token": self._current_token()}
            try:
                self.requests += 1
                answer = self.http.post(url, json=body, headers=headers)
            except httpx.TransportError as error:
                return None, type(error).__name__
            if answer.status_code == 401 and self.settings.client_id and not renewed:
                self._token = ""
                continue
            break
        if answer.status_code in RETRYABLE_STATUS:
            return None, f"HTTP {answer.status_code}"
        self._refuse_status(answer)
        self._check_version(answer)
        try:
            content = answer.json()
        except ValueError:
            return None, "an unreadable answer"
        return (content, "") if isinstance(content, dict) else (None, "an unreadable answer")

    def _refuse_status(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == 200:
            return
        if status == 401:
            message = (
                "Shopify refused the access token (HTTP 401): check sources.shopify.access_token, "
                "or client_id and client_secret, and that the app is installed in this shop."
            )
            raise AccessDeniedError(message)
        if answer.is_redirect:
            message = (
                f"The shop has moved (HTTP {status}): set its present name, sources.shopify.shop."
            )
            raise QueryRefusedError(message)
        meaning = STATUS_MEANING.get(status, "this is not expected")
        kind = AccessDeniedError if status == 403 else QueryRefusedError
        message = f"Shopify answered HTTP {status}: {meaning}."
        raise kind(message)

    def _check_version(self, answer: httpx.Response) -> None:
        served = answer.headers.get("x-shopify-api-version", self.settings.version)
        if served != self.settings.version and not self._warned:
            self._warned = True
            logger.warning(
                "Shopify answered with version %s, not %s: update sources.shopify.api_version",
                served,
                self.settings.version,
            )

    def _current_token(self) -> str:
        if not self._token or self.clock() > self._token_until:
            self._grant()
        return self._token

    def _grant(self) -> None:
        """Get a token by the client-credentials grant; it lives about a day."""
        answer = self.http.post(
            f"{self.settings.url}/admin/oauth/access_token",
            data={
                "grant_type": "client_credentials",
                "client_id": self.settings.client_id,
                "client_secret": self.settings.client_secret,
            },
        )
        if answer.status_code != 200:
            message = (
                f"Shopify granted no token (HTTP {answer.status_code}): check "
                "sources.shopify.client_id and client_secret; the "
                "grant works only for an app of the shop's own organisation."
            )
            raise AccessDeniedError(message)
        content = answer.json()
        self._token = content["access_token"]
        lifetime = float(content.get("expires_in", 86_400))
        self._token_until = self.clock() + lifetime - RENEW_BEFORE_SECONDS

    def _back_off(self, name: str, attempt: int, reason: str) -> None:
        seconds = min(MAX_BACKOFF_SECONDS, 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
        logger.warning("Shopify: %s on %s, trying again in %.1f s", reason, name, seconds)
        self.wait(seconds)


def _codes(answer: Mapping[str, Any]) -> set[str]:
    """Return the error codes of an answer; errors may also be one plain string."""
    errors = answer.get("errors")
    if isinstance(errors, str):
        return {"BAD_REQUEST"}
    return {str((error.get("extensions") or {}).get("code", "UNKNOWN")) for error in errors or ()}


def _refuse(name: str, answer: Mapping[str, Any], codes: set[str]) -> None:
    if not codes:
        return
    if "MAX_COST_EXCEEDED" in codes:
        raise TooExpensiveError(name)
    errors = answer["errors"]
    words = errors if isinstance(errors, str) else "; ".join(str(e.get("message")) for e in errors)
    message = f"Shopify refused {name} ({', '.join(sorted(codes))}): {words}"
    raise (AccessDeniedError if "ACCESS_DENIED" in codes else QueryRefusedError)(message)


def _refuse_warnings(name: str, extensions: Mapping[str, Any]) -> None:
    """Shopify ignores a filter it does not understand, and would return everything."""
    for search in extensions.get("search") or ():
        for warning in search.get("warnings") or ():
            field, words = warning.get("field"), warning.get("message")
            message = f"Shopify ignored the filter `{field}` of {name}: {words}"
            raise SearchIgnoredError(message)
