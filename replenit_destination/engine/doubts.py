"""Documents that were refused before: they never share a request with others.

A suspect that is the document it was goes on being searched in the group an earlier run left it in;
the groups stand in the ledger's `suspect` table. Any other document that was refused (it changed,
the mapping did, or a retry was asked for) has a new chance, among its like.

    live, never refused ──► refused, with a new chance ──► suspect groups ──► backlog
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.batching import Numbering
from replenit_destination.engine.diagnosis import Group
from replenit_destination.engine.sql import literal
from replenit_destination.engine.validation import read_pending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from replenit_destination.engine.documents import Document
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import BatchLimits
    from replenit_destination.engine.validation import Validation

__all__ = ["Doubts"]

_IN = "(entity, key) IN (SELECT entity, key FROM doubted)"
_CLEAN = f"NOT {_IN}"
_NEW_CHANCE = '(entity, key) IN (SELECT entity, key FROM doubted WHERE "group" IS NULL)'


class Doubts:
    """The pending documents that were refused before, told apart from the others.

    `pending` is how many documents are pending in all.

    Args:
        work: The connection with the temp table `pending`, which is complete.
        ledger: The account's ledger, folded.
        validation: Makes documents of rows.
        fingerprint: The contract's and mapping's, as refusals are kept with it.
        limits: How much one request of an entity may hold now.
    """

    def __init__(
        self,
        work: duckdb.DuckDBPyConnection,
        ledger: Ledger,
        validation: Validation,
        fingerprint: str,
        limits: Callable[[str], BatchLimits],
    ) -> None:
        self._work = work
        row = work.execute("SELECT count(*) FROM pending").fetchone()
        self.pending = int(row[0]) if row else 0
        self._validation = validation
        self._limits = limits
        self._numbering = Numbering()
        account = ledger.account
        work.execute(
            "CREATE OR REPLACE TEMP TABLE doubted AS\n"
            "SELECT pending.entity, pending.key, pending.stage, pending.urgent,\n"
            '  suspect."group", suspect.size, entry.words\n'
            f"FROM pending JOIN {ledger.schema}.entry AS entry ON entry.account = {account}\n"
            "  AND entry.entity = pending.entity AND entry.key = pending.key\n"
            f"LEFT JOIN {ledger.schema}.suspect AS suspect ON suspect.account = {account}\n"
            "  AND suspect.entity = entry.entity AND suspect.key = entry.key\n"
            "  AND entry.refusal = 'suspect' AND entry.refused_hash = pending.source_hash\n"
            f"  AND entry.refused_by = {literal(fingerprint)}\n"
            "WHERE entry.refusal IN ('quarantined', 'suspect')"
        )

    def passes(self, *, stage: int | None) -> Iterator[tuple[Iterator[Document], Iterator[Group]]]:
        """Yield what to deliver one after the other: documents, and groups to search.

        Args:
            stage: Of the entities; None for the withdrawals of every stage.
        """
        of_stage = "urgent" if stage is None else f"stage = {stage}"
        if not self._any(of_stage):
            yield self._documents("true", stage), iter(())
            return
        yield self._documents(f"{_CLEAN} AND (urgent OR NOT backlog)", stage), iter(())
        yield self._documents(_NEW_CHANCE, stage), iter(())
        yield iter(()), self._groups(of_stage)
        yield self._documents(f"{_CLEAN} AND backlog AND NOT urgent", stage), iter(())

    def _documents(self, where: str, stage: int | None) -> Iterator[Document]:
        rows = read_pending(self._work, urgent=stage is None, stage=stage, where=where)
        return self._validation.documents(rows)

    def _any(self, of_stage: str) -> bool:
        row = self._work.execute(f"SELECT count(*) FROM doubted WHERE {of_stage}").fetchone()
        return row != (0,)

    def _groups(self, of_stage: str) -> Iterator[Group]:
        """Yield the groups as they are today, those of withdrawals in the withdrawals' turn.

        A group that lost a member may have lost its culprit: then it is open.
        """
        found = self._work.execute(
            'SELECT "group", any_value(size), any_value(words) FROM doubted\n'
            f'WHERE "group" IS NOT NULL GROUP BY 1 HAVING bool_or({of_stage}) ORDER BY 1'
        ).fetchall()
        for name, size, words in found:
            members = f'SELECT entity, key FROM doubted WHERE "group" = {literal(name)}'
            items: list[Document] = []
            for urgent in (True, False):
                rows = read_pending(
                    self._work, urgent=urgent, where=f"(entity, key) IN ({members})"
                )
                items += self._validation.documents(rows)
            yield from self._group(items, size, words or "")

    def _group(self, items: Sequence[Document], size: int, words: str) -> Iterator[Group]:
        """Yield a group, or several open ones where a request may hold less than it did."""
        guilty = len(items) == size
        while items:
            limits = self._limits(items[0].entity)
            most, total = 0, 1
            for item in items[: limits.documents]:
                total += len(item.body) + 1
                most += total <= limits.bytes
            part, items = tuple(items[: max(1, most)]), items[max(1, most) :]
            batch = self._numbering.batch(part)
            yield Group(
                part,
                batch,
                words,
                guilty=guilty and not items and len(part) == size,
                intended=False,
                earlier=True,
            )
