"""Finding out from answers how a test tenant behaves.

There is no way to read a record back. But an immediate delete says whether its record was there,
and a record can be addressed by each of its identifiers: that makes most questions visible. Where
deletes are queued or always succeed, records are left for a person to look at.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from replenit_destination.engine.target import Request, TransportError
from replenit_destination.exceptions import (
    CredentialsRefusedError,
    DeliveryError,
    EndpointRefusedError,
    ServiceUnavailableError,
)
from replenit_destination.targets.replenit.questions import QUESTIONS
from replenit_destination.targets.replenit.samples import customer, order, product

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from replenit_destination.engine.target import Answer, Transport
    from replenit_destination.targets.replenit.configuration import ReplenitSettings

__all__ = ["PREFIX", "Finding", "Probe", "Probed"]

PREFIX = "dlt-replenit-probe"
"""How the keys of all records begin that a probe makes."""

_THROTTLED, _REFUSED, _GONE, _NO_ROUTE = 429, 400, 404, 405
_MOST_WAITS = 5
_ENVELOPE = {"success", "message", "title", "status"}


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer to one question: None when it is still open; then `look` says what to look at."""

    name: str
    value: str | None
    said: bool = False
    look: str = ""


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found, what it cost, and the records it left for a person to look at."""

    findings: tuple[Finding, ...]
    requests: int
    left: tuple[str, ...]

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the destination that follow."""
        found = {one.name: one.value for one in self.findings}
        made = {}
        if found["customer_priority"] in {"email", "customerid"}:
            made["customer_identifier_priority"] = str(found["customer_priority"])
        if style := found["customer_delete_style"]:
            made["customer_delete_style"] = "path" if style == "path" else "query"
        return made


@dataclass
class Probe:
    """Asks one tenant.

    Args:
        settings: Host, key and tenant; nothing else is used.
        transport: Sends the requests.
        said: Question → the answer that a person gives for what cannot be seen.
        marker: Makes this run's keys its own.
        pause: Waits so many seconds when the service asks for it.
    """

    settings: ReplenitSettings
    transport: Transport
    said: Mapping[str, str] = field(default_factory=dict)
    marker: str = ""
    pause: Callable[[float], None] = time.sleep
    requests: int = 0
    found: dict[str, str] = field(default_factory=dict)
    made: list[tuple[str, str]] = field(default_factory=list)
    _sees_customers: bool = False
    _sees_orders: bool = False

    def run(self) -> Probed:
        """Ask everything, clean up, and return what was found.

        Raises:
            CredentialsRefusedError: The key or the tenant was refused.
            EndpointRefusedError: A complete customer was refused, so nothing can be found out.
        """
        try:
            self._greet()
            self._customers()
            self._orders()
            self._children()
            self._refusals()
            self._unknown_customer()
            self._omitted()
        except BaseException:
            with contextlib.suppress(DeliveryError):
                self._clean(keep=set())
            raise
        self._clean(keep=self._open())
        return self._result()

    def _greet(self) -> None:
        status, count, answer = self._post("customers", [customer(self._key("known"))])
        if status in {401, 403, _GONE}:
            message = f"The service answered {status}: check `api_key`, and the tenant's GUID."
            raise CredentialsRefusedError(message)
        if status >= _REFUSED or count == 0:
            message = (
                f"The service did not take a complete customer (status {status}, count {count}); "
                "with that nothing can be found out. Ask Replenit what this tenant requires."
            )
            raise EndpointRefusedError(message)
        limited = any(name.startswith("x-ratelimit") for name in answer.headers)
        self.found["rate_headers"] = "on" if limited else "off"

    def _customers(self) -> None:
        """Delete styles, and by what customers are matched."""
        query = self._delete_customer("CustomerId", "never", style="query")
        path = self._delete_customer("CustomerId", "never", style="path")
        served = [query != "unserved", path != "unserved"]
        if any(served):
            styles = {(True, True): "both", (True, False): "query", (False, True): "path"}
            self.found["customer_delete_style"] = styles[served[0], served[1]]
        self._sees_customers = "missing" in {query, path}
        look = self._look()
        email: bool | None = self._taken("customers", customer(f"{look}-email", customer_id=False))
        by_id = self._taken("customers", customer(f"{look}-id", email=False))
        if email and by_id and self._sees_customers:
            # Both may have been counted, and one skipped.
            there = self._delete_customer("Email", f"{look}-email")
            email = None if there == "unserved" else there == "gone"
            by_id = self._delete_customer("CustomerId", f"{look}-id") == "gone"
            if False in {email, by_id}:
                self.found["ignored_in_count"] = "included"
        elif email and by_id:
            return
        if email is not None and (email or by_id):
            known = {(True, False): "email", (False, True): "customerid"}
            self.found["customer_priority"] = known.get((email, bool(by_id)), "reference")

    def _orders(self) -> None:
        never = self._delete(f"/orders/{{}}/{self._key('never')}")
        self._sees_orders = never == "missing"
        self.found["delete_missing"] = "404" if self._sees_orders else "200"

    def _children(self) -> None:
        key = self._look("lines")
        for lines in ((1, 2), (2,)):
            self._post("orders", [order(key, self._key("known"), lines)])
        self._see("lines", f"/orders/{{}}/{key}/items", lambda n: {"productId": n, "sku": n})
        key = self._look("variants")
        for variants in ((1, 2), (2,)):
            self._post("products", [product(key, variants)])
        self._see("variants", f"/products/{{}}/{key}/variants/", None)

    def _see(self, name: str, path: str, query: Callable[[str], dict[str, str]] | None) -> None:
        """Find out whether child 1 is still there, if a child that never was is said to be so."""

        def delete(child: str) -> str:
            return self._delete(path, query(child)) if query else self._delete(path + child)

        if delete("never") == "missing":
            self.found[name] = "merge" if delete("1") == "gone" else "replace"

    def _refusals(self) -> None:
        """The shape of refusals, and whether the good ones beside them are kept."""
        key = self._look("atomic")
        good = order(key, self._key("known"))
        bad = order(self._key("bad"), self._key("known")) | {"Currency": "NONE"}
        wrong = customer(self._key("wrong")) | {"Email": "no address"}
        asked: list[tuple[str, list[dict[str, Any]]]] = [
            ("orders", [good, bad]),
            ("customers", [wrong]),
            ("orders", [bad]),
        ]
        answers = [self._post(entity, documents) for entity, documents in asked]
        shapes = {_style(answer) for status, _, answer in answers if status == _REFUSED}
        if shapes and None not in shapes:
            self.found["error_style"] = "mixed" if len(shapes) > 1 else str(shapes.pop())
        if answers[0][0] == _REFUSED and self._sees_orders:
            there = self._delete(f"/orders/{{}}/{key}") == "gone"
            self.found["atomic_400"] = "off" if there else "on"

    def _unknown_customer(self) -> None:
        key = self._look("unknown")
        status, count, _ = self._post("orders", [order(key, self._key("nobody"))])
        if status >= _REFUSED:
            return
        stored: bool | None = None
        if self._sees_orders:
            stored = self._delete(f"/orders/{{}}/{key}") == "gone"
        elif count == 0:
            stored = False
        if stored is not None:
            self.found["unknown_customer"] = "accept" if stored else "ignore"
        if stored is False:
            self.found["ignored_in_count"] = "included" if count else "excluded"

    def _omitted(self) -> None:
        """Leave an identifier out of an update, then delete by it: is it still there?"""
        key = self._look("omitted")
        priority = self.found.get("customer_priority") or self.said.get("customer_priority")
        by_email = priority == "email"
        self._post("customers", [customer(key, name="Probe")])
        rest = customer(key, customer_id=not by_email, email=by_email, name=None)
        self._post("customers", [rest])
        if not self._sees_customers or priority is None:
            return
        there = self._delete_customer("CustomerId" if by_email else "Email", key)
        if there in {"gone", "missing"}:
            self.found["omitted"] = "keep" if there == "gone" else "reset"

    def _result(self) -> Probed:
        findings = []
        for name, question in QUESTIONS.items():
            seen, said = self.found.get(name), self.said.get(name)
            look = "" if seen or said else question.look.format(look=self._look())
            findings.append(Finding(name, seen or said, said=not seen and bool(said), look=look))
        kept = self._open()
        return Probed(tuple(findings), self.requests, tuple(sorted(self._keys_to_look_at(kept))))

    def _open(self) -> set[str]:
        return set(QUESTIONS) - set(self.found) - set(self.said)

    def _keys_to_look_at(self, names: set[str]) -> set[str]:
        looked_at = {key for key in names if QUESTIONS[key].look}
        keys = {self._look(name) for name in looked_at - {"customer_priority"}}
        pair = {self._look("email"), self._look("id")}
        return keys | (pair if "customer_priority" in looked_at else set())

    def _clean(self, keep: set[str]) -> None:
        """Delete what was made, by every identifier; what was never stored is no fault."""
        kept = self._keys_to_look_at(keep)
        for entity, key in dict.fromkeys(reversed(self.made)):
            if key in kept:
                continue
            if entity == "customers":
                self._delete_customer("Email", key)
                self._delete_customer("CustomerId", key)
            else:
                self._delete(f"/{entity}/{{}}/{key}")

    def _key(self, name: str) -> str:
        return f"{PREFIX}-{self.marker}{name}"

    def _look(self, name: str = "") -> str:
        """Return a key that stays the same from run to run: a person may have noted it."""
        return f"{PREFIX}-look-{name}" if name else f"{PREFIX}-look"

    def _taken(self, entity: str, document: dict[str, Any]) -> bool:
        """Return whether one document was counted; a skipped one tells what `count` holds."""
        status, count, _ = self._post(entity, [document])
        if status < _REFUSED and count == 0:
            self.found["ignored_in_count"] = "excluded"
        return status < _REFUSED and count != 0

    def _post(
        self, entity: str, documents: Sequence[dict[str, Any]]
    ) -> tuple[int, int | None, Answer]:
        names = {"customers": "_key", "orders": "OrderId", "products": "ProductId"}
        self.made += [(entity, str(one.get(names[entity]))) for one in documents]
        sent = [{k: v for k, v in one.items() if k != "_key"} for one in documents]
        path = f"/{entity}/{self.settings.tenant_id}"
        answer = self._send(Request("POST", path, body=orjson.dumps(sent)))
        data = _body(answer).get("data")
        count = data.get("count") if isinstance(data, dict) else None
        return answer.status, count if isinstance(count, int) else None, answer

    def _delete_customer(self, identifier: str, key: str, style: str | None = None) -> str:
        style = style or self.found.get("customer_delete_style", "query")
        root = "/customers/{}"
        if identifier == "Email":
            address = f"{key}@example.com"
            return "unserved" if style == "path" else self._delete(root, {"email": address})
        if style == "path":
            return self._delete(f"{root}/{quote(key, safe='')}")
        return self._delete(root, {"customerId": key})

    def _delete(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Delete one thing; return gone, missing, unserved or refused."""
        address = path.format(self.settings.tenant_id)
        answer = self._send(Request("DELETE", address, tuple((query or {}).items())))
        if answer.status < _REFUSED:
            return "gone"
        if answer.status == _GONE and _ENVELOPE & set(_body(answer)):
            return "missing"
        return "unserved" if answer.status in {_GONE, _NO_ROUTE} else "refused"

    def _send(self, request: Request) -> Answer:
        for _ in range(_MOST_WAITS):
            self.requests += 1
            try:
                answer = self.transport(request)
            except TransportError as error:
                message = f"{error}; run the probe again"
                raise ServiceUnavailableError(message) from error
            if answer.status != _THROTTLED:
                return answer
            wait = answer.headers.get("retry-after", "60")
            self.pause(float(wait) if wait.isdigit() else 60.0)
        message = "The service keeps asking to wait (429): another program uses up the quota."
        raise ServiceUnavailableError(message)


def _style(answer: Answer) -> str | None:
    """Return the shape of a refusal: F1 envelope, F2 problem, F3 minimal, F4 bare."""
    body = _body(answer)
    errors = body.get("errors")
    if not isinstance(errors, dict):
        return None
    if "success" in body:
        return "envelope"
    if set(errors) == {""}:
        return "minimal"
    return "problem" if any("[" in key for key in errors) else "bare"


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
