"""The service on the wire: Starlette routes the vendor's paths and the control area, nothing else.

/_sandbox/…   the control area, for peers on the loopback interface only
/…            the vendor, answers spoilt by faults included
"""

from __future__ import annotations

from email.utils import formatdate
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import Mount

from replenit_destination.sandbox.faults import FaultKind

if TYPE_CHECKING:
    from replenit_destination.sandbox.replenit.answers import Answer
    from replenit_destination.sandbox.replenit.control import Control
    from replenit_destination.sandbox.replenit.service import ReplenitService
    from replenit_destination.sandbox.serve import Receive, Scope, Send, ServerThread

__all__ = ["build"]

_KEY_HEADER = b"x-replenit-auth-key"
_FORBIDDEN = b'{"error":"the control area answers to the loopback interface only"}'


def build(service: ReplenitService, control: Control) -> Starlette:
    """Return the ASGI application of a service."""
    return Starlette(
        routes=[
            Mount("/_sandbox", app=_ControlArea(control)),
            Mount("/", app=_VendorPaths(service)),
        ]
    )


class _VendorPaths:
    """The vendor's paths, every method: the service decides what exists."""

    def __init__(self, service: ReplenitService) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        key = next((value for name, value in scope["headers"] if name == _KEY_HEADER), b"")
        answer = self._service.answer(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            {"x-replenit-auth-key": key.decode("latin-1")},
            body,
        )
        # The server's time is the sandbox's, as it is in X-RateLimit-Reset.
        answer.headers.setdefault("date", formatdate(self._service.clock(), usegmt=True))
        server: ServerThread = scope["sandbox.server"]
        if answer.delay_seconds:
            await server.pause(receive, answer.delay_seconds)
        if answer.dropped is None:
            await _send(send, answer.status, answer.headers, answer.body)
            return
        if answer.dropped is FaultKind.TRUNCATE:
            await _send_half(send, answer)
        server.hang_up(scope["client"], reset=answer.dropped is FaultKind.RESET)
        # The server sends a 500 of its own unless it knows that the connection is gone.
        while (await receive())["type"] != "http.disconnect":
            pass


class _ControlArea:
    def __init__(self, control: Control) -> None:
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if not ip_address(scope["client"][0]).is_loopback:
            await _send(send, 403, {"content-type": "application/json"}, _FORBIDDEN)
            return
        status, answer = self._control.handle(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            body,
        )
        await _send(send, status, {"content-type": "application/json"}, answer)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    await send(_start(status, headers, len(body)))
    await send({"type": "http.response.body", "body": body})


async def _send_half(send: Send, answer: Answer) -> None:
    await send(_start(answer.status, answer.headers, len(answer.body)))
    await send({"type": "http.response.body", "body": answer.truncated, "more_body": True})


def _start(status: int, headers: dict[str, str], length: int) -> dict[str, Any]:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    if status != 204:
        raw.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": status, "headers": raw}
