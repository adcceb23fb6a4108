"""Whether the service takes key and tenant, found out with a request that can change nothing.

There is no endpoint to read from. The least that any page documents is an upsert, whose body is an
array; an empty one names nobody. Key and tenant are looked at before the body [C][D:err], so 401,
403 and 404 speak of them, and any other answer of the application means that they passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.engine.documents import Batch, Document
from replenit_destination.engine.target import Request, Ruling, TransportError
from replenit_destination.targets.replenit import errors

if TYPE_CHECKING:
    from replenit_destination.engine.target import Transport
    from replenit_destination.targets.replenit.configuration import ReplenitSettings

__all__ = ["Access", "try_access"]

_NOBODY = Batch(0, "customers", (Document("customers", "", b"{}", 0, 0),))
_PASSED = (Ruling.ACCEPTED, Ruling.REFUSED)


@dataclass(frozen=True, slots=True)
class Access:
    """Whether key and tenant passed, None where the answer does not tell, and a sentence."""

    granted: bool | None
    text: str


def try_access(settings: ReplenitSettings, transport: Transport, *, now: float) -> Access:
    """Send an upsert of no customers and return what the answer says of key and tenant.

    It counts as one request in the account's quota.

    Args:
        settings: Of the tenant.
        transport: Sends the request.
        now: Unix seconds.
    """
    request = Request("POST", f"/customers/{settings.tenant_id}", body=b"[]")
    try:
        answer = transport(request)
    except TransportError as error:
        return Access(None, f"{settings.base_url} could not be asked: {error}")
    reading = errors.read(_NOBODY, answer, now=now)
    if reading.ruling is Ruling.STOP:
        return Access(False, str(reading.error))
    if reading.ruling in _PASSED:
        return Access(True, "the service took the key and knows the tenant")
    told = f"the service answered {answer.status}, which says nothing of key and tenant"
    return Access(None, f"{told}; try again later")
