"""Retention: old rows of settled documents leave the staged tables.

Right for orders only, which nothing else looks up, and narrow on purpose: a row goes when its
document is at the vendor as it is today, when nothing else reads its table, and when its lines are
nested in it, so that a changed order always comes with all of its lines. The ledger keeps the key,
the hashes and the child keys, and by keyed hashes whose the document was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.assembly import Assembly
from replenit_destination.engine.keyed_hash import keyed_hash
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.people import people_of
from replenit_destination.engine.purge import NESTED_ID, StagedRows
from replenit_destination.engine.run import Run
from replenit_destination.engine.sql import computed, literal, quote
from replenit_destination.engine.touched import Touch
from replenit_destination.engine.workplace import workplace
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from replenit_destination.engine.binding import BoundEntity
    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import Target

__all__ = ["Purge", "purge_old"]

_DAY_SECONDS = 24 * 3600.0


@dataclass
class Purge:
    """What was purged: entity → documents, table → rows, and why an entity was left alone.

    `job_files` is how many of dlt's copies of loaded rows went with them.
    """

    documents: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    job_files: int = 0
    notices: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "documents": self.documents,
            "rows": self.rows,
            "job_files": self.job_files,
            "notices": self.notices,
        }

    def __str__(self) -> str:
        """Return it as a sentence."""
        parts = [f"{count:,} {entity}" for entity, count in sorted(self.documents.items())]
        files = f" and {self.job_files:,} of dlt's job files" if self.job_files else ""
        return f"Purged the rows of {', '.join(parts) or 'no document'}{files}."


def purge_old(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    *,
    days: float,
    ledger: Path,
    clock: Clock,
    options: PushOptions | None = None,
) -> Purge:
    """Delete the staged rows of settled documents that are older than so many days.

    Args:
        staged: The tables.
        target: The vendor; nothing is sent to it.
        mapping: Entity → how its documents are made, as `Mapping.entities` returns it.
        days: The age, of the document by its own time and of its acceptance.
        ledger: The ledger's file.
        clock: Time.
        options: How long to wait for the databases, and how much memory to use.

    Raises:
        SettingsError: The age is less than a day.
        MappingError: The mapping does not fit the tables.
        LedgerError: The ledger or the database is in use, or newer than this program.
        StorageError: The disk is full.
    """
    if not 1 <= days < float("inf"):
        message = "retention_days: must be at least 1"
        raise SettingsError(message)
    options = options or PushOptions()
    found = Purge()
    with workplace(staged, ledger, clock=clock, options=options) as place:
        run = Run(staged, target, mapping, place, clock, options)
        run.ledger.fold()
        bound = run.bind()
        for name, entity in bound.items():
            if not entity.spec.newest_first:
                continue
            reason = _unfit(run, entity, bound)
            if reason:
                found.notices.append(f"{name}: nothing is purged, {reason}")
                continue
            _Purging(run, entity, bound, clock.now() - days * _DAY_SECONDS).into(found)
    return found


def _unfit(run: Run, entity: BoundEntity, bound: Mapping[str, BoundEntity]) -> str | None:
    """Return why no row of an entity can be missed."""
    spec, root, child = entity.spec, entity.root, entity.child
    table = root.table or ""
    if entity.query is not None or not table:
        return "its documents are made by a query"
    if spec.newest_first not in dict(root.fields):
        return f"{spec.newest_first} is not mapped"
    if child and child.table and entity.on != NESTED_ID:
        return "its lines are in a table of their own, and a changed order may come without them"
    if run.schema.drifted(spec.name):
        return "its tables have changed"
    nested = f"{table}__".lower()
    looked_up = [one.table for block in (root, child) if block for one in block.lookups]
    others = [one for name, other in bound.items() if name != spec.name for one in other.tables]
    for one in (*looked_up, *others):
        if one.lower() == table.lower() or one.lower().startswith(nested):
            return f"`{one}` is read for other documents too"
    if len(bound) < len(run.mapping):
        return "other entities cannot be read, which may need its rows"
    return None


class _Purging:
    """Purges one entity.

    Args:
        run: Bound and folded.
        entity: Whose rows.
        bound: All entities.
        before: What is older may go, in Unix seconds.
    """

    def __init__(
        self, run: Run, entity: BoundEntity, bound: Mapping[str, BoundEntity], before: float
    ) -> None:
        self.run = run
        self.work = run.work
        self.ledger = run.ledger
        self.entity = entity
        self.bound = bound
        self.before = before
        self.assembly = Assembly(entity)
        self.name = entity.spec.name

    def into(self, found: Purge) -> None:
        """Purge, and note what.

        The ledger is marked first: killed between the two, a mark beside a row means nothing.
        """
        if not self._any_settled():
            return
        touch = Touch(self.work, self.ledger, self.run.tables, self.assembly, self.run.fingerprint)
        scope = touch.scope(full="")
        if scope.reason:
            found.notices.append(
                f"{self.name}: nothing is purged while everything is compared ({scope.reason})"
            )
            return
        computed(f"{self.name}.fields", lambda: self._find(scope.condition))
        row = self.work.execute("SELECT count(DISTINCT key) FROM outdated").fetchone()
        if not row or not row[0]:
            return
        found.documents[self.name] = int(row[0])
        self._mark()
        for table, count in self._delete().items():
            found.rows[table] = found.rows.get(table, 0) + count

    @property
    def _settled(self) -> str:
        """SQL for a ledger entry whose document is old and at the vendor as it is here."""
        return (
            "sent AND confirmed AND content_hash IS NOT NULL AND source_hash <> 0"
            " AND backlog IS NULL AND refusal IS NULL"
            f" AND accepted_at < to_timestamp({self.before!r})"
        )

    def _any_settled(self) -> bool:
        """Spare most pushes the look at all rows."""
        found = self.work.execute(
            f"SELECT 1 FROM {self.ledger.schema}.entry WHERE account = {self.ledger.account}"
            f" AND entity = {literal(self.name)} AND purged_at IS NULL AND {self._settled} LIMIT 1"
        )
        return found.fetchone() is not None

    def _find(self, touched: str) -> None:
        """Fill `outdated` with the rows to purge: `_row`, `key`, and `names` of their people."""
        spec, schema = self.entity.spec, self.ledger.schema
        fields = [
            name
            for people in people_of(self.run.specs.values())
            for carrier, names in people.carriers
            if carrier == spec
            for name in names
        ]
        values = self.assembly.values([spec.newest_first or "", *fields])
        waiting = f"SELECT key FROM {schema}.erasure_item WHERE entity = {literal(self.name)}"
        known = (
            f"SELECT key FROM {schema}.entry WHERE entity = {literal(self.name)} GROUP BY key"
            f" HAVING coalesce(bool_and({self._settled}), false)"
            f" AND bool_or(account = {self.ledger.account})"
            # of a row whose identity is destroyed, the removal comes next
            f" AND NOT bool_or(source_id IN (SELECT source_id FROM {schema}.evidence"
            f" WHERE entity = {literal(self.name)} AND source_id IS NOT NULL))"
        )
        old = f"coalesce(TRY_CAST(names[1] AS TIMESTAMPTZ) < to_timestamp({self.before!r}), false)"
        self.work.execute(
            "CREATE OR REPLACE TEMP TABLE outdated AS\n"
            f"WITH valued AS (\n{values}\n)\n"
            "SELECT _row, key, list_filter(names[2:], lambda x: x IS NOT NULL) AS names\n"
            f"FROM valued WHERE key IN ({known}) AND key NOT IN ({waiting})\n"
            f"  AND key NOT IN (SELECT key FROM valued WHERE key IS NOT NULL AND NOT ({old}))\n"
            "  AND key NOT IN (SELECT key FROM valued WHERE key IS NOT NULL"
            f" AND ({touched.replace('{row}', '_row')}))"
        )

    def _ids(self) -> str:
        """Return SQL for `_row` and `name`: the ids by which rows look up their person."""
        tables = {
            self.bound[one].root.table for one in {*self.entity.spec.link.values()} & {*self.bound}
        }
        columns = [
            lookup.on[0][1]
            for lookup in self.entity.root.lookups
            if lookup.table in tables and len(lookup.on) == 1
        ]
        relation = self.assembly.relation
        parts = [
            f"SELECT rowid AS _row, CAST({quote(name)} AS VARCHAR) AS name FROM {relation}"
            for name in columns
        ]
        return "\nUNION ALL\n".join(["SELECT _row, unnest(names) AS name FROM outdated", *parts])

    def _mark(self) -> None:
        schema = self.ledger.schema
        self.work.execute(
            "CREATE OR REPLACE TEMP TABLE purged_names AS\n"
            f"SELECT key, list(DISTINCT {keyed_hash(schema, 'name')}) FILTER (WHERE name IS NOT"
            f" NULL) AS of\nFROM outdated LEFT JOIN ({self._ids()}) USING (_row) GROUP BY key"
        )
        self.work.execute(
            f"UPDATE {schema}.entry AS entry SET purged_at = to_timestamp(?), purged_of = of\n"
            "FROM purged_names WHERE entry.entity = ? AND entry.key = purged_names.key",
            [self.ledger.clock.now(), self.name],
        )

    def _delete(self) -> dict[str, int]:
        self.work.execute("BEGIN")
        try:
            rows = StagedRows(self.work, self.run.tables)
            rows.delete(self.entity.root.table or "", "rowid IN (SELECT _row FROM outdated)")
            rows.delete_nested()
        except BaseException:
            self.work.execute("ROLLBACK")
            raise
        self.work.execute("COMMIT")
        return {table: count for table, count in rows.counts.items() if count}
