"""Generations are claimed and settled once, whatever the storage and however many want them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from replenit_destination.destinations.state_store import Manifest, StateStore
from replenit_destination.engine.processes import Process
from replenit_destination.exceptions import SettingsError, StateBusyError, StateError
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Place

ELSEWHERE = Process(1, "elsewhere", "python run.py")


def put(store: StateStore, file: Path, text: str = "state") -> Manifest:
    """Store one generation."""
    claim = store.take()
    file.write_text(text)
    manifest = Manifest(claim.number, claim.token, store.upload(file, claim))
    assert store.publish(claim, manifest)
    return manifest


def test_newest_generation_is_the_one_that_was_published_last(place: Place, tmp_path: Path) -> None:
    store = place.store()
    assert store.newest() is None
    first = put(store, tmp_path / "one", "first")
    second = put(store, tmp_path / "two", "second")

    assert (first.number, second.number) == (1, 2)
    assert place.store().newest() == second
    store.download(second, tmp_path / "back")
    assert (tmp_path / "back").read_text() == "second"


def test_second_runner_is_told_who_has_it(place: Place) -> None:
    first, second = place.store(), place.store()
    claim = first.take()

    with pytest.raises(
        StateBusyError, match=rf"generation 1 was claimed by .*PID {claim.process.pid}"
    ):
        second.take()
    first.give_up(claim)
    assert second.take().number == 2


@pytest.mark.parametrize("place", ["file", "s3"], indirect=True)
def test_of_many_runners_at_once_exactly_one_wins(place: Place) -> None:
    runners = 4
    barrier = Barrier(runners)
    stores = [place.store() for _ in range(runners)]

    def take(store: StateStore) -> str:
        barrier.wait(timeout=30)
        try:
            return store.take().token
        except StateBusyError:
            return ""

    with ThreadPoolExecutor(runners) as pool:
        tokens = [token for token in pool.map(take, stores) if token]
    claim = place.store().claim(1)
    assert claim is not None
    assert tokens == [claim.token]


def test_runner_of_another_machine_is_taken_over_after_silence_and_cannot_store(
    place: Place, tmp_path: Path
) -> None:
    clock = FakeClock()
    old, new = place.store(clock), place.store(clock)
    before = put(old, tmp_path / "before")
    claim = old.renew(replace(old.take(), process=ELSEWHERE))
    clock.advance(140)
    with pytest.raises(StateBusyError, match="on elsewhere"):
        new.take()
    clock.advance(20)

    taken = new.take()
    assert taken.number == claim.number + 1
    assert old.overtaken(claim)
    (tmp_path / "late").write_text("older")
    late = Manifest(claim.number, claim.token, old.upload(tmp_path / "late", claim))
    assert not old.publish(claim, late)
    assert new.newest() == before


def test_runner_that_stores_while_it_is_taken_over_wins_or_loses_as_a_whole(
    place: Place, tmp_path: Path
) -> None:
    """The manifest of its number decides: whoever creates it first."""
    store = place.store()
    claim = store.take()
    (tmp_path / "state").write_text("state")
    manifest = Manifest(claim.number, claim.token, store.upload(tmp_path / "state", claim))
    assert store.publish(claim, manifest)
    assert store.publish(claim, manifest), "an answer that was lost is asked for again"
    store.give_up(claim)
    assert place.store().newest() == manifest


def test_only_so_many_generations_stay(place: Place, tmp_path: Path) -> None:
    store = place.store()
    kept = [put(store, tmp_path / "state", str(n)) for n in range(5)][-2:]
    orphan = store.take()
    store.upload(tmp_path / "state", orphan)
    store.give_up(orphan)

    assert store.prune(2) == 4
    names = {name for kind, _, name in store._listed() if kind == "payload"}
    assert names == {manifest.payload for manifest in kept}
    assert store.newest() == kept[-1]
    assert store.prune(0) == 1, "the newest always stays"


def test_storage_that_lets_two_create_one_file_is_refused(place: Place) -> None:
    store = place.store()
    files, pipe = store._fs, store._fs.pipe_file
    store._local = False

    class Careless:
        def __getattr__(self, name: str) -> object:
            return getattr(files, name)

        def pipe_file(self, path: str, body: bytes, mode: str = "") -> None:
            pipe(path, body)

    store._fs = Careless()
    with pytest.raises(SettingsError, match="conditional writes"):
        store.take()


def test_url_without_a_scheme_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(SettingsError, match="is no url"):
        StateStore("folder", clock=FakeClock())
    with pytest.raises(SettingsError, match="cannot use `nosuch://`"):
        StateStore("nosuch://folder", clock=FakeClock())


def test_storage_out_of_reach_is_named_with_what_to_check(s3_endpoint: str) -> None:
    options = {"endpoint_url": s3_endpoint, "key": "test", "secret": "test"}
    store = StateStore("s3://no-such-bucket/state", clock=FakeClock(), options=options)
    with pytest.raises(StateError, match="permissions"):
        store.take()


def test_half_a_record_is_named(tmp_path: Path) -> None:
    store = StateStore(f"file://{tmp_path}", clock=FakeClock())
    (tmp_path / "manifest-00000001.json").write_text(json.dumps({"number": 1})[:-2])
    with pytest.raises(StateError, match=r"manifest-00000001\.json` is damaged"):
        store.newest()
