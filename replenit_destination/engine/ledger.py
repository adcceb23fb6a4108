"""The ledger: what the vendor has accepted, or may hold.

It is a DuckDB file of its own, attached to the staging database's connection. While a run sends,
intents and outcomes are appended; `fold` turns them into entries. A run that was killed leaves its
intents behind, and the next `open` folds them: what may have reached the vendor is then in doubt,
is sent again if it is still there, and deleted if it is not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from replenit_destination.engine.documents import Document, Outcome, Removal, Verdict
from replenit_destination.engine.sql import literal, queries, quote
from replenit_destination.exceptions import LedgerBusyError, LedgerVersionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.documents import Batch, Item

__all__ = ["FORMAT_VERSION", "Ledger", "LedgerFile"]

FORMAT_VERSION = 1
ROWS_PER_FOLD = 200_000

_HASH = pa.uint64()
_TEXTS = pa.list_(pa.string())
_INTENT = pa.schema(
    [
        ("run", pa.string()),
        ("batch", pa.int32()),
        ("account", pa.int32()),
        ("entity", pa.string()),
        ("key", pa.string()),
        ("action", pa.string()),
        ("child", pa.string()),
        ("children", _TEXTS),
        ("source_id", pa.string()),
        ("moment", pa.float64()),
    ]
)
_OUTCOME = pa.schema(
    [
        ("run", pa.string()),
        ("batch", pa.int32()),
        ("account", pa.int32()),
        ("entity", pa.string()),
        ("key", pa.string()),
        ("action", pa.string()),
        ("child", pa.string()),
        ("verdict", pa.string()),
        ("source_id", pa.string()),
        ("content_hash", _HASH),
        ("source_hash", _HASH),
        ("source_rows", pa.int32()),
        ("children", _TEXTS),
        ("lines", pa.string()),
        ("grants", _TEXTS),
        ("fields", pa.string()),
        ("body", pa.string()),
        ("request_id", pa.string()),
        ("fingerprint", pa.string()),
        ("field", pa.string()),
        ("reason", pa.string()),
        ("words", pa.string()),
        ("moment", pa.float64()),
    ]
)


class LedgerFile:
    """A ledger file attached to a DuckDB connection.

    Args:
        connection: Of the staging database; the ledger works on cursors of its own.
        path: The ledger's file; created with the current format when it is not there.

    Raises:
        LedgerBusyError: Another process holds the file.
        LedgerVersionError: A newer version of this package wrote it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self.name = "ledger_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
        self.schema = f"{quote(self.name)}.main"
        self.connection = connection.cursor()
        self._attach()
        self._check_format()

    def sql(self, name: str) -> str:
        """Return a named statement of `ledger.sql` for this file."""
        return queries("replenit_destination.engine", "ledger.sql")[name].replace(
            "{ledger}", self.schema
        )

    def close(self) -> None:
        """Detach the file, so that another process may open it."""
        self.connection.execute(f"DETACH DATABASE IF EXISTS {quote(self.name)}")
        self.connection.close()

    def _attach(self) -> None:
        try:
            self.connection.execute(
                f"ATTACH IF NOT EXISTS {literal(str(self.path))} AS {quote(self.name)}"
            )
        except duckdb.IOException as error:
            holder = _holder(str(error))
            message = (
                f"the ledger `{self.path.name}` is in use{holder}; wait until that run has ended"
            )
            raise LedgerBusyError(message) from error

    def _check_format(self) -> None:
        tables = self.connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = ?", [self.name]
        ).fetchone()
        if tables == (0,):
            self.connection.execute("BEGIN")
            self.connection.execute(self.sql("schema"))
            self.connection.execute(
                f"INSERT INTO {self.schema}.format VALUES (?, now())", [FORMAT_VERSION]
            )
            self.connection.execute("COMMIT")
            return
        row = self.connection.execute(f"SELECT max(version) FROM {self.schema}.format").fetchone()
        version = row[0] if row else 0
        if version > FORMAT_VERSION:
            message = (
                f"the ledger `{self.path.name}` has format {version}, this version reads up to "
                f"{FORMAT_VERSION}; upgrade dlt-replenit"
            )
            raise LedgerVersionError(message)


@dataclass(frozen=True, slots=True)
class Processed:
    """The load ids of one table that were already compared, with their row counts."""

    fingerprint: str
    rows: dict[str, int]


class Ledger:
    """The part of a ledger file that belongs to one account: one tenant at one host.

    It implements the delivery's `Recorder`. All methods run on the thread that opened it; every
    write is durable when the method returns.

    Args:
        file: The attached file.
        target: The vendor's name.
        host: Scheme, host and port.
        tenant: The tenant id.
        run: A name for this run, unique in the file.
        fingerprint: The contract's and mapping's, kept with refusals: a refused document is tried
            again when it
            changes.
        bodies: Entities whose documents are kept whole.
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
        bodies: frozenset[str],
        clock: Clock,
    ) -> None:
        self.file = file
        self.schema = file.schema
        self.run = run
        self.fingerprint = fingerprint
        self.bodies = bodies
        self.clock = clock
        self.connection = file.connection
        self.account = self._account(target, host, tenant)

    # -- the delivery's recorder
    # ----------------------------------------------------------------------------

    def intend(self, batch: Batch) -> None:
        """Record that a batch is about to leave; what it holds may reach the vendor from now on."""
        at = self.clock.now()
        rows = [
            {
                "run": self.run,
                "batch": batch.number,
                "account": self.account,
                "entity": item.entity,
                "key": item.key,
                "action": _action(item),
                "child": item.child if isinstance(item, Removal) else "",
                "children": list(item.children) if isinstance(item, Document) else None,
                "source_id": item.source_id if isinstance(item, Document) else None,
                "moment": at,
            }
            for item in batch.items
        ]
        self._append("intend", pa.Table.from_pylist(rows, schema=_INTENT))

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Record verdicts as they come."""
        if outcomes:
            at = self.clock.now()
            rows = [self._row(outcome, at) for outcome in outcomes]
            self._append("record", pa.Table.from_pylist(rows, schema=_OUTCOME))

    def _row(self, outcome: Outcome, at: float) -> dict[str, Any]:
        item = outcome.item
        row: dict[str, Any] = {
            "run": self.run,
            "batch": outcome.batch,
            "account": self.account,
            "entity": item.entity,
            "key": item.key,
            "action": _action(item),
            "child": item.child if isinstance(item, Removal) else "",
            "verdict": outcome.verdict.value,
            "request_id": outcome.request_id,
            "fingerprint": self.fingerprint,
            "field": outcome.field,
            "reason": outcome.reason,
            "words": outcome.words,
            "moment": at,
        }
        if isinstance(item, Document):
            keep = item.entity in self.bodies and outcome.verdict in _TAKEN
            row |= {
                "source_id": item.source_id,
                "content_hash": item.content_hash,
                "source_hash": item.source_hash,
                "source_rows": item.source_rows,
                "children": list(item.children),
                "lines": item.lines or None,
                "grants": list(item.grants),
                "fields": item.fields,
                "body": item.body.decode() if keep else None,
            }
        return row

    def _append(self, statement: str, rows: pa.Table) -> None:
        self.connection.register("_rows", rows)
        self.connection.execute(self.file.sql(statement))
        self.connection.unregister("_rows")

    def leave_pending(self, work: duckdb.DuckDBPyConnection, reason: str) -> None:
        """Leave every row of `pending` that has no outcome yet to the next run.

        Args:
            work: The connection with the temp table.
            reason: Why this run ended.
        """
        work.execute(
            f"INSERT INTO {self.schema}.outcome BY NAME\n"
            f"SELECT nextval('{self.schema}.outcome_order') AS seq, ? AS run, 0 AS batch,\n"
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

        In parts of the keys, each in a transaction of its own: a kill between two parts leaves the
        rest to the next fold.
        """
        row = self.connection.execute(
            f"SELECT (SELECT count(*) FROM {self.schema}.intent)"
            f" + (SELECT count(*) FROM {self.schema}.outcome)"
        ).fetchone()
        rows = int(row[0]) if row else 0
        parts = -(-rows // ROWS_PER_FOLD)
        for part in range(parts):
            self._fold_part("true" if parts == 1 else f"hash(key) % {parts} = {part}")
        if parts:
            self.connection.execute(self.file.sql("clear_evidence"))

    def _fold_part(self, part: str) -> None:
        self.connection.execute("BEGIN")
        try:
            for name in ("folded", "forget_folded", "keep_folded", "count_removed"):
                self.connection.execute(self.file.sql(name).replace("{part}", part))
            self.connection.execute(f"DELETE FROM {self.schema}.intent WHERE {part}")
            self.connection.execute(f"DELETE FROM {self.schema}.outcome WHERE {part}")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        self.connection.execute("DROP TABLE folded")

    # -- what was processed
    # ---------------------------------------------------------------------------------

    def processed(self, dataset: str, entity: str) -> dict[str, Processed]:
        """Return, per table, the load ids whose rows of an entity were already compared."""
        rows = self.connection.execute(
            f"SELECT table_name, fingerprint, load_id, rows FROM {self.schema}.processed"
            " WHERE account = ? AND dataset = ? AND entity = ?",
            [self.account, dataset, entity],
        ).fetchall()
        found: dict[str, Processed] = {}
        for table, fingerprint, load_id, count in rows:
            found.setdefault(table, Processed(fingerprint, {})).rows[load_id] = count
        return found

    def mark_processed(
        self, dataset: str, entity: str, fingerprint: str, tables: dict[str, dict[str, int]]
    ) -> None:
        """Remember the load ids of every table as compared; call it when all outcomes are recorded."""
        rows = [
            (self.account, dataset, entity, fingerprint, table, load_id, count)
            for table, loads in tables.items()
            for load_id, count in (loads or {"": 0}).items()
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

    # -- small facts
    # ----------------------------------------------------------------------------------------

    def counts(self) -> dict[str, dict[str, int]]:
        """Return, per entity, how many entries are in each state, and how many children the vendor
        holds.

        `sent` are at the vendor or may be, `settled` are there as they should be.
        """
        rows = self.connection.execute(
            "SELECT entity, count(*) FILTER (WHERE sent), count(*) FILTER (WHERE refusal IS NOT NULL),"
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
        """Return how many documents and how many children of an entity were deleted since a moment."""
        row = self.connection.execute(
            "SELECT count(*) FILTER (WHERE NOT child), count(*) FILTER (WHERE child)"
            f" FROM {self.schema}.removed WHERE account = ? AND entity = ? AND moment >= to_timestamp(?)",
            [self.account, entity, since],
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

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
            f" AND entity = {literal(entity)} AND refusal = 'skipped' AND field = {literal(consent)}"
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
        """Mark the entries whose keys a query returns, to be looked at again by the next
        comparison.
        """
        self.connection.execute(
            f"UPDATE {self.schema}.entry SET backlog = ? WHERE account = ? AND entity = ?"
            f" AND backlog IS NULL AND key IN ({query})",
            [reason, self.account, entity],
        )

    def start_run(self) -> None:
        """Note that this run has begun."""
        self.connection.execute(
            f"INSERT INTO {self.schema}.run (run, account, started_at) VALUES (?, ?, to_timestamp(?))",
            [self.run, self.account, self.clock.now()],
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
            f"SELECT account FROM {self.schema}.account WHERE target = ? AND host = ? AND tenant = ?",
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


_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.UNCONFIRMED})


def _action(item: Item) -> str:
    if isinstance(item, Document):
        return "upsert"
    return "delete_child" if item.child else "delete"


def _holder(message: str) -> str:
    """Return DuckDB's words on who holds the file, for instance ` by process 4711`."""
    _, found, rest = message.partition("(PID ")
    return f" by process {rest.split(')')[0]}" if found else ""
