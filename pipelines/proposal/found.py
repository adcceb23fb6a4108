"""What is known of a shop's tables before anybody has mapped them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FoundColumn", "FoundTable", "Link"]


@dataclass(frozen=True)
class FoundColumn:
    """A column by the name a mapping would use.

    `kind` is `text`, `number`, `time` (with a zone), `local time`, `date`, `boolean` or `other`.
    """

    name: str
    kind: str = "text"


@dataclass(frozen=True)
class Link:
    """A foreign key: these columns name a row of that table by its columns."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class FoundTable:
    """A table, its key (empty where none is known) and the tables it points to."""

    name: str
    columns: tuple[FoundColumn, ...]
    key: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()

    def __contains__(self, column: str) -> bool:
        return any(one.name == column for one in self.columns)

    def kind(self, column: str) -> str:
        """Return the kind of a column."""
        return next(one.kind for one in self.columns if one.name == column)

    def links_to(self, table: str) -> Link | None:
        """Return the first link to a table."""
        return next((one for one in self.links if one.table == table), None)
