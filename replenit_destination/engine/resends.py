"""The guard on re-sends: a new mapping must not send a whole shop again by surprise.

`real-shops.md` rule 12: when more than 20 % of an entity, and more than 500 documents, would be
sent again although their source rows did not change, they are held, with the price; accepted, they
travel behind live changes. What renders as before costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from replenit_destination.engine.holds import RESEND, Held, priced
from replenit_destination.engine.validation import Validation, read_pending

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import Target

__all__ = ["Resends"]

_SHARE = 0.20
_FLOOR = 500


@dataclass
class Resends:
    """Finds out what a new mapping or setting really changes, and holds it when it is much.

    Args:
        work: The connection with the temp table `pending`.
        ledger: The account's ledger.
        target: Whose quota gives the price.
        validation: Judges the rows; used for this purpose only.
        quota_share: Part of the account's quota that is used.
    """

    work: duckdb.DuckDBPyConnection
    ledger: Ledger
    target: Target
    validation: Validation
    quota_share: float

    def hold(self, held: Mapping[str, Mapping[str, int]], *, accept: bool) -> list[Held]:
        """Take the documents that must wait out of `pending`; return what was held.

        Args:
            held: Entity → what the vendor holds, `sent` documents among it.
            accept: Let everything go, behind live changes.
        """
        row = self.work.execute("SELECT count(*) FROM pending WHERE resend").fetchone()
        if row == (0,):
            return []
        counts = self._keep_changed()
        if accept:
            self.work.execute("UPDATE pending SET backlog = true WHERE resend")
            return []
        waiting = []
        for entity, count in counts.items():
            of = held.get(entity, {}).get("sent", 0)
            if count > _FLOOR and count > of * _SHARE:
                waiting.append(priced(self.target, entity, count, of, self.quota_share))
                self._put_aside(entity)
        return waiting

    def _keep_changed(self) -> dict[str, int]:
        """Drop the rows that render to what the vendor has; return the others per entity."""
        entities: list[str] = []
        keys: list[str] = []
        for urgent in (True, False):
            rows = read_pending(self.work, urgent=urgent, where="resend")
            for document in self.validation.documents(rows):
                entities.append(document.entity)
                keys.append(document.key)
        changed = pa.table(
            {"entity": pa.array(entities, pa.string()), "key": pa.array(keys, pa.string())}
        )
        self.work.register("_changed", changed)
        self.work.execute(
            "DELETE FROM pending WHERE resend AND NOT EXISTS (SELECT 1 FROM _changed AS changed"
            " WHERE changed.entity = pending.entity AND changed.key = pending.key)"
        )
        self.work.unregister("_changed")
        return {entity: entities.count(entity) for entity in dict.fromkeys(entities)}

    def _put_aside(self, entity: str) -> None:
        self.work.execute(
            f"UPDATE {self.ledger.schema}.entry SET backlog = ?"
            " WHERE account = ? AND entity = ?"
            " AND key IN (SELECT key FROM pending WHERE resend AND entity = ?)",
            [RESEND, self.ledger.account, entity, entity],
        )
        self.work.execute("DELETE FROM pending WHERE resend AND entity = ?", [entity])
