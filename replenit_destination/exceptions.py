"""Every error a caller can meet, grouped by what to do next.

    ActivationError
    ├── SettingsError                 fix the settings, then run again
    │   ├── MissingSettingsError      … these are not set
    │   ├── ChoiceNeededError         … only the shop can decide this
    │   └── InsecureEndpointError     … the key would travel in the clear
    ├── MappingError                  fix the mapping; lists every fault at once
    ├── DeliveryError                 everything is kept; mend the cause and run again
    │   ├── CredentialsRefusedError   … the key is wrong or not allowed here
    │   ├── TenantNotFoundError       … the tenant id is wrong
    │   ├── EndpointRefusedError      … a route is not served as configured
    │   └── ServiceUnavailableError   … the service failed past the retry budget
    ├── LedgerError                   the ledger cannot be used
    │   ├── LedgerBusyError           … another run holds it; wait
    │   └── LedgerVersionError        … it was written by a newer version; upgrade
    ├── StateError                    the copy behind `state_url` cannot be fetched or stored
    │   ├── StateBusyError            … another runner works with it; wait
    │   └── StateConflictError        … both sides went on; one must be chosen
    ├── PendingLoadError              a load has not ended; run the pipeline, then again
    ├── StorageError                  the disk takes no more; make room and run again
    ├── MemoryLimitError              DuckDB may keep too little in memory; allow it more
    └── RejectedDocumentsError        look at the refused documents (only when asked to raise)

A single bad document is never an exception: it is an `Outcome`, kept in the ledger and in the
report. No message holds a key, a token or personal data; documents are named by entity and key
hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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
]


class ActivationError(Exception):
    """Base of every error this package raises on purpose."""


class SettingsError(ActivationError):
    """A setting is wrong; the message names it and says what to write instead."""


class MissingSettingsError(SettingsError):
    """Settings without which nothing can run.

    Args:
        missing: Setting name → where to put it, one sentence each.
    """

    def __init__(self, missing: Mapping[str, str]) -> None:
        self.missing = dict(missing)
        lines = [f"  {name}: {place}" for name, place in self.missing.items()]
        super().__init__("These settings are missing:\n" + "\n".join(lines))


class ChoiceNeededError(SettingsError):
    """Choices only the shop can make and which have no safe default.

    Args:
        questions: Setting name → the question, with the possible answers.
    """

    def __init__(self, questions: Mapping[str, str]) -> None:
        self.questions = dict(questions)
        lines = [f"  {name}: {question}" for name, question in self.questions.items()]
        super().__init__("Please decide before the first run:\n" + "\n".join(lines))


class InsecureEndpointError(SettingsError):
    """The base URL is plain http and not loopback, so the API key would travel readable."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(
            f"base_url: refusing plain http to `{host}`, the API key would be readable on the way. "
            "Use https, or a loopback address for a local sandbox."
        )


@dataclass(frozen=True, slots=True)
class MappingFault:
    """One fault of a mapping: where it is, what is wrong, and the nearest existing name if any."""

    place: str
    cause: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = f" (did you mean `{self.nearest}`?)" if self.nearest else ""
        return f"`{self.place}`: {self.cause}{hint}"


class MappingError(ActivationError):
    """The mapping cannot be used; `faults` lists everything that is wrong with it."""

    def __init__(self, faults: Sequence[MappingFault], *, source: str = "the mapping") -> None:
        self.faults = tuple(faults)
        self.source = source
        count = "one fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{source} has {count}:\n" + "\n".join(f"  {f}" for f in self.faults))


class DeliveryError(ActivationError):
    """Delivery stopped; what was accepted is recorded, the rest waits in the ledger."""


class CredentialsRefusedError(DeliveryError):
    """The service refused the API key (401) or its right to this tenant (403)."""


class TenantNotFoundError(DeliveryError):
    """The service does not know the tenant id (404 on an upsert)."""


class EndpointRefusedError(DeliveryError):
    """A route answered 405 or an unknown 404.

    A setting such as `customer_delete_style` is probably wrong.
    """


class ServiceUnavailableError(DeliveryError):
    """The service kept failing past the retry budget."""


class LedgerError(ActivationError):
    """The ledger cannot be used."""


class LedgerBusyError(LedgerError):
    """Another process holds the database, or runs the pipeline.

    Args:
        message: Who holds it, since when, and what to do.
        holder: The process's number, where the system tells it.
    """

    def __init__(self, message: str, *, holder: int | None = None) -> None:
        self.holder = holder
        super().__init__(message)


class LedgerVersionError(LedgerError):
    """The ledger was written by a newer version of this package."""


class StateError(ActivationError):
    """The copy behind `state_url` cannot be read or written; what is on this machine is kept."""


class StateBusyError(StateError):
    """Another runner works with the state; nothing was sent."""


class StateConflictError(StateError):
    """The state went on elsewhere while this machine had results of its own."""


class PendingLoadError(ActivationError):
    """Rows of a load that has not ended are in dlt's working files and not in the tables yet."""

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline
        super().__init__(
            f"pipeline `{pipeline}` has load packages that are not finished, and they may hold the "
            f"person's rows: run the pipeline, or `dlt pipeline {pipeline} drop-pending-packages`, "
            "then run this again."
        )


class StorageError(ActivationError):
    """A file could not be written; nothing is lost, and the next run goes on.

    Args:
        path: The file or folder.
        file_system: The root of the file system it is on.
        reason: The system's words.
        free_bytes: What is free there, where the system tells it.
    """

    def __init__(
        self, path: Path, file_system: Path, reason: str, *, free_bytes: int | None = None
    ) -> None:
        self.path = path
        self.file_system = file_system
        self.reason = reason
        self.free_bytes = free_bytes
        left = "" if free_bytes is None else f", {free_bytes / 1e6:,.1f} MB free"
        super().__init__(
            f"cannot write `{path}` (file system {file_system}{left}): {reason}. Nothing is lost: "
            "make room there or lift the limit, then run again."
        )


class MemoryLimitError(ActivationError):
    """DuckDB needs more memory than `memory_limit`; nothing is lost, and the next run goes on."""

    def __init__(self) -> None:
        super().__init__(
            "DuckDB needs more memory than `memory_limit` allows. Nothing is lost: set more, as in "
            '`destination.replenit.memory_limit = "2GB"`, then run again.'
        )


class RejectedDocumentsError(ActivationError):
    """Documents were refused and `on_rejected = "raise"` is set; everything else was delivered."""
