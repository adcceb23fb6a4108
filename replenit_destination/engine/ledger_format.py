"""The formats of a ledger's file, and how it comes from one to the next.

An upgrade copies the file first (`<ledger>.format1.bak`) and happens in one transaction: killed at
any moment, the file is either as it was or as it shall be, and the next run begins again.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from replenit_destination.engine.sql import queries, quote, relation

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__all__ = ["FORMAT_VERSION", "back_up", "backups", "upgrade", "version_of"]

FORMAT_VERSION = 2

logger = logging.getLogger(__name__)

_PACKAGE = "replenit_destination.engine"
_BLOCK = 64  # bytes that SHA-256 works on at once


def version_of(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Return the format of an attached file; 0 when there is nothing in it yet."""
    tables = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = ?", [name]
    ).fetchone()
    if tables == (0,):
        return 0
    row = connection.execute(f"SELECT max(version) FROM {quote(name)}.main.format").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def backups(path: Path) -> list[Path]:
    """Return the copies that upgrades have made of a ledger."""
    return sorted(path.parent.glob(f"{path.name}.format*.bak"))


def back_up(path: Path, version: int) -> Path:
    """Copy a ledger that is not attached, for its owner only; return the copy.

    A copy of before is replaced, as a whole: it is of an attempt that was cut off.
    """
    kept = path.with_name(f"{path.name}.format{version}.bak")
    part = kept.with_name(f"{kept.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        with path.open("rb") as original:
            shutil.copyfileobj(original, copy)
        copy.flush()
        os.fsync(copy.fileno())
    part.replace(kept)
    logger.info("The ledger has format %s; it is copied to %s and upgraded", version, kept.name)
    return kept


def upgrade(connection: duckdb.DuckDBPyConnection, name: str, version: int) -> None:
    """Bring an attached file from a format to the current one, in one transaction.

    Args:
        connection: Where it is attached.
        name: As what.
        version: The format it has; 0 makes a new one.
    """
    schema = f"{quote(name)}.main"
    connection.execute("BEGIN")
    try:
        if version == 0:
            schema_1 = queries(_PACKAGE, "ledger.sql")["schema"]
            connection.execute(schema_1.replace("{ledger}", schema))
        for step in range(max(version, 1) + 1, FORMAT_VERSION + 1):
            statements = queries(_PACKAGE, "ledger_upgrades.sql")[f"to_{step}"]
            connection.execute(statements.replace("{ledger}", schema))
        if version < 2:
            connection.execute(f"INSERT INTO {schema}.secret VALUES (?, ?)", _pads())
        _make_views(connection, name)
        connection.execute(f"INSERT INTO {schema}.format VALUES (?, now())", [FORMAT_VERSION])
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _make_views(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make the views of `ledger_views.sql`; they name their tables as seen from inside the file."""
    before = connection.execute("SELECT current_database(), current_schema()").fetchone() or ()
    connection.execute(f"USE {quote(name)}.main")
    for statement in queries(_PACKAGE, "ledger_views.sql").values():
        connection.execute(statement)
    connection.execute(f"USE {relation(*before)}")


def _pads() -> list[bytes]:
    """Return a new random key as HMAC's two pads, so that SQL can compute it (RFC 2104)."""
    key = secrets.token_bytes(32).ljust(_BLOCK, b"\0")
    return [bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C)]
