"""The values that travel between the engine's steps.

A changed source row becomes a `Document` (or, when it is gone, a `Removal`), documents are packed
into a `Batch`, a batch becomes one request, and its answer becomes one `Outcome` per item.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import orjson

__all__ = [
    "Batch",
    "Document",
    "Item",
    "Lane",
    "Outcome",
    "Removal",
    "Verdict",
    "child_key",
    "key_hash",
]


class Lane(StrEnum):
    """How a document travels."""

    BATCH = "batch"
    SOLO = "solo"  # alone: legal by one of the vendor's pages, illegal by another


class Verdict(StrEnum):
    """Where a document ended; every response path ends in exactly one of these."""

    ACCEPTED = "accepted"
    UNCONFIRMED = "unconfirmed"  # accepted, but the vendor counted fewer than were sent
    QUARANTINED = "quarantined"  # the vendor refused this very document
    SUSPECT = "suspect"  # in a refused batch, not yet told apart from the culprit
    BACKLOG = "backlog"  # not decided; travels with the next run
    REJECTED = "rejected"  # refused locally: it breaks a rule of the vendor's and was not sent
    SKIPPED = "skipped"  # there is nobody it could be sent for; nothing is wrong with it
    UNCHANGED = "unchanged"  # renders to the very document the vendor has accepted


@dataclass(frozen=True, slots=True)
class Document:
    """One whole document to upsert.

    `body` is canonical UTF-8 JSON, `content_hash` its 64-bit hash; `source_hash` is the 64-bit
    hash of the assembled row it came from. `children` are the keys of the child documents inside
    it, each a JSON array of identifier strings. `grants` names the consents it gives. `links` are
    the (entity, key) it points to.
    """

    entity: str
    key: str
    body: bytes
    content_hash: int
    source_hash: int
    children: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    lane: Lane = Lane.BATCH
    solo_class: str = ""  # documents of one class are promoted together (real-shops.md rule 9)
    urgent: bool = False  # a withdrawal of consent: may use the reserved share of the quota
    source_id: str = ""
    source_rows: int = 0
    lines: str = ""  # JSON: source line id → child key
    fields: str = ""  # names of the properties it has: a lost one may not clear (`emptied`)
    withdrawn_at: str = ""  # the consent time of a document that withholds some consent
    known: bool = False  # the vendor holds a version of it, or may
    retired: int = 0  # so many children it is the first to say are gone; the guard counts them


@dataclass(frozen=True, slots=True)
class Removal:
    """One document, or with `child` one child of a document, to delete at the vendor."""

    entity: str
    key: str
    child: str = ""  # a child key as in `Document.children`; empty: the whole document
    urgent: bool = False
    identifiers: tuple[tuple[str, str], ...] = ()
    """Vendor field → value, for deletes by another identifier."""
    after: str = ""  # key of the document that takes its place and must have arrived first
    erasure: bool = False  # of a person who asked for it: recorded apart, nothing of it is kept

    @property
    def body(self) -> bytes:
        """Deletes carry no body."""
        return b""

    @property
    def lane(self) -> Lane:
        """Deletes act on one record each, so each is a request of its own."""
        return Lane.SOLO


Item = Document | Removal


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that make one request: documents of one entity, or a single removal.

    `number` is unique within the run. `attempt` counts sendings, `parent` names the batch this was
    split from.
    """

    number: int
    entity: str
    items: tuple[Item, ...]
    attempt: int = 1
    parent: int | None = None

    @property
    def is_removal(self) -> bool:
        """Whether this batch is one delete."""
        return isinstance(self.items[0], Removal)

    @property
    def urgent(self) -> bool:
        """Whether this batch may use the quota's reserve."""
        return any(item.urgent for item in self.items)

    @property
    def size_bytes(self) -> int:
        """The size of the JSON array body: documents, the commas between them, brackets."""
        return sum(len(item.body) for item in self.items) + len(self.items) + 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict for one item, with the reason where it was not accepted.

    `words` are the vendor's own, already stripped of personal data. `guilty` is of suspects: one at
    least of those that became suspect together is at fault.
    """

    item: Item
    verdict: Verdict
    batch: int = 0
    request_id: str = ""
    field: str = ""
    reason: str = ""
    words: str = ""
    guilty: bool = False


@lru_cache(maxsize=1 << 16)
def child_key(*identifiers: str) -> str:
    """Return the name of a child document: a JSON array of its identifiers, empty ones as ""."""
    return orjson.dumps(identifiers).decode()


def key_hash(entity: str, key: str) -> str:
    """Return a short name for a document that is safe to print: 10 hex characters of a SHA-256."""
    return hashlib.sha256(f"{entity}\0{key}".encode()).hexdigest()[:10]
