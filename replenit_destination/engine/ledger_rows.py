"""The rows a run appends to its ledger: intents before requests leave, outcomes as they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from replenit_destination.engine.documents import Document, Removal, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.documents import Batch, Item, Outcome

__all__ = ["LedgerRows"]

_HASH = pa.uint64()
_TEXTS = pa.list_(pa.string())
_INTENT = pa.schema(
    [
        ("run", pa.string()),
        ("batch", pa.int32()),
        ("account", pa.int32()),
        ("entity", pa.string()),
        ("key", pa.string()),
        ("action", pa.string()),
        ("child", pa.string()),
        ("children", _TEXTS),
        ("source_id", pa.string()),
        ("moment", pa.float64()),
    ]
)
_OUTCOME = pa.schema(
    [
        ("run", pa.string()),
        ("batch", pa.int32()),
        ("account", pa.int32()),
        ("entity", pa.string()),
        ("key", pa.string()),
        ("action", pa.string()),
        ("child", pa.string()),
        ("verdict", pa.string()),
        ("source_id", pa.string()),
        ("content_hash", _HASH),
        ("source_hash", _HASH),
        ("source_rows", pa.int32()),
        ("children", _TEXTS),
        ("lines", pa.string()),
        ("grants", _TEXTS),
        ("withdrawn_at", pa.string()),
        ("fields", pa.string()),
        ("body", pa.string()),
        ("request_id", pa.string()),
        ("fingerprint", pa.string()),
        ("field", pa.string()),
        ("reason", pa.string()),
        ("words", pa.string()),
        ("moment", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """Makes the rows of one run.

    Args:
        run: The run's name.
        account: The account's number in the ledger.
        fingerprint: The contract's and mapping's.
        bodies: Entities whose accepted documents are kept whole.
    """

    run: str
    account: int
    fingerprint: str
    bodies: frozenset[str]

    def intents(self, batch: Batch, moment: float) -> pa.Table:
        """Return one row per item of a batch that is about to leave."""
        rows = [
            {
                **self._common(item, batch.number, moment),
                "children": list(item.children) if isinstance(item, Document) else None,
                "source_id": item.source_id if isinstance(item, Document) else None,
            }
            for item in batch.items
        ]
        return pa.Table.from_pylist(rows, schema=_INTENT)

    def outcomes(self, outcomes: Sequence[Outcome], moment: float) -> pa.Table:
        """Return one row per verdict."""
        rows = [self._outcome(outcome, moment) for outcome in outcomes]
        return pa.Table.from_pylist(rows, schema=_OUTCOME)

    def _common(self, item: Item, batch: int, moment: float) -> dict[str, Any]:
        return {
            "run": self.run,
            "batch": batch,
            "account": self.account,
            "entity": item.entity,
            "key": item.key,
            "action": _action(item),
            "child": item.child if isinstance(item, Removal) else "",
            "moment": moment,
        }

    def _outcome(self, outcome: Outcome, moment: float) -> dict[str, Any]:
        item = outcome.item
        row = {
            **self._common(item, outcome.batch, moment),
            "verdict": outcome.verdict.value,
            "request_id": outcome.request_id,
            "fingerprint": self.fingerprint,
            "field": outcome.field,
            "reason": outcome.reason,
            "words": outcome.words,
        }
        if isinstance(item, Document):
            keep = item.entity in self.bodies and outcome.verdict in _TAKEN
            row |= {
                "source_id": item.source_id,
                "content_hash": item.content_hash,
                "source_hash": item.source_hash,
                "source_rows": item.source_rows,
                "children": list(item.children),
                "lines": item.lines or None,
                "grants": list(item.grants),
                "withdrawn_at": item.withdrawn_at or None,
                "fields": item.fields,
                "body": item.body.decode() if keep else None,
            }
        return row


_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.UNCONFIRMED})


def _action(item: Item) -> str:
    if isinstance(item, Document):
        return "upsert"
    return "delete_child" if item.child else "delete"
