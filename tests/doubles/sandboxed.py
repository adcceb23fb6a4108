"""The sandbox's service as a transport, so that whole runs go without sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.target import Answer, TransportError
from replenit_destination.sandbox.faults import Dropped, FaultKind

if TYPE_CHECKING:
    from replenit_destination.engine.target import Request
    from replenit_destination.sandbox.replenit import ReplenitService


class ServiceTransport:
    """Calls the service directly; a dropped connection becomes the error a socket would give."""

    def __init__(self, service: ReplenitService, api_key: str) -> None:
        self.service = service
        self.api_key = api_key
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        headers = {"x-replenit-auth-key": self.api_key, "content-type": "application/json"}
        try:
            status, answered, body = self.service.handle(
                request.method, request.path, request.query, headers, request.body
            )
        except Dropped as dropped:
            reason = "timeout" if dropped.kind is FaultKind.TIMEOUT else "reset"
            raise TransportError(reason, f"the connection ended ({dropped.kind})") from None
        return Answer(status, answered, body)
