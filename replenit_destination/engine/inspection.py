"""A look at what a push would work with: the mapping on the tables, their shape, the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replenit_destination.engine.binding import Tables
from replenit_destination.engine.own_ledger import ledger_of
from replenit_destination.engine.rehearsal import rehearsing
from replenit_destination.engine.schema_hold import SchemaHold
from replenit_destination.engine.sql import relation
from replenit_destination.engine.workplace import workplace
from replenit_destination.exceptions import MappingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.options import PushOptions
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import Target
    from replenit_destination.engine.workplace import Workplace
    from replenit_destination.exceptions import MappingFault

__all__ = ["Inspection", "inspect"]


@dataclass
class Inspection:
    """What was found.

    `rows` is entity → rows of its root table, for entities that can be compared, `absent` are
    mapped ones whose table is not there. `faults` are the mapping's, `notices` what counts as
    empty, `changed` is entity → how its tables changed since they were last read. `sent` is entity
    → documents that the vendor has, or may have; `runs` counts this tenant's pushes.
    """

    rows: dict[str, int] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    faults: tuple[MappingFault, ...] = ()
    notices: list[str] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    runs: int = 0


def inspect(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    *,
    ledger: Path,
    clock: Clock,
    options: PushOptions,
) -> Inspection:
    """Return what a push would find, without comparing a document.

    Args:
        staged: The tables; only read.
        target: The vendor; nothing is sent to it.
        mapping: Entity → how its documents are made.
        ledger: The ledger's file; only read.
        clock: Time.
        options: Those of the push.

    Raises:
        LedgerError: The ledger or the database is in use, or newer than this program.
        StorageError: The disk is full.
    """
    with (
        rehearsing(staged, target, ledger=ledger, clock=clock, options=options) as rehearsal,
        workplace(rehearsal.staged, rehearsal.ledger, clock=clock, options=options) as place,
    ):
        book = ledger_of(place.file, target, clock)
        book.fold()
        found = Inspection(runs=_runs(book))
        found.sent = {name: one["sent"] for name, one in book.counts().items() if one["sent"]}
        _read(found, place, book, staged.dataset, target, mapping, options)
        return found


def _read(
    found: Inspection,
    place: Workplace,
    book: Ledger,
    dataset: str,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    options: PushOptions,
) -> None:
    work = place.connection
    row = work.execute("SELECT current_database()").fetchone()
    catalog = str(row[0]) if row else ""
    tables = Tables(work, catalog, dataset)
    if any(tables):
        work.execute(f"USE {relation(catalog, dataset)}")
    schema = SchemaHold(work, book, target, tables, options)
    try:
        bound = schema.bind(mapping)
    except MappingError as error:
        found.faults = error.faults
        return
    found.notices = [f"{one.place}: {one.text}" for one in bound.notices]
    found.rows = {
        name: _count(work, f"({entity.query})" if entity.query else str(entity.root.relation))
        for name, entity in bound.items()
    }
    found.changed = {name: list(held.reasons) for name, held in schema.unbound.items()}
    found.changed |= {name: schema.reasons(name) for name in bound if schema.drifted(name)}
    found.absent = [name for name in mapping if name not in bound and name not in schema.unbound]


def _count(work: duckdb.DuckDBPyConnection, rows: str) -> int:
    row = work.execute(f"SELECT count(*) FROM {rows}").fetchone()
    return int(row[0]) if row else 0


def _runs(book: Ledger) -> int:
    row = book.connection.execute(
        f"SELECT count(*) FROM {book.schema}.run WHERE account = ?", [book.account]
    ).fetchone()
    return int(row[0]) if row else 0
