"""Requests to the Replenit API, and the one place that sends them.

`build_request` covers the endpoints E1 to E8 of the vendor's pages:

    POST   /customers|orders|products/{tenantId}                    a JSON array of documents
    DELETE /customers/{tenantId}?email= or ?customerId=             [R]
    DELETE /customers/{tenantId}/{customerId}                       [D:cust]
    DELETE /orders/{tenantId}/{orderId}
    DELETE /orders/{tenantId}/{orderId}/items?productId=&sku=       [R]
    DELETE /products/{tenantId}/{productId}
    DELETE /products/{tenantId}/{productId}/variants/{variantId}    [R]
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import ssl
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson

from replenit_destination.engine.documents import Removal
from replenit_destination.engine.target import Answer, Request, TransportError, UnaddressableError
from replenit_destination.targets.replenit.judgement import CHILD_KEYS

if TYPE_CHECKING:
    import httpx

    from replenit_destination.engine.documents import Batch
    from replenit_destination.targets.replenit.configuration import ReplenitSettings

__all__ = ["MAX_ANSWER_BYTES", "HttpTransport", "build_request"]

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Enough for an error on every field of a full batch; the rest of a longer answer is not read."""


def build_request(settings: ReplenitSettings, batch: Batch) -> Request:
    """Return the request for a batch: an upsert of its documents or its single delete.

    Raises:
        UnaddressableError: The delete needs an identifier that the removal does not carry.
    """
    item = batch.items[0]
    root = f"/{batch.entity}/{settings.tenant_id}"
    if not isinstance(item, Removal):
        body = b"[" + b",".join(one.body for one in batch.items) + b"]"
        return Request("POST", root, body=body)
    if item.entity == "customers":
        return _customer_delete(settings, root, item)
    address = f"{root}/{_segment(item.key)}"
    if not item.child:
        return Request("DELETE", address)
    names = CHILD_KEYS[item.entity]
    child = dict(zip(names, orjson.loads(item.child), strict=True))
    for name in names:
        if not child[name]:
            raise UnaddressableError(name, "is missing, and the service deletes by it only")
    if item.entity == "products":
        return Request("DELETE", f"{address}/variants/{_segment(child['VariantId'])}")
    query = (("productId", child["ProductId"]), ("sku", child["Sku"]))
    return Request("DELETE", f"{address}/items", query)


def _customer_delete(settings: ReplenitSettings, root: str, item: Removal) -> Request:
    known = {settings.customer_key: item.key, **dict(item.identifiers)}
    if settings.customer_delete_style == "path":
        customer_id = known.get("CustomerId")
        if not customer_id:
            reason = (
                "is missing, and with customer_delete_style = `path` customers are deleted by it"
            )
            raise UnaddressableError(field="CustomerId", reason=reason)
        return Request("DELETE", f"{root}/{_segment(customer_id)}")
    name = "email" if settings.customer_key == "Email" else "customerId"
    return Request("DELETE", root, ((name, item.key),))


def _segment(text: str) -> str:
    """Return the text as one path segment, `.` and `..` too, which servers read as folders."""
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


class HttpTransport:
    """Sends requests over HTTP; one instance serves all worker threads.

    Built on httpx's transport rather than on its client, because the client logs every address, and
    deletes carry an e-mail address in theirs; it has no cookies and follows no redirect, so the key
    goes to the configured host and nowhere else.

    Args:
        settings: Host, key and timeout.
        connections: How many exchanges may run at once.
    """

    def __init__(self, settings: ReplenitSettings, *, connections: int = 16) -> None:
        import httpx

        self._base = settings.base_url
        self._timeout_seconds = settings.timeout_seconds
        self._headers = {
            "x-replenit-auth-key": settings.api_key,
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": _user_agent(),
        }
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._pool = httpx.HTTPTransport(limits=limits, proxy=_proxy(self._base))

    def __repr__(self) -> str:
        return f"HttpTransport({self._base!r})"

    def __call__(self, request: Request) -> Answer:
        """Send one request and return its answer, whatever its status.

        Raises:
            TransportError: No complete answer arrived within the timeout.
        """
        import httpx

        started = time.monotonic()
        failure: TransportError
        try:
            response = self._pool.handle_request(self._outgoing(request))
            with contextlib.closing(response):
                body = self._body(response, started)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, body, time.monotonic() - started)
        except httpx.TimeoutException:
            failure = TransportError("timeout", "the service did not answer in time")
        except httpx.ConnectError as error:
            failure = _connect_failure(error)
        except (httpx.ProtocolError, httpx.DecodingError) as error:
            failure = _protocol_failure(error)
        except httpx.TransportError:
            failure = TransportError("reset", "the connection broke during the exchange")
        # raised out here, so that no foreign error with the address in it hangs on as its context
        raise failure

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def __enter__(self) -> HttpTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _outgoing(self, request: Request) -> httpx.Request:
        import httpx

        # in a query, unlike in a form, only %2B is a plus sign to every server
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in request.query)
        address = f"{self._base}{request.path}" + (f"?{query}" if query else "")
        headers = dict(self._headers)
        if request.body:
            headers["content-type"] = "application/json"
        seconds = self._timeout_seconds
        return httpx.Request(
            request.method,
            address,
            headers=headers,
            content=request.body or None,
            extensions={"timeout": httpx.Timeout(seconds).as_dict()},
        )

    def _body(self, response: httpx.Response, started: float) -> bytes:
        """Read the body within the time and size that one answer may take."""
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                break
            if time.monotonic() - started > self._timeout_seconds:
                late = "the service did not finish its answer in time"
                raise TransportError(reason="timeout", message=late)
        return bytes(body)


def _connect_failure(error: BaseException) -> TransportError:
    cause: Any = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return TransportError(
                "tls", "the service's certificate or TLS version was not accepted"
            )
        cause = cause.__cause__ or cause.__context__
    return TransportError("refused", "no connection to the service could be made")


def _protocol_failure(error: Exception) -> TransportError:
    # httpx tells a connection closed early from nonsense by its words only
    if "disconnected" in str(error) or "peer closed" in str(error):
        return TransportError("reset", "the connection was closed before the answer was complete")
    return TransportError("protocol", "what came back is not an HTTP answer")


def _proxy(address: str) -> str | None:
    """Return the environment's proxy for https; plain http to loopback never goes through one."""
    parts = urlsplit(address)
    if parts.scheme != "https" or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get("https")


def _user_agent() -> str:
    try:
        version = importlib.metadata.version("dlt-replenit")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        version = "0"
    return f"dlt-replenit/{version}"
