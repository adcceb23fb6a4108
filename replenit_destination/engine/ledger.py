"""The ledger: what the vendor has accepted, or may hold.

It is a DuckDB file of its own, attached to the staging database's connection. While a run sends,
intents and outcomes are appended, a row per batch; `fold` turns them into entries. A run that was
killed leaves its intents behind, and the next run folds them first: what may have reached the
vendor is then in doubt, is sent again if it is still there, and deleted if it is not.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.delivery_log import DeliveryLog
from replenit_destination.engine.ledger_rows import LedgerRows
from replenit_destination.engine.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.documents import Batch, Document, Outcome
    from replenit_destination.engine.ledger_file import LedgerFile
    from replenit_destination.engine.target import EntitySpec

__all__ = ["Ledger", "Processed"]

ROWS_PER_FOLD = 200_000
ROWS_PER_SLICE = 20_000


@dataclass(frozen=True, slots=True)
class Processed:
    """The load ids of one table that were already compared, with their row counts."""

    fingerprint: str
    rows: dict[str, int]


class Ledger:
    """The part of a ledger file that belongs to one account: one tenant at one host.

    All methods run on the thread that opened it; every write is durable when the method returns.

    Args:
        file: The attached file.
        target: The vendor's name.
        host: Scheme, host and port.
        tenant: The tenant id.
        run: A name for this run, unique in the file.
        fingerprint: The contract's and mapping's, kept with refusals: a refused document is tried
            again when it changes.
        specs: The target's entities: whose documents are kept whole, and whose are logged.
        clock: Source of the time written to rows.
    """

    def __init__(
        self,
        file: LedgerFile,
        *,
        target: str,
        host: str,
        tenant: str,
        run: str,
        fingerprint: str,
        specs: Iterable[EntitySpec] = (),
        clock: Clock,
    ) -> None:
        self.file = file
        self.schema = file.schema
        self.run = run
        self.clock = clock
        self.connection = file.connection
        self.account = self._account(target, host, tenant)
        bodies = frozenset(spec.name for spec in specs if spec.retire)
        self.log = DeliveryLog(specs) if file.log else None
        people = self.log.people if self.log else frozenset()
        self.rows = LedgerRows(run, self.account, fingerprint, bodies, people)
        self._appended = self._last_appended()
        self._processed: dict[str, dict[str, dict[str, Processed]]] = {}  # dataset, entity, table

    # -- appending
    # --------------------------------------------------------------------------------------------

    def append(self, outcomes: Sequence[Outcome], intended: Batch | None = None) -> None:
        """Record verdicts, and that a batch is about to leave.

        What the batch holds may reach the vendor from now on.
        """
        now = self.clock.now()
        rows: list[tuple[str, int, str]] = []
        if outcomes:
            rows.append(("outcome", len(outcomes), self.rows.outcomes(outcomes, now)))
        if intended is not None:
            rows.append(("intent", len(intended.items), self.rows.intents(intended, now)))
        values: list[object] = []
        for row in rows:
            self._appended += 1
            values += [self._appended, *row]
        marks = ", ".join(["(?, ?, ?, ?)"] * len(rows))
        self.connection.execute(f"INSERT INTO {self.schema}.journal VALUES {marks}", values)

    def leave_pending(self, work: duckdb.DuckDBPyConnection, reason: str) -> None:
        """Leave every row of `pending` that has no outcome yet to the next run.

        Args:
            work: The connection with the temp table.
            reason: Why this run ended.
        """
        with self._transaction():
            self._unpack(f"{self.schema}.intent", f"{self.schema}.outcome")
        self._appended += 1
        work.execute(
            f"INSERT INTO {self.schema}.outcome BY NAME\n"
            f"SELECT {self._appended} * 1_000_000 AS seq, ? AS run, 0 AS batch,\n"
            "  ? AS account, entity, key, 'upsert' AS action, '' AS child,\n"
            "  'backlog' AS verdict, source_id, source_hash, source_rows, ? AS reason,\n"
            "  to_timestamp(?) AS moment\n"
            "FROM pending WHERE NOT EXISTS (\n"
            f"  SELECT 1 FROM {self.schema}.outcome AS known WHERE known.action = 'upsert'\n"
            "    AND known.entity = pending.entity AND known.key = pending.key)",
            [self.run, self.account, reason, self.clock.now()],
        )

    # -- folding
    # --------------------------------------------------------------------------------------------

    def fold(self) -> None:
        """Turn what was appended into entries.

        More than `ROWS_PER_FOLD` are folded in parts of the keys, each in a transaction of its own:
        a kill between two parts leaves the rest to the next fold.
        """
        waiting, unpacked = self._unfolded()
        if not waiting + unpacked:
            return
        parts = -(-(waiting + unpacked) // ROWS_PER_FOLD)
        if parts == 1 and not unpacked:
            with self._transaction():
                for kind in ("intent", "outcome"):
                    self.connection.execute(
                        f"CREATE TEMP TABLE {kind}s_now AS FROM {self.schema}.{kind} LIMIT 0"
                    )
                self._unpack("temp.intents_now", "temp.outcomes_now")
                self._fold("temp.intents_now", "temp.outcomes_now", "true")
        else:
            with self._transaction():
                self._unpack(f"{self.schema}.intent", f"{self.schema}.outcome")
            intents, outcomes = f"{self.schema}.intent", f"{self.schema}.outcome"
            for part in range(parts):
                keys = f"hash(key) % {parts} = {part}"
                with self._transaction():
                    self._fold(intents, outcomes, keys)
                    self.connection.execute(f"DELETE FROM {intents} WHERE {keys}")
                    self.connection.execute(f"DELETE FROM {outcomes} WHERE {keys}")
        for table in ("folded", "intents_now", "outcomes_now"):
            self.connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        self.connection.execute(self.file.sql("clear_evidence"))

    def _fold(self, intents: str, outcomes: str, part: str) -> None:
        for name in ("folded", "forget_folded", "keep_folded", "count_removed"):
            statement = self.file.sql(name).replace("{part}", part)
            statement = statement.replace("{intents}", intents).replace("{outcomes}", outcomes)
            self.connection.execute(statement)
        if self.log:
            self.log.append(self, intents, outcomes, part)

    def _unpack(self, intents: str, outcomes: str) -> None:
        """Move the journal into two tables, in slices: DuckDB parses all it is given at once."""
        ends = self.connection.execute(
            f"SELECT max(seq) FROM (SELECT seq, sum(documents) OVER (ORDER BY seq)"
            f" // {ROWS_PER_SLICE} AS slice FROM {self.schema}.journal) GROUP BY slice ORDER BY 1"
        ).fetchall()
        done = 0
        for (end,) in ends:
            for table, name in ((intents, "intents"), (outcomes, "outcomes")):
                rows = self.file.sql(name).replace("{slice}", f"seq > {done} AND seq <= {end}")
                self.connection.execute(f"INSERT INTO {table} BY NAME {rows}")
            done = end
        self.connection.execute(f"DELETE FROM {self.schema}.journal")

    def _unfolded(self) -> tuple[int, int]:
        """Return how many intents and outcomes the journal holds, and how many are unpacked."""
        row = self.connection.execute(
            f"SELECT (SELECT coalesce(sum(documents), 0) FROM {self.schema}.journal),"
            f" (SELECT count(*) FROM {self.schema}.intent)"
            f" + (SELECT count(*) FROM {self.schema}.outcome)"
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _last_appended(self) -> int:
        row = self.connection.execute(
            f"SELECT greatest((SELECT max(seq) FROM {self.schema}.journal),"
            f" (SELECT max(seq) // 1_000_000 FROM {self.schema}.outcome), 0)"
        ).fetchone()
        return int(row[0]) if row else 0

    # -- what was processed
    # ---------------------------------------------------------------------------------

    def processed(self, dataset: str, entity: str) -> dict[str, Processed]:
        """Return, per table, the load ids whose rows of an entity were already compared."""
        if dataset not in self._processed:
            rows = self.connection.execute(
                "SELECT entity, table_name, fingerprint, load_id, rows"
                f" FROM {self.schema}.processed WHERE account = ? AND dataset = ?",
                [self.account, dataset],
            ).fetchall()
            found: dict[str, dict[str, Processed]] = {}
            for name, table, fingerprint, load_id, count in rows:
                tables = found.setdefault(name, {})
                tables.setdefault(table, Processed(fingerprint, {})).rows[load_id] = count
            self._processed[dataset] = found
        return self._processed[dataset].get(entity, {})

    def mark_processed(
        self, dataset: str, entity: str, fingerprint: str, tables: dict[str, dict[str, int]]
    ) -> None:
        """Remember the load ids of every table as compared, all outcomes being on record."""
        now = {
            table: Processed(fingerprint, dict(loads or {"": 0})) for table, loads in tables.items()
        }
        if now == self.processed(dataset, entity):
            return
        rows = [
            (self.account, dataset, entity, fingerprint, table, load_id, count)
            for table, seen in now.items()
            for load_id, count in seen.rows.items()
        ]
        self.connection.execute("BEGIN")
        self.connection.execute(
            f"DELETE FROM {self.schema}.processed WHERE account = ? AND dataset = ? AND entity = ?",
            [self.account, dataset, entity],
        )
        if rows:
            marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
            values = [value for row in rows for value in row]
            self.connection.execute(f"INSERT INTO {self.schema}.processed VALUES {marks}", values)
        self.connection.execute("COMMIT")
        self._processed[dataset][entity] = now

    # -- small facts
    # ----------------------------------------------------------------------------------------

    def counts(self) -> dict[str, dict[str, int]]:
        """Return, per entity, how many entries are in each state, and how many children there are.

        `sent` are at the vendor or may be, `settled` are there as they should be.
        """
        rows = self.connection.execute(
            "SELECT entity, count(*) FILTER (WHERE sent),"
            " count(*) FILTER (WHERE refusal IS NOT NULL),"
            " count(*) FILTER (WHERE backlog IS NOT NULL AND backlog <> 'withheld'),"
            " coalesce(sum(len(children)), 0),"
            " count(*) FILTER (WHERE sent AND content_hash IS NOT NULL AND source_hash <> 0"
            " AND refusal IS NULL AND (backlog IS NULL OR backlog = 'withheld'))"
            f" FROM {self.schema}.entry WHERE account = ? GROUP BY entity",
            [self.account],
        ).fetchall()
        names = ("sent", "refused", "backlog", "children", "settled")
        return {row[0]: dict(zip(names, map(int, row[1:]), strict=True)) for row in rows}

    def removed_since(self, entity: str, since: float) -> tuple[int, int]:
        """Return how many documents and children of an entity were deleted since a moment."""
        row = self.connection.execute(
            "SELECT count(*) FILTER (WHERE NOT child), count(*) FILTER (WHERE child)"
            f" FROM {self.schema}.removed"
            " WHERE account = ? AND entity = ? AND moment >= to_timestamp(?)",
            [self.account, entity, since],
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def count_retired(self, document: Document) -> None:
        """Count towards the guard's week what an accepted document says is gone."""
        whole = document.source_hash == 0
        removed = [True] * document.retired + [False] * whole
        for child in removed:
            self.connection.execute(
                f"INSERT INTO {self.schema}.removed VALUES (?, ?, ?, to_timestamp(?))",
                [self.account, document.entity, child, self.clock.now()],
            )

    def never_accepted(self, entity: str) -> dict[str, float]:
        """Return key → time of the refusal for refused documents the vendor has never taken."""
        rows = self.connection.execute(
            f"SELECT key, epoch(refused_at) FROM {self.schema}.entry"
            " WHERE account = ? AND entity = ? AND refusal <> 'skipped' AND NOT sent",
            [self.account, entity],
        ).fetchall()
        return dict(rows)

    def accepted(self, entity: str, keys: Sequence[str]) -> list[str]:
        """Return which of these documents the vendor surely has."""
        if not keys:
            return []
        rows = self.connection.execute(
            f"SELECT key FROM {self.schema}.entry WHERE account = ? AND entity = ? AND sent"
            " AND content_hash IS NOT NULL AND list_contains(?, key)",
            [self.account, entity, list(keys)],
        ).fetchall()
        return [row[0] for row in rows]

    def refusals(self) -> list[tuple[str, str, str, str, int, list[str]]]:
        """Return (entity, refusal, field, reason, documents, three keys) of what stands refused."""
        return self.connection.execute(
            "SELECT entity, refusal, field, reason, count(*), list(key ORDER BY key)[:3]"
            f" FROM {self.schema}.entry WHERE account = ? AND refusal IS NOT NULL"
            " GROUP BY ALL ORDER BY ALL",
            [self.account],
        ).fetchall()

    def granted(self, entity: str, consent: str) -> set[str]:
        """Return the keys of an entity's accepted documents that gave a consent."""
        rows = self.connection.execute(
            f"SELECT key FROM {self.schema}.entry WHERE account = ? AND entity = ? AND sent"
            " AND list_contains(grants, ?)",
            [self.account, entity, consent],
        ).fetchall()
        return {row[0] for row in rows}

    def held_back(self, entity: str, consent: str) -> str:
        """Return SQL for the keys of documents refused for want of a consent."""
        return (
            f"SELECT key FROM {self.schema}.entry WHERE account = {self.account}"
            f" AND entity = {literal(entity)} AND refusal = 'skipped'"
            f" AND field = {literal(consent)}"
        )

    def promotions(self) -> dict[str, int]:
        """Return solo class → documents accepted since its last refusal."""
        rows = self.connection.execute(
            f"SELECT class, accepted FROM {self.schema}.promotion WHERE account = ?",
            [self.account],
        ).fetchall()
        return dict(rows)

    def keep_promotions(self, promotions: dict[str, int]) -> None:
        """Remember what the solo classes have shown."""
        self.connection.execute(
            f"DELETE FROM {self.schema}.promotion WHERE account = ?", [self.account]
        )
        for name, accepted in promotions.items():
            self.connection.execute(
                f"INSERT INTO {self.schema}.promotion VALUES (?, ?, ?)",
                [self.account, name, accepted],
            )

    def add_backlog(self, entity: str, reason: str, query: str) -> None:
        """Mark the entries whose keys a query returns: the next comparison looks at them again."""
        self.connection.execute(
            f"UPDATE {self.schema}.entry SET backlog = ? WHERE account = ? AND entity = ?"
            f" AND backlog IS NULL AND key IN ({query})",
            [reason, self.account, entity],
        )

    def start_run(self, load_id: str | None = None) -> None:
        """Note that this run has begun, as a part of a load or by itself."""
        self.connection.execute(
            f"INSERT INTO {self.schema}.run (run, account, started_at, load_id)"
            " VALUES (?, ?, to_timestamp(?), ?)",
            [self.run, self.account, self.clock.now(), load_id],
        )

    def finish_run(self, report: dict[str, Any]) -> None:
        """Store this run's report."""
        self.connection.execute(
            f"UPDATE {self.schema}.run SET finished_at = to_timestamp(?), report = ? WHERE run = ?",
            [self.clock.now(), json.dumps(report), self.run],
        )

    def _account(self, target: str, host: str, tenant: str) -> int:
        values = [target, host, tenant.lower()]
        found = self.connection.execute(
            f"SELECT account FROM {self.schema}.account"
            " WHERE target = ? AND host = ? AND tenant = ?",
            values,
        ).fetchone()
        if found:
            return int(found[0])
        row = self.connection.execute(
            f"INSERT INTO {self.schema}.account"
            f" SELECT coalesce(max(account), 0) + 1, ?, ?, ? FROM {self.schema}.account"
            " RETURNING account",
            values,
        ).fetchone()
        return int(row[0]) if row else 1
