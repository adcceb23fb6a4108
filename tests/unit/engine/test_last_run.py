"""The last run's report beside the ledger."""

from __future__ import annotations

import stat
from types import SimpleNamespace
from typing import TYPE_CHECKING

from replenit_destination.engine.last_run import keep_last_run, last_run, last_run_path

if TYPE_CHECKING:
    from pathlib import Path

HERE = SimpleNamespace(name="replenit", host="https://a", tenant="T1")
THERE = SimpleNamespace(name="replenit", host="https://a", tenant="t2")


def test_each_account_of_a_ledger_has_its_own(tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger.duckdb"
    assert last_run(ledger, HERE) is None
    keep_last_run(ledger, HERE, {"requests": 1}, moment=10)
    keep_last_run(ledger, THERE, {"requests": 2}, moment=20)
    keep_last_run(ledger, HERE, {"requests": 3}, moment=30)
    assert (last_run(ledger, HERE).finished, last_run(ledger, HERE).report) == (30, {"requests": 3})
    assert last_run(ledger, THERE).report == {"requests": 2}
    assert stat.S_IMODE(last_run_path(ledger).stat().st_mode) == 0o600


def test_torn_file_is_as_none_and_is_replaced(tmp_path: Path) -> None:
    ledger = tmp_path / "shop.ledger.duckdb"
    last_run_path(ledger).write_text('{"replenit https://a t1": {"finished":')
    assert last_run(ledger, HERE) is None
    keep_last_run(ledger, HERE, {}, moment=1)
    assert last_run(ledger, HERE).finished == 1


def test_disk_that_takes_nothing_stops_no_run(tmp_path: Path) -> None:
    keep_last_run(tmp_path / "gone" / "shop.ledger.duckdb", HERE, {}, moment=1)
