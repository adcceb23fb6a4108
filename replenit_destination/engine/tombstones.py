"""Who was forgotten must not come back with the next load of a source that still has them.

A tombstone is the keyed hash of one identifier. A document that carries it, a person's own or an
order of theirs, is not sent; only a consent that the person gave after the erasure lifts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.keyed_hash import keyed_hash
from replenit_destination.engine.people import people_of
from replenit_destination.engine.sql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from replenit_destination.engine.diff import RowFault
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import EntitySpec

__all__ = ["FORGOTTEN", "Tombstones"]

FORGOTTEN = "forgotten"
"""The reason of documents that are skipped because of a tombstone."""


class Tombstones:
    """Keeps forgotten people out of one run.

    Args:
        work: The connection with the temp table `pending`.
        ledger: The account's ledger; its tombstones hold for every account in the file.
        specs: The target's entities by name.
        dataset: The staged dataset, whose comparisons begin anew where someone has returned.
    """

    def __init__(
        self,
        work: duckdb.DuckDBPyConnection,
        ledger: Ledger,
        specs: Mapping[str, EntitySpec],
        dataset: str,
    ) -> None:
        self._work = work
        self._ledger = ledger
        self._dataset = dataset
        self._table = f"{ledger.schema}.tombstone"
        self._people = people_of(specs.values())
        row = work.execute(f"SELECT count(*) FROM {self._table}").fetchone()
        self._any = row != (0,)

    def withhold(self, spec: EntitySpec) -> int:
        """Take the documents of forgotten people out of `pending`; return how many.

        Whoever has consented since is forgotten no more: the tombstones go, and what carries their
        identity is compared as if for the first time.
        """
        if not self._any:
            return 0
        count = 0
        for people in self._people:
            if spec is people.spec:
                count += self._drop(spec, people.fields, [one for one, _ in people.carriers])
            for carrier, fields in people.carriers:
                if spec is carrier:
                    count += self._drop(spec, fields, [])
        return count

    def without_forgotten(self, spec: EntitySpec, faults: list[RowFault]) -> list[RowFault]:
        """Return the faults of other people: the ledger would keep the keys."""
        if not (self._any and faults) or all(spec is not people.spec for people in self._people):
            return faults
        rows = self._work.execute(
            "SELECT value FROM (SELECT unnest(?) AS value)"
            f" WHERE {keyed_hash(self._ledger.schema, 'value')} IN"
            f" (SELECT hash FROM {self._table})",
            [[name for fault in faults for name in (fault.key, fault.source_id)]],
        ).fetchall()
        known = {row[0] for row in rows}
        return [fault for fault in faults if not {fault.key, fault.source_id} & known]

    def _drop(self, spec: EntitySpec, fields: tuple[str, ...], carriers: list[EntitySpec]) -> int:
        matches = "\nUNION ALL\n".join(
            f"SELECT pending.key, erasure, moment, document FROM pending JOIN {self._table}"
            f" ON field = {literal(name)}"
            f" AND hash = {keyed_hash(self._ledger.schema, _value(name))}"
            f" WHERE entity = {literal(spec.name)}"
            for name in fields
        )
        self._work.execute(f"CREATE OR REPLACE TEMP TABLE met AS\n{matches}")
        if spec.consents and spec.consent_time:
            self._lift(spec, carriers)
        row = self._work.execute(
            "DELETE FROM pending WHERE entity = ? AND key IN (SELECT key FROM met)", [spec.name]
        ).fetchone()
        return int(row[0]) if row else 0

    def _lift(self, spec: EntitySpec, carriers: list[EntitySpec]) -> None:
        agreed = " OR ".join(f"({_value(name)} = 'true')" for name in spec.consents)
        given_at = f"TRY_CAST({_value(spec.consent_time or '')} AS TIMESTAMPTZ)"
        lifted = f"SELECT erasure FROM met WHERE ({agreed}) AND {given_at} > moment"
        if not self._work.execute(f"{lifted} LIMIT 1").fetchone():
            return
        # In this order: killed in between, the next run finds the same consent and the tombstone.
        for carrier in carriers:
            self._ledger.mark_processed(self._dataset, carrier.name, "", {})
        self._work.execute(f"DELETE FROM {self._table} WHERE erasure IN ({lifted})")
        self._work.execute(f"DELETE FROM met WHERE erasure IN ({lifted})")


def _value(name: str) -> str:
    """Return SQL for a field's value in a row of `pending`, as text."""
    return f"(document ->> {literal(f'$.{name}')})"
