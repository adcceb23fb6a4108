"""A vendor as the engine sees it.

The engine knows entities, fields and kinds, asks the target for verdicts and requests, and hands it
answers to read. It performs no I/O through the target: requests and answers are plain values, the
transport is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from replenit_destination.engine.documents import Lane

if TYPE_CHECKING:
    from replenit_destination.engine.documents import Batch

__all__ = [
    "Answer",
    "BatchLimits",
    "ChildSpec",
    "EntitySpec",
    "FieldSpec",
    "Folding",
    "Judgement",
    "Kind",
    "Pointer",
    "Reading",
    "Request",
    "Ruling",
    "Target",
    "Transport",
    "TransportError",
    "UnaddressableError",
]


class Kind(StrEnum):
    """What a vendor field holds; decides how the assembly's SQL renders it into the row's JSON.

    text → string, trimmed · integer and decimal → string of digits (exact, never a float) · boolean
    → true or false · timestamp → `YYYY-MM-DDTHH:MM:SS.mmmZ` in UTC · texts → list of strings. NULL
    stays null. A source value that has no such rendering arrives as its text, for the target to
    reject with a reason.
    """

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    TEXTS = "texts"


class Folding(StrEnum):
    """How an identifier's text is normalised in SQL, so that ledger keys and documents agree."""

    NONE = "none"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One vendor field as the mapping may fill it."""

    name: str
    kind: Kind
    required: bool = False
    folding: Folding = Folding.NONE


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """The child documents inside an entity: mapping block, vendor property, fields and key."""

    block: str  # the mapping's name for it: "items", "variants"
    property: str  # the vendor's name for it: "OrderItems", "ProductVariants"
    fields: tuple[FieldSpec, ...]
    key: tuple[str, ...]  # fields that identify a child within its parent


@dataclass(frozen=True, slots=True)
class EntitySpec:
    """One kind of document the vendor takes.

    `stage` orders delivery: entities of one stage travel side by side, a higher stage waits for the
    lower ones. `link` names, per field of this entity, the entity it points to; `child_link` the
    same for child fields.
    """

    name: str
    key: str  # the field whose value is the ledger's key
    fields: tuple[FieldSpec, ...]
    child: ChildSpec | None = None
    stage: int = 0
    identity: tuple[str, ...] = ()
    """Other identifying fields; two different values under one key collide."""
    consents: tuple[str, ...] = ()  # boolean fields whose true → false is a withdrawal
    consent_time: str | None = None
    """Timestamp field, never sent: when the consents of a row were given or withdrawn."""
    newest_first: str | None = None  # timestamp field that orders a backfill
    link: Mapping[str, str] = field(default_factory=dict)
    child_link: Mapping[str, str] = field(default_factory=dict)
    retire: str | None = None
    """Boolean child field to set false where a child or a whole document is gone; None: delete."""
    vanished_is_gone: bool = False
    """Whether a row that merely vanished counts as removed, without evidence of destruction."""
    enriched: bool = False
    """Whether the vendor enriches what an upsert brings, which costs more than the request."""
    gate: str | None = None
    """Consent field that must be true before a document, or one that links to it, may travel."""
    derived: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Field → rule name → SQL over the other fields' names, e.g. a consent rule chosen by name."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Field that has no default → the question to put to the shop when it is not mapped."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The target's local verdict on one assembled row.

    `payload` is the document to send, without nulls, numbers as `int` or `Decimal`; empty when
    rejected. `refusals` are (field, reason) and reject it; `omitted` are (field, reason) of
    optional fields left out; `dropped` are (field, reason) of child rows left out.
    """

    payload: Mapping[str, Any]
    lane: Lane = Lane.BATCH
    solo_class: str = ""
    refusals: tuple[tuple[str, str], ...] = ()
    omitted: tuple[tuple[str, str], ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    skipped: tuple[str, str] | None = None
    children: tuple[str, ...] = ()

    @property
    def rejected(self) -> bool:
        """Whether the row must not be sent."""
        return bool(self.refusals)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How many documents and bytes one request may hold; bytes are UTF-8 bytes of the JSON body."""

    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request without the secret: the transport adds host and authentication."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are lower case. `seconds` is the time the exchange took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0


class TransportError(Exception):
    """No answer arrived.

    `reason` is one of refused, reset, timeout, tls, protocol; the text is safe to log.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class UnaddressableError(Exception):
    """A removal cannot be made into a request; it ends as quarantined, with field and reason.

    Args:
        field: The vendor field that is missing.
        reason: A sentence without the value of any field.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}")


Transport = Callable[[Request], Answer]
"""Sends one request, returns the answer or raises `TransportError`. Called from worker threads."""


class Ruling(StrEnum):
    """What an answer means for the whole request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # the content is at fault; `pointers` may say which document
    GONE = "gone"  # the thing to delete does not exist: as good as deleted
    TOO_LARGE = "too_large"  # halve and send again
    THROTTLED = "throttled"  # wait `retry_after_seconds`, does not count as a failure
    RETRY = "retry"  # transient: back off and send again
    STOP = "stop"  # a setting is wrong; nothing more can be delivered


@dataclass(frozen=True, slots=True)
class Pointer:
    """One complaint inside a refusal.

    `index` is the document's place in the batch, None when not named.
    """

    index: int | None
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A target's reading of one answer. `error` is raised by the run when `ruling` is STOP.

    `pointers` of an accepted batch name the documents in it that were refused all the same.
    `denied` is of a RETRY that may as well be a refusal: it is one when it is repeated.
    """

    ruling: Ruling
    confirmed: int | None = None  # how many documents the vendor says it took; None: it did not say
    pointers: tuple[Pointer, ...] = ()
    denied: bool = False
    retry_after_seconds: float | None = None
    words: str = ""  # the vendor's message, stripped of personal data
    request_id: str = ""
    error: Exception | None = None
    quota_remaining: int | None = None  # from rate headers, when sane
    quota_reset_seconds: float | None = None


class Target(Protocol):
    """Everything a vendor decides."""

    @property
    def name(self) -> str:
        """The vendor's name in reports, for instance `replenit`."""

    @property
    def host(self) -> str:
        """Scheme, host and port: with `tenant` the scope of the ledger."""

    @property
    def tenant(self) -> str:
        """The tenant's id, safe to print."""

    @property
    def account(self) -> str:
        """The name of the quota account; tenants and keys of one account share its windows."""

    @property
    def windows(self) -> tuple[tuple[int, float], ...]:
        """The account's quota: so many requests within any so many seconds, for each window."""

    @property
    def entities(self) -> tuple[EntitySpec, ...]:
        """The kinds of documents, in no particular order."""

    @property
    def fingerprint(self) -> str:
        """A hash of the contract's version and of every setting that shapes documents."""

    def judge(self, entity: str, row: Mapping[str, Any]) -> Judgement:
        """Check one assembled row (see `Kind` for its value types) against the vendor's rules.

        The row holds one entry per mapped field and, under the child's property, a list of such
        rows.
        """

    def limits(self, entity: str) -> BatchLimits:
        """Return how much one request of this entity may hold."""

    def request(self, batch: Batch) -> Request:
        """Build the request for a batch.

        Raises:
            UnaddressableError: A removal lacks the identifier the vendor deletes by.
        """

    def read(self, batch: Batch, answer: Answer) -> Reading:
        """Read the answer to a batch; never raises."""
