"""The control area under `/_sandbox/`: look inside a running sandbox and change it, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from replenit_destination.sandbox.faults import Fault, Poison

if TYPE_CHECKING:
    from collections.abc import Callable

    from replenit_destination.sandbox.replenit.service import ReplenitService

    Action = Callable[[dict[str, str], Any], Any]

__all__ = ["PREFIX", "Control"]

PREFIX = "/_sandbox/"
_JOURNAL_PAGE = 1000


class Control:
    """Answers the control area of one service. Faulty input is a 400 that says what is wrong."""

    def __init__(self, service: ReplenitService) -> None:
        self._service = service
        self.routes: dict[tuple[str, str], Action] = {
            ("GET", "health"): self._health,
            ("GET", "state"): self._state,
            ("GET", "flags"): self._flags,
            ("GET", "journal"): self._journal,
            ("DELETE", "journal"): self._clear_journal,
            ("GET", "clock"): self._clock,
            ("PUT", "clock"): self._set_clock,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "switches"): self._switches,
            ("PATCH", "switches"): self._set_switches,
            ("POST", "settle"): self._settle,
            ("POST", "reset"): self._reset,
        }

    def handle(self, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
        """Return status and JSON body of one control request."""
        action = self.routes.get((method, path.removeprefix(PREFIX).strip("/")))
        if action is None:
            known = sorted(f"{verb} {PREFIX}{name}" for verb, name in self.routes)
            return 404, msgspec.json.encode({"error": "no such control", "known": known})
        try:
            value = action(dict(parse_qsl(query)), msgspec.json.decode(body) if body else {})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return 400, msgspec.json.encode({"error": str(error)})
        return 200, msgspec.json.encode(value)

    def _health(self, _query: dict[str, str], _body: Any) -> Any:
        service = self._service
        return {
            "ok": True,
            "profile": service.profile,
            "requests": service.journal.total,
            "faults_fired": service.faults.fired(),
            "tenants": list(service.tenant_ids),
        }

    def _state(self, query: dict[str, str], _body: Any) -> Any:
        return self._service.state(query.get("tenant"))

    def _flags(self, query: dict[str, str], _body: Any) -> Any:
        return self._service.flags(query.get("tenant"))

    def _journal(self, query: dict[str, str], _body: Any) -> Any:
        entries = self._service.journal.requests(
            query.get("method"), query.get("path"), since=int(query.get("since", 0))
        )
        page = entries[: int(query.get("limit", _JOURNAL_PAGE))]
        return {
            "total": self._service.journal.total,
            "entries": [entry.as_dict() for entry in page],
        }

    def _clear_journal(self, query: dict[str, str], body: Any) -> Any:
        self._service.journal.clear()
        return self._health(query, body)

    def _clock(self, _query: dict[str, str], _body: Any) -> Any:
        clock = self._service.clock
        return {"now": clock(), "iso": clock.timestamp(), "rate": clock.rate}

    def _set_clock(self, query: dict[str, str], body: Any) -> Any:
        clock = self._service.clock
        unknown = body.keys() - {"now", "advance", "rate"}
        if unknown:
            message = f"a clock has now, advance and rate, not {', '.join(sorted(unknown))}"
            raise ValueError(message)
        if "rate" in body:
            clock.rate = float(body["rate"])
        if "now" in body:
            now = body["now"]
            clock.set(datetime.fromisoformat(now) if isinstance(now, str) else float(now))
        if "advance" in body:
            clock.advance(float(body["advance"]))
        return self._clock(query, body)

    def _faults(self, _query: dict[str, str], _body: Any) -> Any:
        return {"seed": self._service.faults.seed, "rules": self._service.faults.as_dicts()}

    def _add_faults(self, query: dict[str, str], body: Any) -> Any:
        faults = self._service.faults
        given = body if isinstance(body, list) else body.get("rules", [body])
        rules = [Fault(**rule) if "kind" in rule else Poison(**rule) for rule in given]
        if isinstance(body, dict) and "seed" in body and "rules" in body:
            faults.reseed(int(body["seed"]))
        faults.add(*rules)
        return self._faults(query, body)

    def _clear_faults(self, query: dict[str, str], body: Any) -> Any:
        self._service.faults.clear()
        return self._faults(query, body)

    def _switches(self, query: dict[str, str], _body: Any) -> Any:
        tenant = query.get("tenant")
        service = self._service
        switches = service.switches_of(tenant) if tenant else service.switches
        return {"profile": service.profile, "switches": switches.as_dict()}

    def _set_switches(self, query: dict[str, str], body: Any) -> Any:
        changes = dict(body)
        profile = changes.pop("profile", None)
        self._service.configure(profile=profile, switches=changes, tenant_id=query.get("tenant"))
        return self._switches(query, body)

    def _settle(self, query: dict[str, str], body: Any) -> Any:
        self._service.settle()
        return self._health(query, body)

    def _reset(self, query: dict[str, str], body: Any) -> Any:
        self._service.reset()
        return self._health(query, body)
