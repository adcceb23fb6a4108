"""What really changed: assembled rows against accepted ones, inside DuckDB.

Per entity the comparison fills two temp tables of the work connection, `pending` (rows that render
differently from what was accepted, or that the ledger wants looked at) and `gone` (accepted keys
that no row makes any more). JSON is kept only for what changed; nothing passes through Python here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.engine.assembly import Assembly
from replenit_destination.engine.documents import Document, Outcome, Verdict
from replenit_destination.engine.holds import RESEND
from replenit_destination.engine.portions import in_portions
from replenit_destination.engine.purged import count_purged, spare_purged, take_back
from replenit_destination.engine.sql import literal
from replenit_destination.engine.touched import Scope, Touch

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from replenit_destination.engine.binding import BoundEntity, Tables
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.named import Named
    from replenit_destination.engine.target import EntitySpec
    from replenit_destination.engine.tombstones import Tombstones

__all__ = ["Comparison", "Diff", "RowFault", "create_tables", "woken_by_consent"]

KEYLESS = "~"
"""Ledger keys of rows without a key start with this."""

_PENDING = """
CREATE OR REPLACE TEMP TABLE pending (
  entity VARCHAR, stage INTEGER, resend BOOLEAN, key VARCHAR, source_id VARCHAR,
  source_hash UBIGINT, source_rows INTEGER, document VARCHAR, urgent BOOLEAN, backlog BOOLEAN,
  newest VARCHAR, sent BOOLEAN, content_hash UBIGINT, children VARCHAR[], lines VARCHAR,
  fields VARCHAR, body VARCHAR, grants VARCHAR[], withdrawn_at VARCHAR
)
"""
_GONE = """
CREATE OR REPLACE TEMP TABLE gone (
  entity VARCHAR, key VARCHAR, source_id VARCHAR, cause VARCHAR, alive_as VARCHAR, body VARCHAR,
  children VARCHAR[]
)
"""


@dataclass(frozen=True, slots=True)
class RowFault:
    """A source row, or rows, that cannot become a document, whatever the vendor's rules."""

    entity: str
    key: str
    source_id: str
    field: str
    reason: str
    verdict: Verdict = Verdict.REJECTED

    @property
    def outcome(self) -> Outcome:
        """What becomes of it."""
        row = Document(self.entity, self.key, b"", 0, 0, source_id=self.source_id, known=True)
        return Outcome(row, self.verdict, 0, "", self.field, self.reason)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing one entity found; the rows themselves are in `pending` and `gone`.

    `source_rows` is the number of root rows the source has, `forgotten` how many documents are of
    people who were forgotten, and so in neither; `missing` is how many named keys no row makes.
    """

    entity: str
    scope: Scope
    source_rows: int
    faults: tuple[RowFault, ...] = ()
    forgotten: int = 0
    missing: int = 0

    @property
    def notices(self) -> list[str]:
        """What is worth a line in the report."""
        if not self.missing:
            return []
        return [f"{self.entity}: no staged row makes {self.missing} of the named documents"]


def create_tables(work: duckdb.DuckDBPyConnection) -> None:
    """Create the empty temp tables a run fills."""
    work.execute(_PENDING)
    work.execute(_GONE)


def woken_by_consent(
    spec: EntitySpec,
    specs: Mapping[str, EntitySpec],
    compared: Mapping[str, Comparison],
    ledger: Ledger,
) -> str | None:
    """Return SQL for documents that wait for a consent, when anyone's may have changed."""
    for entity in {*spec.link.values(), *spec.child_link.values()}:
        gate = specs[entity].gate
        if gate and entity in compared and compared[entity].scope.rows:
            return ledger.held_back(spec.name, gate)
    return None


class Diff:
    """Compares entities.

    Args:
        work: The connection that holds the temp tables.
        ledger: The account's ledger, folded.
        tables: The staged dataset.
        fingerprint: Of the target's contract and settings and of the mapping.
        tombstones: Keep forgotten people out.
        retry: Look at refused documents again although nothing about them changed.
        confirm: Look again at documents that were accepted but perhaps not counted.
        named: Compare these documents and nothing else.
    """

    def __init__(
        self,
        work: duckdb.DuckDBPyConnection,
        ledger: Ledger,
        tables: Tables,
        fingerprint: str,
        *,
        tombstones: Tombstones | None = None,
        retry: bool = False,
        confirm: bool = False,
        named: Named | None = None,
    ) -> None:
        self.work = work
        self.ledger = ledger
        self.tables = tables
        self.fingerprint = fingerprint
        self.tombstones = tombstones
        self.retry = retry
        self.confirm = confirm
        self.named = named

    def compare(
        self, entity: BoundEntity, *, full: str = "", also: str | None = None, force: bool = False
    ) -> Comparison:
        """Fill `pending` and `gone` for one entity.

        Args:
            entity: The bound mapping.
            full: Why every row is to be compared.
            also: SQL for keys to look at besides the touched ones.
            force: Take every row for changed.
        """
        name = entity.spec.name
        if self.retry:
            self._wake_refused(name)
        if self.confirm:
            self._doubt_unconfirmed(name)
        if also:
            self.ledger.add_backlog(name, "link", also)
        assembly = Assembly(entity, root=self._materialised_query(entity))
        touch = Touch(self.work, self.ledger, self.tables, assembly, self.fingerprint)
        scope = touch.named(self.named) if self.named else touch.scope(full=full)
        rows = self._count(f"SELECT count(*) FROM {assembly.relation}")
        purged = count_purged(self.ledger, name)
        rows += purged
        if not (scope.rows or scope.source_changed or scope.backlog):
            return Comparison(name, scope, rows, missing=self._missing())
        self.work.execute(
            f"CREATE OR REPLACE TEMP TABLE keyed AS {assembly.keyed(scope.condition)}"
        )
        self._drop_stale_evidence(name)
        if purged:
            take_back(self.work, self.ledger, name)
        faults = self._exclude_duplicates(assembly)
        faults += self._keyless(entity)
        self._fill_pending(assembly, scope, force=force)
        if not self.named:
            self._fill_gone(assembly, scope)
            if purged:
                spare_purged(self.work, self.ledger, name)
        forgotten = 0
        if self.tombstones:
            faults = self.tombstones.without_forgotten(entity.spec, faults)
            forgotten = self.tombstones.withhold(entity.spec)
        return Comparison(name, scope, rows, tuple(faults), forgotten, self._missing("keyed"))

    def _missing(self, keyed: str | None = None) -> int:
        """Return how many of the named keys are not among the compared rows."""
        found = self.work.execute(f"SELECT key FROM {keyed}").fetchall() if keyed else ()
        return self.named.missing([row[0] for row in found]) if self.named else 0

    def _materialised_query(self, entity: BoundEntity) -> str | None:
        if entity.query is None:
            return None
        self.work.execute(f"CREATE OR REPLACE TEMP TABLE queried AS {entity.query}")
        return "queried"

    def _wake_refused(self, entity: str) -> None:
        refused = (
            f"SELECT key FROM {self.ledger.schema}.entry WHERE account = {self.ledger.account}"
            f" AND entity = {literal(entity)} AND refusal IS NOT NULL"
        )
        self.ledger.add_backlog(entity, "retry", refused)

    def _doubt_unconfirmed(self, entity: str) -> None:
        """Take what was not counted for what it is: nobody knows whether the vendor has it."""
        self.work.execute(
            f"UPDATE {self.ledger.schema}.entry SET content_hash = NULL, backlog = 'unconfirmed'"
            f" WHERE account = {self.ledger.account} AND entity = {literal(entity)}"
            " AND NOT confirmed"
        )

    def _drop_stale_evidence(self, entity: str) -> None:
        """Forget evidence of destruction for rows that are back."""
        self.work.execute(
            f"DELETE FROM {self.ledger.schema}.evidence WHERE account = {self.ledger.account}"
            f" AND entity = {literal(entity)}"
            " AND source_id IN (SELECT source_id FROM keyed WHERE NOT destroyed)"
        )
        self.work.execute(
            f"INSERT INTO {self.ledger.schema}.evidence"
            f" SELECT DISTINCT {self.ledger.account}, {literal(entity)}, source_id, to_timestamp(?)"
            " FROM keyed WHERE destroyed AND source_id IS NOT NULL",
            [self.ledger.clock.now()],
        )

    def _exclude_duplicates(self, assembly: Assembly) -> list[RowFault]:
        """Fill `excluded` with the rows that lose to another of their key, or collide with it.

        Rows of one key are versions of one thing only when the mapping declares which wins. Two
        people are never merged, whatever the order says (real-shops.md rule 7).
        """
        self.work.execute(
            "CREATE OR REPLACE TEMP TABLE doubled AS SELECT key FROM keyed"
            " WHERE key IS NOT NULL AND NOT destroyed GROUP BY key HAVING count(*) > 1"
        )
        # Older versions of what is destroyed look alive by themselves.
        self.work.execute(
            "CREATE OR REPLACE TEMP TABLE excluded AS SELECT _row FROM keyed WHERE destroyed"
        )
        if self._count("SELECT count(*) FROM doubled") == 0:
            return []
        rows = (
            "{row} IN (SELECT _row FROM keyed"
            " WHERE NOT destroyed AND key IN (SELECT key FROM doubled))"
        )
        self.work.execute(f"CREATE OR REPLACE TEMP TABLE ranked AS {assembly.ranked(rows)}")
        collides = "true" if assembly.entity.root.order is None else "identities > 1"
        self.work.execute(
            f"INSERT INTO excluded SELECT _row FROM ranked WHERE place > 1 OR {collides}"
        )
        collided = self.work.execute(
            "SELECT key, list(source_id ORDER BY source_id), max(identities) FROM ranked"
            f" WHERE {collides} GROUP BY key ORDER BY key"
        ).fetchall()
        return [self._collision(assembly.entity, *row) for row in collided]

    @staticmethod
    def _collision(
        entity: BoundEntity, key: str, source_ids: list[str], identities: int
    ) -> RowFault:
        spec = entity.spec
        versions = f'say which one wins, for instance [{spec.name}] order = "updated_at DESC"'
        different = max(identities, len(set(source_ids)))
        if different > 1:
            who = f"{different} different {spec.name} of the source share this {spec.key}"
            advice = "correct one of them at the source"
            if identities <= 1:
                advice += f"; if they are versions of one, {versions}"
        else:
            who = f"{len(source_ids)} rows of the source have this {spec.key}"
            advice = versions
        return RowFault(spec.name, key, source_ids[0] or key, spec.key, f"{who}; {advice}")

    def _keyless(self, entity: BoundEntity) -> list[RowFault]:
        """Return the rows without a key; the ledger names them after the source's identity."""
        rows = self.work.execute(
            "SELECT DISTINCT source_id FROM keyed"
            " WHERE key IS NULL AND NOT destroyed AND source_id IS NOT NULL ORDER BY 1"
        ).fetchall()
        spec, reason = entity.spec, "is empty; nothing identifies it"
        return [
            RowFault(spec.name, KEYLESS + row[0], row[0], spec.key, reason, Verdict.SKIPPED)
            for row in rows
        ]

    def _fill_pending(self, assembly: Assembly, scope: Scope, *, force: bool) -> None:
        _entity, spec = assembly.entity, assembly.entity.spec
        granted = ", ".join(
            f"CASE WHEN document ->> {literal('$.' + name)} = 'true' THEN {literal(name)} END"
            for name in spec.consents
        )
        grants = f"list_filter([{granted}], lambda x: x IS NOT NULL)" if granted else "[]"
        newest = (
            f"document ->> {literal('$.' + spec.newest_first)}" if spec.newest_first else "NULL"
        )

        def nest(condition: str) -> None:
            self.work.execute(
                f"INSERT INTO pending\n"
                f"WITH document AS (\n{assembly.documents(condition)}\n),\n"
                "hashed AS (SELECT *, md5_number_lower(document) AS hash FROM document\n"
                "  WHERE key IS NOT NULL AND _row NOT IN (SELECT _row FROM excluded)),\n"
                f"entry AS (SELECT * FROM {self.ledger.schema}.entry\n"
                f"  WHERE account = {self.ledger.account} AND entity = {literal(spec.name)})\n"
                f"SELECT {literal(spec.name)}, {spec.stage},\n"
                f"  coalesce(entry.sent AND NOT ({scope.live}), false)"
                f" AND ({scope.reshaped} OR entry.backlog = '{RESEND}')\n"
                f"  AND coalesce(entry.backlog, '{RESEND}') = '{RESEND}',\n"
                "  hashed.key, hashed.source_id, hashed.hash,\n"
                "  hashed.source_rows, document,\n"
                f"  NOT list_has_all({grants}, coalesce(entry.grants, [])),\n"
                f"  entry.backlog IS NOT NULL, {newest}, coalesce(entry.sent, false),\n"
                "  entry.content_hash, entry.children, entry.lines, entry.fields, entry.body,\n"
                "  entry.grants, entry.withdrawn_at\n"
                "FROM hashed LEFT JOIN entry ON entry.key = hashed.key\n"
                f"WHERE {force or scope.reshaped} OR entry.backlog IS NOT NULL\n"
                "  OR (entry.source_hash IS DISTINCT FROM hashed.hash\n"
                "    AND NOT (entry.refusal IS NOT NULL AND entry.refused_hash = hashed.hash\n"
                f"      AND entry.refused_by = {literal(self.fingerprint)}))"
            )

        in_portions(self.work, assembly, scope, nest)

    def _fill_gone(self, assembly: Assembly, scope: Scope) -> None:
        """Find the documents the vendor may hold that no row makes any more, and why.

        `cause` is destroyed (there is evidence), rekeyed (the row lives on under another key,
        `alive_as`), or vanished (it is merely not there). What was retired before has source hash 0
        and is no news.
        """
        spec = assembly.entity.spec
        everything_sql = "FROM keyed" if scope.condition == "true" else assembly.keyed()
        alive = (
            f"SELECT key, source_id FROM ({everything_sql}) WHERE key IS NOT NULL AND NOT destroyed"
        )
        self.work.execute(
            f"CREATE OR REPLACE TEMP TABLE missing AS\n"
            f"SELECT key, source_id, body, children FROM {self.ledger.schema}.entry AS entry\n"
            f"WHERE account = {self.ledger.account} AND entity = {literal(spec.name)} AND sent\n"
            "  AND (source_hash IS DISTINCT FROM 0 OR backlog IS NOT NULL)\n"
            f"  AND NOT EXISTS (SELECT 1 FROM ({alive}) AS alive WHERE alive.key = entry.key)"
        )
        # A refusal of something that was never sent ends with its row.
        self.work.execute(
            f"DELETE FROM {self.ledger.schema}.entry\n"
            f"WHERE account = {self.ledger.account} AND entity = {literal(spec.name)}"
            "  AND NOT sent\n"
            f"  AND NOT EXISTS (SELECT 1 FROM ({everything_sql}) AS row\n"
            f"    WHERE coalesce(row.key, {literal(KEYLESS)} || row.source_id) = entry.key\n"
            "      AND NOT row.destroyed)"
        )
        if self._count("SELECT count(*) FROM missing") == 0:
            return
        self.work.execute(
            "INSERT INTO gone\n"
            f"SELECT {literal(spec.name)}, missing.key, missing.source_id,\n"
            "  CASE WHEN alive.source_id IS NOT NULL THEN 'rekeyed'\n"
            "    WHEN evidence.source_id IS NOT NULL THEN 'destroyed' ELSE 'vanished' END,\n"
            "  alive.key, missing.body, missing.children\n"
            "FROM missing\n"
            f"LEFT JOIN (SELECT source_id, min(key) AS key FROM ({alive})\n"
            "  WHERE source_id IN (SELECT source_id FROM missing) GROUP BY 1) AS alive\n"
            "  ON alive.source_id = missing.source_id\n"
            f"LEFT JOIN (SELECT DISTINCT source_id FROM {self.ledger.schema}.evidence\n"
            f"  WHERE account = {self.ledger.account} AND entity = {literal(spec.name)})"
            " AS evidence\n"
            "  ON evidence.source_id = missing.source_id"
        )

    def _count(self, query: str) -> int:
        row = self.work.execute(query).fetchone()
        return int(row[0]) if row else 0
