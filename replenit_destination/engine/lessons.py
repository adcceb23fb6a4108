"""What deliveries have learned of an account and the next one must know.

Sizes: how large a body of each entity may be, where the service did not take the full size.
Suspects: which documents were refused together when the search for the culprit ran out of budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.batching import LearnedLimits
from replenit_destination.engine.sql import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replenit_destination.engine.documents import Outcome
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import BatchLimits

__all__ = ["Lessons"]


class Lessons:
    """What one account's ledger remembers of earlier deliveries.

    Args:
        ledger: The account's ledger; its tables are made when they are missing.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._connection = ledger.connection
        for statement in queries("replenit_destination.engine", "lessons.sql").values():
            self._connection.execute(statement.replace("{ledger}", ledger.schema))
        self._groups = 0

    def limits(self, of_target: Callable[[str], BatchLimits]) -> LearnedLimits:
        """Return the target's limits, tightened by what the service would not take."""
        rows = self._connection.execute(
            f"SELECT entity, bytes, accepted FROM {self._ledger.schema}.learned_size"
            " WHERE account = ?",
            [self._ledger.account],
        ).fetchall()
        learned = {entity: size for entity, size, _ in rows}
        return LearnedLimits(of_target, learned, {entity: taken for entity, _, taken in rows})

    def keep_sizes(self, limits: LearnedLimits) -> None:
        """Remember the limits as they are now."""
        self._connection.execute(
            f"DELETE FROM {self._ledger.schema}.learned_size WHERE account = ?",
            [self._ledger.account],
        )
        for entity, size in limits.learned.items():
            self._connection.execute(
                f"INSERT INTO {self._ledger.schema}.learned_size VALUES (?, ?, ?, ?)",
                [self._ledger.account, entity, size, limits.accepted_since.get(entity, 0)],
            )

    def keep_suspects(self, outcomes: Sequence[Outcome]) -> None:
        """Remember documents that became suspect together: one group."""
        self._groups += 1
        first = outcomes[0]
        keys = [outcome.item.key for outcome in outcomes]
        values = [self._ledger.account, first.item.entity, keys]
        table = f"{self._ledger.schema}.suspect"
        self._connection.execute(
            f"DELETE FROM {table} WHERE account = ? AND entity = ? AND list_contains(?, key)",
            values,
        )
        self._connection.execute(
            f"INSERT INTO {table} SELECT ?, ?, unnest(?), ?, ?",
            [*values, f"{self._ledger.run}/{self._groups}", len(keys) if first.guilty else 0],
        )

    def forget_cleared(self) -> None:
        """Forget the groups of documents that are suspect no more; the ledger must be folded."""
        self._connection.execute(
            f"DELETE FROM {self._ledger.schema}.suspect AS suspect WHERE NOT EXISTS (\n"
            f"  SELECT 1 FROM {self._ledger.schema}.entry AS entry\n"
            "  WHERE entry.account = suspect.account AND entry.entity = suspect.entity\n"
            "    AND entry.key = suspect.key AND entry.refusal = 'suspect')"
        )
