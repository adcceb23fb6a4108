"""The rows a run appends to its ledger: intents before requests leave, outcomes as they come.

One batch makes one row of `journal`: an object with a list per column. Appending a row per document
takes DuckDB five times as long; `fold` unpacks the lists for a whole run at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from replenit_destination.engine.documents import Document, Removal, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.documents import Batch, Item, Outcome

__all__ = ["LedgerRows"]

_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.UNCONFIRMED})


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """Makes the rows of one run, each as JSON text for the journal.

    Args:
        run: The run's name.
        account: The account's number in the ledger.
        fingerprint: The contract's and mapping's.
        bodies: Entities whose accepted documents are kept whole.
        people: Entities whose documents are of people.
    """

    run: str
    account: int
    fingerprint: str
    bodies: frozenset[str]
    people: frozenset[str] = frozenset()

    def intents(self, batch: Batch, moment: float) -> str:
        """Return the columns of a batch that is about to leave, an element per item."""
        items = batch.items
        columns = self._columns(items, moment)
        columns["batch"] = [batch.number] * len(items)
        columns["source_id"] = [i.source_id if isinstance(i, Document) else None for i in items]
        columns["children"] = [i.children if isinstance(i, Document) else None for i in items]
        return orjson.dumps(columns).decode()

    def outcomes(self, outcomes: Sequence[Outcome], moment: float) -> str:
        """Return the columns of verdicts, an element per verdict."""
        items = [one.item for one in outcomes]
        columns = self._columns(items, moment)
        columns["fingerprint"] = self.fingerprint
        for name in ("batch", "verdict", "request_id", "field", "reason", "words"):
            columns[name] = [getattr(one, name) for one in outcomes]
        for name in _OF_DOCUMENTS:
            columns[name] = [getattr(item, name, None) for item in items]
        columns["person"] = [self._person(item) for item in items]
        columns["body"] = [self._body(one) for one in outcomes]
        return orjson.dumps(columns).decode()

    def _columns(self, items: Sequence[Item], moment: float) -> dict[str, Any]:
        return {
            "run": self.run,
            "account": self.account,
            "moment": moment,
            "entity": [item.entity for item in items],
            "key": [item.key for item in items],
            "action": [_action(item) for item in items],
            "child": [item.child if isinstance(item, Removal) else "" for item in items],
        }

    def _person(self, item: Item) -> str | None:
        """Return the key of the person a document belongs to."""
        if item.entity in self.people or not isinstance(item, Document):
            return item.key if item.entity in self.people else None
        return next((key for entity, key in item.links if entity in self.people), None)

    def _body(self, outcome: Outcome) -> str | None:
        item = outcome.item
        kept = item.entity in self.bodies and outcome.verdict in _TAKEN
        return item.body.decode() if kept and isinstance(item, Document) else None


_OF_DOCUMENTS = (
    "source_id",
    "content_hash",
    "source_hash",
    "source_rows",
    "children",
    "lines",
    "grants",
    "withdrawn_at",
    "fields",
)
"""Attributes of a `Document` that a `Removal` has not."""


def _action(item: Item) -> str:
    if isinstance(item, Document):
        return "upsert"
    return "delete_child" if item.child else "delete"
