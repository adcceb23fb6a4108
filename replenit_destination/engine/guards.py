"""Guards on removals: a filtered source must not empty the vendor's side.

`real-shops.md` rule 11: deletes and child deletes are counted per entity over a rolling week and
refused above max(5, min(10 %, 500)); no source rows where there were some always refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WEEK_SECONDS", "RemovalGuard", "Withheld", "withheld_with"]

WEEK_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Withheld:
    """Removals that were not made: how many, why, samples as key hashes, and what allows them."""

    entity: str
    count: int
    reason: str
    samples: tuple[str, ...] = ()
    children: bool = False

    @property
    def allow(self) -> str:
        """The setting that allows these removals once."""
        return f'allow_removals = ["{self.entity}"]'

    def __str__(self) -> str:
        what = "child removals" if self.children else "removals"
        named = f" ({', '.join(self.samples)}, …)" if self.samples else ""
        told = f"{self.entity}: {self.count} {what} withheld{named}: {self.reason}"
        return f"{told}; {self.allow} allows them once"


def withheld_with(
    tables: Mapping[str, str | None], held: Mapping[str, Mapping[str, int]]
) -> list[Withheld]:
    """Return what stays at the vendor because its table is missing, which is no deletion.

    Args:
        tables: Entity → its table that is not there.
        held: Entity → what the vendor holds, `sent` documents among it.
    """
    return [
        Withheld(name, sent, f"the table `{table}` is not in the dataset any more")
        for name, table in tables.items()
        if (sent := held.get(name, {}).get("sent", 0))
    ]


@dataclass(frozen=True, slots=True)
class RemovalGuard:
    """How many removals of an entity a rolling week may hold.

    Args:
        floor: Always allowed.
        share: Of what the vendor holds, up to `ceiling`.
        ceiling: Never more than this without being asked for.
    """

    floor: int = 5
    share: float = 0.10
    ceiling: int = 500

    def allowance(self, held: int) -> int:
        """Return how many removals a week may hold when the vendor holds `held`."""
        return max(self.floor, int(min(held * self.share, self.ceiling)))

    def refuses(self, *, wanted: int, done: int, held: int, source_rows: int) -> str | None:
        """Return why the removals must wait, or None when they may go.

        Args:
            wanted: Removals of this run.
            done: Removals of the last seven days.
            held: What the vendor holds.
            source_rows: Rows the source has now.
        """
        if wanted == 0:
            return None
        if source_rows == 0:
            return "the source has no rows at all any more"
        allowed = self.allowance(held)
        if done + wanted > allowed:
            return f"{done} in the last week and {wanted} now are more than {allowed} of {held}"
        return None
