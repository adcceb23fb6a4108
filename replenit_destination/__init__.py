"""A dlt destination that delivers nested documents to Replenit.

    import dlt
    from replenit_destination import replenit

    pipeline = dlt.pipeline("shop", destination=replenit(mapping="mapping.toml"))
    pipeline.run(source())

Names are imported when first used, so that dlt's plugin scan and the command line start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replenit_destination.destinations.factory import replenit
    from replenit_destination.destinations.offboard import offboard
    from replenit_destination.destinations.plan import plan
    from replenit_destination.destinations.push import push
    from replenit_destination.destinations.reporting import html_report
    from replenit_destination.destinations.run_lock import run_lock
    from replenit_destination.engine.mapping import Mapping
    from replenit_destination.exceptions import (
        ActivationError,
        ChoiceNeededError,
        CredentialsRefusedError,
        DeliveryError,
        EndpointRefusedError,
        InsecureEndpointError,
        LedgerBusyError,
        LedgerError,
        LedgerVersionError,
        MappingError,
        MappingFault,
        MemoryLimitError,
        MissingSettingsError,
        PendingLoadError,
        RejectedDocumentsError,
        ServiceUnavailableError,
        SettingsError,
        StateBusyError,
        StateConflictError,
        StateError,
        StorageError,
        TenantNotFoundError,
    )

__version__ = "0.1.0"

__all__ = [
    "ActivationError",
    "ChoiceNeededError",
    "CredentialsRefusedError",
    "DeliveryError",
    "EndpointRefusedError",
    "InsecureEndpointError",
    "LedgerBusyError",
    "LedgerError",
    "LedgerVersionError",
    "Mapping",
    "MappingError",
    "MappingFault",
    "MemoryLimitError",
    "MissingSettingsError",
    "PendingLoadError",
    "RejectedDocumentsError",
    "ServiceUnavailableError",
    "SettingsError",
    "StateBusyError",
    "StateConflictError",
    "StateError",
    "StorageError",
    "TenantNotFoundError",
    "__version__",
    "html_report",
    "offboard",
    "plan",
    "push",
    "replenit",
    "run_lock",
]

_HOMES = {
    "Mapping": "replenit_destination.engine.mapping",
    "offboard": "replenit_destination.destinations.offboard",
    "plan": "replenit_destination.destinations.plan",
    "html_report": "replenit_destination.destinations.reporting",
    "push": "replenit_destination.destinations.push",
    "replenit": "replenit_destination.destinations.factory",
    "run_lock": "replenit_destination.destinations.run_lock",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module `{__name__}` has no attribute `{name}`"
        raise AttributeError(message)
    value = getattr(import_module(_HOMES.get(name, "replenit_destination.exceptions")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
