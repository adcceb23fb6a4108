"""What a machine fetches and stores, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from replenit_destination.destinations.state_archive import Cipher
from replenit_destination.destinations.state_store import Manifest
from replenit_destination.engine.quota_log import SqliteGrantLog
from replenit_destination.exceptions import (
    SettingsError,
    StateBusyError,
    StateConflictError,
    StateError,
)

from .conftest import FACTS, Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replenit_destination.destinations.state import StateSession

    Machine = Callable[..., StateSession]

PERSON = "anna.example@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    return Place(f"file://{tmp_path}/remote")


def accept(session: StateSession, text: str, *, file: str = "ledger") -> None:
    with duckdb.connect(str(getattr(session.files, file))) as database:
        database.execute("CREATE TABLE IF NOT EXISTS accepted (row VARCHAR)")
        database.execute("INSERT INTO accepted VALUES (?)", [text])


def accepted(session: StateSession, *, file: str = "ledger") -> list[str]:
    with duckdb.connect(str(getattr(session.files, file)), read_only=True) as database:
        return [row for (row,) in database.execute("FROM accepted ORDER BY 1").fetchall()]


def run(session: StateSession, text: str) -> None:
    session.begin()
    accept(session, text)
    session.store()


def test_new_machine_has_ledger_database_windows_and_packages(
    machine: Machine, place: Place
) -> None:
    first, now = machine("first", place), time.time()
    first.begin()
    accept(first, "order 1")
    accept(first, "staged row", file="database")
    with closing(SqliteGrantLog(first.files.quota)) as log, log.exclusively():
        log.put(7, now)
        log.pause(now + 60)
    for name in ("normalize/extracted/1.5", "load/normalized/2.5", "load/normalized/3.5"):
        package = first.files.working / name
        package.mkdir(parents=True)
        (package / "rows").write_text(name)
    first.store(completed={"3.5"})

    second = machine("second", place)
    second.begin()
    assert accepted(second) == ["order 1"]
    assert accepted(second, file="database") == ["staged row"]
    assert second.files.packages() == ["load/normalized/2.5", "normalize/extracted/1.5"]
    assert second.fetched_packages
    with closing(SqliteGrantLog(second.files.quota)) as log:
        assert log.entries() == [(7, now)]
        assert log.paused_until() == now + 60
    second.release()


def test_read_only_machine_looks_and_leaves_nothing(machine: Machine, folder: Place) -> None:
    run(machine("first", folder), "order 1")
    draft = machine("draft", folder, read_only=True)
    draft.begin()
    accept(draft, "a draft's row", file="database")
    with pytest.raises(StateError, match="state_read_only"):
        draft.verify()
    draft.settle()
    with pytest.raises(StateError, match="state_read_only"):
        draft.store()
    draft.begin()
    assert accepted(draft, file="database") == ["a draft's row"]
    draft.settle()
    later = machine("later", folder)
    later.begin()
    assert accepted(later) == ["order 1"]
    assert not later.files.database.exists()
    later.release()


def test_machine_that_has_the_newest_downloads_nothing(machine: Machine, folder: Place) -> None:
    steps: list[str] = []
    run(machine("first", folder), "order 1")
    again = machine("first", folder, step=steps.append)
    again.begin()
    again.release()
    assert steps == ["claimed", "opened"]


def test_results_that_were_never_stored_are_kept_and_stored_next(
    machine: Machine, folder: Place
) -> None:
    run(machine("first", folder), "order 1")
    failed = machine("first", folder)
    failed.begin()
    accept(failed, "order 2")
    failed.release()

    run(machine("first", folder), "order 3")
    other = machine("other", folder)
    other.begin()
    assert accepted(other) == ["order 1", "order 2", "order 3"]
    other.release()


def test_machine_whose_results_were_overtaken_stops_and_may_give_them_up(
    machine: Machine, folder: Place
) -> None:
    run(machine("first", folder), "order 1")
    failed = machine("first", folder)
    failed.begin()
    accept(failed, "order 2")
    failed.release()
    run(machine("other", folder), "order 3")

    with pytest.raises(StateConflictError, match="fetch --replace"):
        machine("first", folder).begin()
    back = machine("first", folder)
    back.begin(replace=True)
    assert accepted(back) == ["order 1", "order 3"]
    back.release()
    run(machine("first", folder), "order 4")


def test_files_that_are_no_copy_of_the_state_are_not_overwritten(
    machine: Machine, folder: Place
) -> None:
    run(machine("first", folder), "order 1")
    other = machine("other", folder)
    accept(other, "order 9")
    with pytest.raises(StateConflictError, match="no stored generation"):
        other.begin()
    assert accepted(other) == ["order 9"]
    assert folder.store().open_claim() is None


def test_runner_that_was_taken_over_stores_nothing_and_knows_before_it_sends(
    machine: Machine, place: Place
) -> None:
    run(machine("first", place), "order 1")
    old = machine("old", place)
    old.begin()
    store = place.store()
    store.give_up(store.take(force=True))  # what `state unlock` does

    with pytest.raises(StateConflictError, match="taken over"):
        old.verify()
    accept(old, "order 2")
    with pytest.raises(StateConflictError, match="newer state stays"):
        old.store()
    new = machine("new", place)
    new.begin()
    assert accepted(new) == ["order 1"]
    new.release()


def test_two_machines_cannot_work_at_once(machine: Machine, place: Place) -> None:
    first = machine("first", place)
    first.begin()
    with pytest.raises(StateBusyError, match="Nothing was sent"):
        machine("second", place).begin()
    accept(first, "order 1")
    first.store()
    run(machine("second", place), "order 2")


def test_encrypted_state_shows_nothing_and_opens_with_its_key_only(
    machine: Machine, folder: Place, tmp_path: Path
) -> None:
    key = Cipher.new_key()
    run(machine("first", folder, key=key), PERSON)
    stored = b"".join(file.read_bytes() for file in (tmp_path / "remote").iterdir())
    assert PERSON.encode() not in stored
    assert b"accepted" not in stored
    assert key.encode() not in stored

    with pytest.raises(StateError, match="encrypted with another key"):
        machine("second", folder, key=Cipher.new_key()).begin()
    with pytest.raises(StateError, match="set the key it was stored with"):
        machine("second", folder).begin()
    good = machine("second", folder, key=key)
    good.begin()
    assert accepted(good) == [PERSON]
    good.release()


def test_nobody_else_can_read_what_lies_in_a_folder(
    machine: Machine, folder: Place, tmp_path: Path
) -> None:
    (tmp_path / "remote").mkdir(mode=0o755)
    run(machine("first", folder), PERSON)
    files = [*(tmp_path / "remote").iterdir(), *(tmp_path / "first").glob(".*/*")]
    assert len(files) == 3
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_key_is_set_or_changed_by_storing_from_a_machine_that_has_the_state(
    machine: Machine, folder: Place
) -> None:
    run(machine("first", folder), PERSON)
    key = Cipher.new_key()
    with pytest.raises(StateError, match="without encryption"):
        machine("second", folder, key=key).begin()
    machine("first", folder, key=key).store()
    second = machine("second", folder, key=key)
    second.begin()
    assert accepted(second) == [PERSON]
    second.release()


@pytest.mark.parametrize("key", ["", "short", "no base64 at all!", "ä" * 44])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="state key"):
        Cipher(key)


@pytest.mark.parametrize("how", ["truncated", "changed", "gone"])
def test_damaged_generation_is_told_and_the_one_before_counts_when_it_is_dropped(
    machine: Machine, folder: Place, tmp_path: Path, how: str
) -> None:
    run(machine("first", folder), "order 1")
    run(machine("first", folder), "order 2")
    (payload,) = (tmp_path / "remote").glob("payload-00000002-*")
    body = payload.read_bytes()
    match how:
        case "truncated":
            payload.write_bytes(body[:-1])
        case "changed":
            payload.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        case "gone":
            payload.unlink()

    second = machine("second", folder)
    with pytest.raises(StateError, match="checksum" if how != "gone" else "cannot be used"):
        second.begin()
    assert not second.files.there
    store = folder.store()
    claim, newest = store.take(), store.newest()
    assert newest is not None
    store.delete(newest)
    store.give_up(claim)
    second.begin()
    assert accepted(second) == ["order 1"]
    second.release()
    first = machine("first", folder)
    first.begin()
    assert accepted(first) == ["order 1", "order 2"], "the only copy of what was dropped stays"
    first.release()


@pytest.mark.parametrize("name", ["host", "tenant", "pipeline"])
def test_state_of_another_host_tenant_or_pipeline_is_refused(
    machine: Machine, folder: Place, name: str
) -> None:
    run(machine("first", folder), "order 1")
    with pytest.raises(StateError, match=f"of another {name}"):
        machine("second", folder, facts={name: "other"}).begin()
    assert folder.store().open_claim() is None


def test_newer_format_is_refused(machine: Machine, folder: Place) -> None:
    run(machine("first", folder), "order 1")
    store = folder.store()
    claim, newest = store.take(), store.newest()
    assert newest is not None
    facts = {**newest.facts, "format": 2}
    later = Manifest(claim.number, claim.token, newest.payload, newest.sha256, newest.size, facts)
    assert store.publish(claim, later)
    with pytest.raises(StateError, match=r"format 2, .* upgrade"):
        machine("second", folder).begin()


def test_failed_upload_says_how_to_recover_and_the_next_store_has_all(
    machine: Machine, folder: Place, tmp_path: Path
) -> None:
    first = machine("first", folder)
    first.begin()
    accept(first, "order 1")
    remote = tmp_path / "remote"
    upload = first.remote.upload

    def refuse(*_: Any) -> str:
        message = "state_url: the storage cannot be used"
        raise StateError(message)

    first.remote.upload = refuse  # type: ignore[method-assign]
    with pytest.raises(StateError, match="dlt replenit state store"):
        first.store()
    assert not list(remote.glob("manifest-*"))
    first.remote.upload = upload  # type: ignore[method-assign]
    first.store()
    other = machine("other", folder)
    other.begin()
    assert accepted(other) == ["order 1"]
    other.release()


def test_program_that_ends_without_storing_leaves_no_claim(s3: Place, tmp_path: Path) -> None:
    """Storages need threads, which Python ends before it calls what is registered at exit."""
    program = """
import json, sys
from pathlib import Path
from replenit_destination.destinations.state import StateSession
from replenit_destination.destinations.state_files import LocalFiles
from replenit_destination.destinations.state_store import StateStore
from replenit_destination.engine.clock import SystemClock
url, options, facts = json.load(sys.stdin)
files = LocalFiles(Path("ledger"), Path("staging"), Path("quota"), None)
StateSession(files, StateStore(url, clock=SystemClock(), options=options), facts).begin()
raise SystemExit(1)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        input=json.dumps([s3.url, s3.options, FACTS]),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert s3.store().claim(1) is not None
    assert s3.store().open_claim() is None
