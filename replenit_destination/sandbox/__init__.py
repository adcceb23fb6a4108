"""Doubles of the vendors' APIs, for tests, demos and trying things out without an account.

Importing this package is cheap: Starlette, uvicorn and msgspec (extra `sandbox`) load with the
first name used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replenit_destination.sandbox.clock import Clock
    from replenit_destination.sandbox.faults import Dropped, Fault, FaultKind, Poison, storm
    from replenit_destination.sandbox.journal import Entry, Journal
    from replenit_destination.sandbox.replenit.box import ReplenitSandbox
    from replenit_destination.sandbox.replenit.limits import Limits
    from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
    from replenit_destination.sandbox.replenit.switches import PROFILES, SWITCHES, Switches

__all__ = [
    "API_KEY",
    "PROFILES",
    "SWITCHES",
    "TENANT_ID",
    "Clock",
    "Dropped",
    "Entry",
    "Fault",
    "FaultKind",
    "Journal",
    "Limits",
    "Poison",
    "ReplenitSandbox",
    "ReplenitService",
    "Switches",
    "storm",
]

_HOMES = {
    "clock": ("Clock",),
    "faults": ("Dropped", "Fault", "FaultKind", "Poison", "storm"),
    "journal": ("Entry", "Journal"),
    "replenit.box": ("ReplenitSandbox",),
    "replenit.limits": ("Limits",),
    "replenit.service": ("API_KEY", "TENANT_ID", "ReplenitService"),
    "replenit.switches": ("PROFILES", "SWITCHES", "Switches"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
