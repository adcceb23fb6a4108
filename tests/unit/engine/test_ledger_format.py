"""A ledger of an older format is copied, then upgraded; a newer one is refused."""

from __future__ import annotations

import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.ledger_format import FORMAT_VERSION, back_up, backups
from replenit_destination.exceptions import LedgerVersionError
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

TENANT = "11111111-1111-4111-8111-111111111111"
FORMAT_1 = Path(__file__).with_name("ledger_format_1.sql")

CUT_OFF = """
import os, signal, sys
from pathlib import Path
import duckdb
from replenit_destination.engine.ledger_format import back_up
from replenit_destination.engine.sql import queries
path = Path(sys.argv[1])
back_up(path, 1)
connection = duckdb.connect()
connection.execute(f"ATTACH '{path}' AS ledger")
connection.execute("BEGIN")
upgrade = queries("replenit_destination.engine", "ledger_upgrades.sql")["to_2"]
connection.execute(upgrade.replace("{ledger}", "ledger.main"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A ledger of format 1 that a killed run has left."""
    path = tmp_path / "shop.ledger.duckdb"
    with duckdb.connect(str(path)) as made:
        made.execute(FORMAT_1.read_text(encoding="utf-8").replace("{ledger}", "main"))
    return path


def ledger(file: LedgerFile) -> Ledger:
    return Ledger(
        file,
        target="replenit",
        host="https://api.example.com",
        tenant=TENANT,
        run="third",
        fingerprint="f",
        clock=FakeClock(),
    )


def entries(file: LedgerFile) -> list[tuple[object, ...]]:
    return file.connection.execute(
        f"SELECT entity, key, content_hash, backlog FROM {file.schema}.entry ORDER BY ALL"
    ).fetchall()


def assert_upgraded(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """What was accepted still is, and what the killed run left is folded as ever."""
    with closing(LedgerFile(connection, path)) as file:
        versions = file.connection.execute(f"SELECT version FROM {file.schema}.format").fetchall()
        assert versions == [(1,), (2,)]
        ledger(file).fold()
        assert entries(file) == [
            ("customers", "ada@example.com", 11, None),
            ("orders", "1", 21, None),
            ("orders", "2", 31, None),
            ("orders", "3", None, "in doubt"),
        ]


def columns(connection: duckdb.DuckDBPyConnection, path: Path) -> set[tuple[object, ...]]:
    with closing(LedgerFile(connection, path)) as file:
        return set(
            file.connection.execute(
                "SELECT table_name, column_name, data_type FROM duckdb_columns()"
                " WHERE database_name = ?",
                [file.name],
            ).fetchall()
        )


def test_old_ledger_is_copied_and_upgraded_with_what_a_killed_run_left(
    connection: duckdb.DuckDBPyConnection, old: Path
) -> None:
    assert_upgraded(connection, old)
    (kept,) = backups(old)
    assert kept.name == "shop.ledger.duckdb.format1.bak"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with duckdb.connect(str(kept)) as copy:
        assert copy.execute("SELECT max(version) FROM format").fetchone() == (1,)
        assert copy.execute("SELECT count(*) FROM entry").fetchone() == (2,)


def test_upgraded_ledger_is_not_copied_again(
    connection: duckdb.DuckDBPyConnection, old: Path
) -> None:
    assert_upgraded(connection, old)
    (kept,) = backups(old)
    kept.unlink()
    LedgerFile(connection, old).close()
    assert backups(old) == []


def test_upgraded_ledger_is_like_a_new_one(
    connection: duckdb.DuckDBPyConnection, old: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.ledger.duckdb"
    assert columns(connection, old) == columns(connection, new)
    assert backups(new) == []


def test_kill_between_copy_and_upgrade_is_made_good(
    connection: duckdb.DuckDBPyConnection, old: Path
) -> None:
    back_up(old, 1)
    old.with_name(f"{old.name}.format1.bak.part").write_bytes(b"half a copy")
    assert_upgraded(connection, old)


def test_kill_in_the_middle_of_an_upgrade_is_made_good(
    connection: duckdb.DuckDBPyConnection, old: Path
) -> None:
    ended = subprocess.run([sys.executable, "-c", CUT_OFF, str(old)], check=False, timeout=60)
    assert ended.returncode == -9
    assert_upgraded(connection, old)


def test_ledger_of_a_newer_format_is_refused_and_left_alone(
    connection: duckdb.DuckDBPyConnection, old: Path
) -> None:
    with duckdb.connect(str(old)) as made:
        made.execute("UPDATE format SET version = 3")
    before = old.read_bytes()
    wanted = (
        f"`shop.ledger.duckdb` has format 3, this version reads up to {FORMAT_VERSION}; upgrade"
    )
    with pytest.raises(LedgerVersionError, match=wanted):
        LedgerFile(connection, old)
    connection.close()
    assert old.read_bytes() == before
    assert backups(old) == []
