"""A sandbox's state in an SQLite file: written with every change, read at the start.

One row per document. Write-ahead logging without a sync per commit survives the end of the
process, not of the
machine, and costs about as much as encoding the changed documents.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

from replenit_destination.sandbox.replenit.store import Deletion, Record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from replenit_destination.sandbox.replenit.store import TenantStore

__all__ = ["FORMAT", "StateFile"]

FORMAT = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    tenant TEXT NOT NULL,
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant, entity, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queues (
    tenant TEXT PRIMARY KEY,
    deletions BLOB NOT NULL
);
"""


class _Row(msgspec.Struct, array_like=True):
    """A record as it is written: the children's keys beside the children."""

    fields: dict[str, Any]
    keys: list[tuple[str, ...]]
    children: list[dict[str, Any]]
    marks: list[str]


_encoder = msgspec.json.Encoder()
_rows = msgspec.json.Decoder(_Row)
_queues = msgspec.json.Decoder(list[Deletion])


class StateFile:
    """The state of one sandbox on disk. One process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(
            mode=0o600
        )  # people's data, if only a demo's; SQLite gives its log the same mode
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT):
            self._connection.close()
            message = f"{path} holds a sandbox state of format {found}; this version reads {FORMAT}"
            raise ValueError(message)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version={FORMAT}")

    def load(self, tenant: str, store: TenantStore) -> None:
        """Fill an empty store with what was saved for a tenant."""
        rows = self._connection.execute(
            "SELECT entity, key, record FROM documents WHERE tenant = ?", (tenant,)
        )
        for entity, key, blob in rows:
            row = _rows.decode(blob)
            children = dict(zip(row.keys, row.children, strict=True))
            store.load(entity, key, Record(row.fields, children, set(row.marks)))
        for (blob,) in self._connection.execute(
            "SELECT deletions FROM queues WHERE tenant = ?", (tenant,)
        ):
            store.queue = _queues.decode(blob)
        store.loaded()

    def save(self, tenant: str, store: TenantStore) -> None:
        """Write what changed in a store since the last call."""
        if not store.changes and not store.queue_changed:
            return
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "REPLACE INTO documents VALUES (?, ?, ?, ?)", self._changed(tenant, store)
        )
        self._connection.executemany(
            "DELETE FROM documents WHERE tenant = ? AND entity = ? AND key = ?",
            [
                (tenant, entity, key)
                for entity, key in store.changes
                if key not in store.records[entity]
            ],
        )
        self._connection.execute(
            "REPLACE INTO queues VALUES (?, ?)", (tenant, _encoder.encode(store.queue))
        )
        self._connection.execute("COMMIT")
        store.changes.clear()
        store.queue_changed = False

    @staticmethod
    def _changed(tenant: str, store: TenantStore) -> Iterable[tuple[str, str, str, bytes]]:
        for entity, key in store.changes:
            record = store.records[entity].get(key)
            if record is not None:
                row = _Row(
                    record.fields,
                    list(record.children),
                    list(record.children.values()),
                    sorted(record.marks),
                )
                yield tenant, entity, key, _encoder.encode(row)

    def clear(self) -> None:
        """Delete everything that was saved."""
        self._connection.execute("DELETE FROM documents")
        self._connection.execute("DELETE FROM queues")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
