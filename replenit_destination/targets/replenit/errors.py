"""Reading answers: what a status and a body mean for the batch that was sent.

    2xx   accepted; a POST must say so in a body       404   tenant unknown, gone, no route
    3xx   stop                                          405   stop: route not served
    400   refused, pointers where the body names any    413   too large
    401   stop                                          429   throttled
    403   stop                                          5xx   retry

The vendor's pages show six bodies for a failure (F1 to F6) and the keys inside `errors` differ from
page to page, so every shape is read everywhere. Words are stripped of personal data before they
leave this module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from replenit_destination.engine.target import Pointer, Reading, Ruling
from replenit_destination.exceptions import (
    CredentialsRefusedError,
    EndpointRefusedError,
    TenantNotFoundError,
)
from replenit_destination.targets.replenit.pacing import quota_hints, wait_seconds
from replenit_destination.targets.replenit.words import field_name, scrub, secrets_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replenit_destination.engine.documents import Batch
    from replenit_destination.engine.target import Answer

__all__ = ["read"]

# `[3].OrderItems[0].Sku` [R][D:err]; `$[3].OrderDate` is what such a service's serializer writes
_INDEXED = re.compile(r"^\$?\.?\[(\d{1,9})\]\.?(.*)$", re.DOTALL)
_RESOURCE = re.compile(r"customer|order|product|variant|item", re.IGNORECASE)
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-trace-id")
_MAX_POINTERS = 2000
_MAX_LOOSE_POINTERS = 20
_TRANSIENT = frozenset({408, 409, 425})
# the same for every document: sending more of them would refuse a whole shop one by one
_ROUTE_REFUSED = frozenset({405, 406, 410, 411, 415, 421, 426})


def read(batch: Batch, answer: Answer, *, now: float) -> Reading:
    """Return what the answer means.

    Args:
        batch: What was sent.
        answer: What came back.
        now: Unix seconds, against which times in headers are read.
    """
    body = _object(answer.body)
    said = _message(body)
    remaining, reset = quota_hints(answer.headers, now)
    common: dict[str, Any] = {
        "request_id": _request_id(answer.headers, body),
        "quota_remaining": remaining,
        "quota_reset_seconds": reset,
    }
    status = answer.status
    if 200 <= status < 300 and not (body and body.get("success") is False):
        return _success(batch, answer, body, common)
    common["words"] = scrub(said, secrets_of(batch.items)) if said else ""
    if status < 300:
        # a failure although the status is 200: transient once, then final (§5.4)
        return Reading(Ruling.RETRY, denied=True, pointers=_pointers(batch, body), **common)
    if status == 429:
        wait = wait_seconds(answer.headers, body, now)
        return Reading(Ruling.THROTTLED, retry_after_seconds=wait, **common)
    if status >= 500 or status in _TRANSIENT:
        wait = wait_seconds(answer.headers, body, now, default=None)
        return Reading(Ruling.RETRY, retry_after_seconds=wait, **common)
    return _refusal(batch, status, body, said, common)


def _success(
    batch: Batch, answer: Answer, body: Mapping[str, Any] | None, common: dict[str, Any]
) -> Reading:
    if batch.is_removal:
        return Reading(Ruling.ACCEPTED, confirmed=1, **common)
    if body is None and (answer.body.strip() or answer.status == 200):
        return Reading(Ruling.RETRY, **common)  # a proxy's page, or cut short
    # No page shows a success that names refused documents; where one comes, it is believed.
    named = tuple([one for one in _pointers(batch, body) if one.index is not None])
    return Reading(Ruling.ACCEPTED, confirmed=_count(batch, body), pointers=named, **common)


def _refusal(
    batch: Batch,
    status: int,
    body: Mapping[str, Any] | None,
    said: str,
    common: dict[str, Any],
) -> Reading:
    if status in {401, 403}:
        return Reading(Ruling.STOP, error=_credentials(status), **common)
    if status == 404:
        return _not_found(batch, body, said, common)
    if status == 413:
        ruling = Ruling.TOO_LARGE if len(batch.items) > 1 else Ruling.REFUSED
        return Reading(ruling, **common)
    if status < 400 or status in _ROUTE_REFUSED:
        return _route_refused(batch, status, common)
    if not batch.is_removal and _about_tenant(said) and not _errors(body):
        return Reading(Ruling.STOP, error=_tenant(), **common)
    if _wants_other_identifier(batch, said):
        return _route_refused(batch, status, common)
    return Reading(Ruling.REFUSED, pointers=_pointers(batch, body), **common)


def _not_found(
    batch: Batch, body: Mapping[str, Any] | None, said: str, common: dict[str, Any]
) -> Reading:
    if body is None or not body.keys() & {"success", "message", "title", "status"}:
        return _route_refused(
            batch, 404, common
        )  # no answer of the application: nothing is served here
    if not batch.is_removal or _about_tenant(said):
        return Reading(Ruling.STOP, error=_tenant(), **common)
    return Reading(Ruling.GONE, **common)


def _route_refused(batch: Batch, status: int, common: dict[str, Any]) -> Reading:
    """Stop where a setting can mend it; other deletes have no setting and are refused alone."""
    if batch.is_removal and status in {404, 405} and batch.entity != "customers":
        return Reading(Ruling.REFUSED, **common)
    setting, other = "base_url", "the address of Replenit's API"
    if batch.is_removal and batch.entity == "customers":
        setting, other = "customer_delete_style", "the other of `query` and `path`"
    message = (
        f"The service answered {status} to {'a delete' if batch.is_removal else 'an upsert'} of "
        f"{batch.entity}, as if it did not serve that route. "
        f"Set `{setting}` to {other}, then run again."
    )
    return Reading(Ruling.STOP, error=EndpointRefusedError(message), **common)


def _about_tenant(said: str) -> bool:
    return "tenant" in said.lower() and _RESOURCE.search(said) is None


def _wants_other_identifier(batch: Batch, said: str) -> bool:
    # "Customer ID is required." [C] is what a delete in the wrong style gets
    return batch.is_removal and batch.entity == "customers" and "required" in said.lower()


def _credentials(status: int) -> CredentialsRefusedError:
    if status == 401:
        return CredentialsRefusedError(
            "The service refused the API key (401). Check `api_key`; a lost key is replaced "
            "by a new one."
        )
    return CredentialsRefusedError(
        "The service does not allow this API key to use this tenant (403). "
        "Check `api_key` and `tenant_id`."
    )


def _tenant() -> TenantNotFoundError:
    return TenantNotFoundError("The service does not know this tenant. Check `tenant_id`.")


def _object(body: bytes) -> Mapping[str, Any] | None:
    """Return the body's properties, names in lower case, or None when it is no JSON object."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return {name.lower(): one for name, one in value.items()} if isinstance(value, dict) else None


def _message(body: Mapping[str, Any] | None) -> str:
    for name in ("message", "detail", "title"):
        value = (body or {}).get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _count(batch: Batch, body: Mapping[str, Any] | None) -> int | None:
    data = (body or {}).get("data")
    if not isinstance(data, dict):
        return None
    count = next((value for name, value in data.items() if name.lower() == "count"), None)
    if isinstance(count, bool) or not isinstance(count, int):
        return None
    return count if 0 <= count <= len(batch.items) else None


def _errors(body: Mapping[str, Any] | None) -> Any:
    return (body or {}).get("errors")


def _pointers(batch: Batch, body: Mapping[str, Any] | None) -> tuple[Pointer, ...]:
    """Return the complaints; where some name their document, the ones that name none are left out.

    Those come beside a named one when the service repeats its complaint about the body as a whole.
    """
    named: list[Pointer] = []
    loose: list[Pointer] = []
    for place, text in _complaints(_errors(body)):
        index, path = _split(place)
        if len(batch.items) == 1:
            index = 0
        if index is not None and index < len(batch.items):
            if len(named) < _MAX_POINTERS:
                secrets = secrets_of((batch.items[index],))
                named.append(Pointer(index, field_name(path), scrub(text, secrets)))
        elif len(loose) < _MAX_LOOSE_POINTERS:
            loose.append(Pointer(None, field_name(path), scrub(text, secrets_of(batch.items))))
    return tuple(named or loose)


def _complaints(errors: Any) -> Iterator[tuple[str, str]]:
    if isinstance(errors, dict):
        for place, texts in errors.items():
            for text in texts if isinstance(texts, list) else [texts]:
                yield place, text if isinstance(text, str) else ""
    elif isinstance(errors, list):
        for text in errors:
            yield "", text if isinstance(text, str) else ""


def _split(place: str) -> tuple[int | None, str]:
    match = _INDEXED.match(place)
    if match:
        return int(match[1]), match[2]
    return None, place.removeprefix("$.")


def _request_id(headers: Mapping[str, str], body: Mapping[str, Any] | None) -> str:
    """Return the service's name for this exchange, for a conversation with its support."""
    found = next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)
    value = found or (body or {}).get("traceid")
    return value if isinstance(value, str) and re.fullmatch(r"[\w.:|=-]{1,80}", value) else ""
