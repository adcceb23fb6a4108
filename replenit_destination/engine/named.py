"""Documents that a person names: a push then looks at exactly these (real-shops.md rule 22)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.engine.sql import literal

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Named"]


@dataclass(frozen=True, slots=True)
class Named:
    """Which documents; each condition that is given must hold.

    Args:
        keys: Their keys; a key matches in lower case too, as addresses are kept.
        since: Unix seconds. Documents with a row, a child or a look-up that was loaded since then,
            and those that the vendor accepted since then.
        refused: Those that stand rejected or quarantined.
    """

    keys: Collection[str] = ()
    since: float | None = None
    refused: bool = False

    def __bool__(self) -> bool:
        return bool(self.keys or self.refused or self.since is not None)

    def condition(self, entries: str, loaded: str) -> str:
        """Return SQL on `key` and `_row` of assembled rows.

        Args:
            entries: FROM and WHERE of the entity's entries in the ledger.
            loaded: SQL for the rows that were loaded since `since`.
        """
        conditions = []
        if self.keys:
            names = {each for key in self.keys for each in (key.strip(), key.strip().lower())}
            conditions.append(f"key IN ({', '.join(map(literal, sorted(names)))})")
        if self.refused:
            states = "refusal IN ('rejected', 'quarantined', 'suspect')"
            conditions.append(f"key IN (SELECT key {entries} AND {states})")
        if self.since is not None:
            accepted = f"accepted_at >= to_timestamp({float(self.since)!r})"
            conditions.append(
                f"(_row IN ({loaded}) OR key IN (SELECT key {entries} AND {accepted}))"
            )
        return " AND ".join(conditions) or "false"

    def missing(self, found: Collection[str]) -> int:
        """Return how many of the named keys no row makes."""
        return sum(not {key.strip(), key.strip().lower()} & set(found) for key in set(self.keys))
