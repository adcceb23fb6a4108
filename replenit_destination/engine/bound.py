"""A mapping bound to tables: every name resolved, every value rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replenit_destination.engine.target import EntitySpec

__all__ = ["Block", "BoundEntity", "Lookup", "Notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a mapping names that is not there (yet) and therefore counts as empty."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """A joined table.

    `on` is joined column → own column, `columns` and `absent` what expressions take from it.
    """

    name: str
    table: str
    relation: str | None  # None: the table is not there yet, every column is NULL
    on: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    absent: tuple[str, ...]
    order: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one level (roots or children) and what is computed from each.

    `columns` are the existing columns that are read, `absent` those that count as NULL; `fields`
    are vendor field → rendered SQL, in the target's order. `ranks` says that no two rows of one
    parent are equal in `order`.
    """

    alias: str
    relation: str | None
    columns: tuple[str, ...]
    absent: tuple[str, ...]
    lookups: tuple[Lookup, ...]
    fields: tuple[tuple[str, str], ...] = ()
    id: str | None = None
    where: str | None = None
    order: str | None = None
    ranks: bool = False
    table: str | None = None
    has_load_ids: bool = False


@dataclass(frozen=True, slots=True)
class BoundEntity:
    """One entity's mapping bound to tables; `assembly` turns it into SQL.

    `keyed` is what is read of the roots when only keys and identities are asked for. `key` is the
    rendered key, `raw_key` its expression as written. `on` joins children to roots (child column,
    root column); `listed` is SQL for the root's list of children where they are in a column,
    `column_is_json` tells whether its elements are JSON. `identity` is the vendor field that
    `source_id` is the value of, if any. `parent_columns` are what child expressions read of the
    root. `always_full` says why touched rows cannot be known, None when they can.
    """

    spec: EntitySpec
    root: Block
    keyed: Block
    key: str
    raw_key: str
    source_id: str
    identity: str | None = None
    destroyed_when: str | None = None
    query: str | None = None
    child: Block | None = None
    on: tuple[tuple[str, str], ...] = ()
    column: str | None = None
    column_is_json: bool = False
    listed: str | None = None
    parent_columns: tuple[str, ...] = ()
    always_full: str | None = None
    notices: tuple[Notice, ...] = ()
    tables: frozenset[str] = frozenset()
