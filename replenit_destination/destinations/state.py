"""State on machines that are thrown away: fetched before anything is opened, stored afterwards.

    claim a number ─ fetch what is newer ─ (run: load, deliver) ─ pack ─ upload ─ publish ─ prune

The destination's client does this by itself where `state_url` is set: the first opening of the
database claims and fetches, and whoever has delivered stores when the database is closed again.
`with state(pipeline):` does it once around several runs.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import logging
import shutil
import threading
from typing import TYPE_CHECKING, Any

from replenit_destination.destinations.state_archive import Cipher, pack, sha256_of, unpack
from replenit_destination.destinations.state_files import Marker
from replenit_destination.destinations.state_store import LEASE_SECONDS, Manifest, StateStore
from replenit_destination.engine.clock import SystemClock
from replenit_destination.exceptions import StateConflictError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from replenit_destination.destinations.state_files import LocalFiles
    from replenit_destination.destinations.state_store import Claim
    from replenit_destination.engine.clock import Clock

__all__ = ["FORMAT", "StateSession"]

FORMAT = 1
"""The format of what is stored; a program refuses a newer one."""

_BEATS = 6  # signs of life per lease
_RECOVER = (
    "What was sent is on record on this machine and nothing is lost while its files stay: mend "
    "the cause, then `dlt replenit state store` here, or run again here."
)
_log = logging.getLogger(__name__)


class StateSession:
    """One machine's copy of a state, from claim to store.

    Args:
        files: Where the parts are here.
        store: Where generations are kept.
        facts: What the state is of: `host`, `tenant`, `account`, `pipeline`.
        cipher: Encrypts what is stored.
        slim: Makes the copy of the staging database that travels; None takes it whole.
        keep: How many generations stay.
        clock: Time.
        step: Told of every step that is done, for tests that kill.
    """

    def __init__(
        self,
        files: LocalFiles,
        store: StateStore,
        facts: dict[str, Any],
        *,
        cipher: Cipher | None = None,
        slim: Callable[[Path], Path] | None = None,
        keep: int = 3,
        read_only: bool = False,
        clock: Clock | None = None,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.files = files
        self.remote = store
        self.facts = facts
        self.cipher = cipher
        self.slim = slim
        self.keep = keep
        self.read_only = read_only
        self.clock = clock or SystemClock()
        self.step = step
        self.claim: Claim | None = None
        self.pinned = False
        self.fetched_packages = False
        self._ahead = False
        self._marker = Marker(store.url)
        self._beat: _Heartbeat | None = None
        self._lock = threading.RLock()

    # -- before

    def begin(self, *, replace: bool = False) -> None:
        """Claim the state and bring this machine's files up to date; do nothing if that is done.

        Args:
            replace: Take what is stored even where this machine has results of its own.

        Raises:
            StateBusyError: Another runner works with it.
            StateConflictError: This machine has results that were never stored, and another one
                has stored since.
            StateError: It cannot be read, or is another tenant's.
        """
        with self._lock:
            if self.claim:
                return
            claim = self.remote.take()
            self.step("claimed")
            beat = _Heartbeat(self.remote, claim)
            try:
                self._reconcile(claim, replace=replace)
            except BaseException:
                beat.end()
                with contextlib.suppress(StateError):
                    self.remote.give_up(claim)
                raise
            self.claim, self._beat = claim, beat
            _begun.add(self)

    def _reconcile(self, claim: Claim, *, replace: bool) -> None:
        newest, files = self.remote.newest(), self.files
        if newest:
            self._check(newest)
        mine = Marker.read(files.marker, self.remote.url)
        if mine and newest and (newest.number, newest.token) == (mine.claim, mine.claim_token):
            # Killed after it was stored and before that was noted.
            mine = Marker(self.remote.url, newest.number, newest.token, "clean", seen=mine.seen)
        usable = mine if mine and mine.phase != "fetching" else None
        self._ahead = files.snapshot() != usable.seen if usable else mine is None and files.there
        here = usable.number if usable else 0
        # A number above the newest is one that was dropped there: what is here is the only copy.
        passed = newest is not None and (newest.number > here or replace)
        if newest and passed:
            if self._ahead and not replace:
                raise StateConflictError(self._conflict(newest, usable))
            self._fetch(newest)
            here, self._ahead = newest.number, False
        seen = (usable.seen if usable else {}) if self._ahead else files.snapshot()
        token = newest.token if newest and passed else usable.token if usable else ""
        self._marker = Marker(self.remote.url, here, token, "open", claim.number, claim.token, seen)
        self._marker.write(files.marker)
        self.step("opened")

    def _check(self, newest: Manifest) -> None:
        """Refuse a state that is not ours to read."""
        facts = newest.facts
        if facts.get("format", 0) > FORMAT:
            message = (
                f"state_url: the state has format {facts['format']}, this version reads up to "
                f"{FORMAT}; upgrade dlt-replenit"
            )
            raise StateError(message)
        for name in ("host", "tenant", "pipeline"):
            if facts.get(name) != self.facts[name]:
                message = (
                    f"state_url: the state there is of another {name} (`{facts.get(name)}`, here "
                    f"`{self.facts[name]}`). Give each tenant and pipeline a folder of its own."
                )
                raise StateError(message)

    def _check_key(self, facts: dict[str, Any]) -> None:
        stored, own = facts.get("key", ""), self.cipher.name if self.cipher else ""
        if stored != own:
            message = (
                "state_key: the state is encrypted; set the key it was stored with"
                if not own
                else "state_key: the state was stored without encryption, so nothing shows who "
                "stored it; fetch it once without `state_key`, set the key, then "
                "`dlt replenit state store`"
                if not stored
                else f"state_key: the state was encrypted with another key (`{stored}`, here "
                f"`{own}`)"
            )
            raise StateError(message)

    def _conflict(self, newest: Manifest, mine: Marker | None) -> str:
        base = f"generation {mine.number}" if mine and mine.number else "no stored generation"
        return (
            f"this machine has results that were never stored (they come from {base}), and "
            f"generation {newest.number} was stored elsewhere. Nothing was sent. "
            "`dlt replenit state fetch --replace` gives up the files of this machine; what only "
            "they know is sent once more."
        )

    def _fetch(self, newest: Manifest) -> None:
        self._check_key(newest.facts)
        files, scratch = self.files, self.files.scratch
        Marker(self.remote.url, phase="fetching").write(files.marker)
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "files").mkdir(mode=0o700, parents=True)
        archive = scratch / "payload"
        self.remote.download(newest, archive)
        self.step("downloaded")
        if (archive.stat().st_size, sha256_of(archive)) != (newest.size, newest.sha256):
            message = (
                f"state_url: generation {newest.number} is damaged: its checksum differs. Fetch "
                "again; if it stays so, restore the object, or `dlt replenit state drop` it so "
                "that the generation before counts."
            )
            raise StateError(message)
        unpack(archive, scratch / "files", cipher=self.cipher, about=_about(newest))
        self.step("unpacked")
        same = newest.facts.get("account") == self.facts["account"]
        self.fetched_packages = files.replace(scratch / "files", account=same)
        self.step("replaced")
        shutil.rmtree(scratch, ignore_errors=True)
        _log.info("Fetched generation %s of the state", newest.number)

    # -- while

    @property
    def lost(self) -> bool:
        """Whether another runner may have taken over; whoever sends must stop."""
        return self._beat is not None and self._beat.lost

    def verify(self) -> None:
        """Make sure that nobody has taken over.

        Raises:
            StateConflictError: Somebody has.
            StateError: Nothing may be stored from here, so nothing may be sent either.
        """
        self._refuse_read_only()
        if self.claim and (self.lost or self.remote.overtaken(self.claim)):
            raise StateConflictError(self._overtaken())

    def _refuse_read_only(self) -> None:
        if self.read_only:
            message = (
                "state_read_only: the state is not stored from here, so nothing is delivered "
                "either: no other machine would know of it"
            )
            raise StateError(message)

    def _overtaken(self) -> str:
        return (
            f"generation {self.claim.number if self.claim else 0} of the state was taken over by "
            "another runner, because nothing was heard of this one for too long. Nothing more is "
            "sent from here, and the newer state stays."
        )

    # -- after

    def store(self, *, completed: Collection[str] = ()) -> Manifest:
        """Store the files of this machine as the next generation.

        Args:
            completed: Load ids of packages that dlt has yet to put away.

        Raises:
            StateConflictError: Another runner has taken over.
            StateError: The storage failed; the message says how to recover.
        """
        self._refuse_read_only()
        with self._lock:
            self.begin()
            assert self.claim is not None  # noqa: S101 - for the type checker
            try:
                manifest = self._store(self.claim, completed)
            except StateConflictError:
                self._end()
                raise
            except (StateError, OSError) as error:
                message = f"the state could not be stored: {error}. {_RECOVER}"
                raise StateError(message) from error
            self._end()
        with contextlib.suppress(StateError):
            self.remote.prune(self.keep)
        self.step("pruned")
        return manifest

    def _store(self, claim: Claim, completed: Collection[str]) -> Manifest:
        self.files.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        archive = self.files.scratch / "payload"
        number, token = claim.number, claim.token
        facts = {
            **self.facts,
            "format": FORMAT,
            "key": self.cipher.name if self.cipher else "",
            "stored_at": self.clock.now(),
            "base": self._marker.number,
            "process": claim.process.to_dict(),
        }
        members = self.files.members(slim=self.slim, completed=completed)
        named = Manifest(number, token, facts=facts)
        pack(members, archive, cipher=self.cipher, about=_about(named))
        self.step("packed")
        payload = self.remote.upload(archive, claim)
        self.step("uploaded")
        manifest = Manifest(
            number, token, payload, sha256_of(archive), archive.stat().st_size, facts
        )
        if not self.remote.publish(claim, manifest):
            raise StateConflictError(self._overtaken())
        self.step("published")
        seen = self.files.snapshot()
        Marker(self.remote.url, number, token, "clean", seen=seen).write(self.files.marker)
        self.step("stored")
        shutil.rmtree(self.files.scratch, ignore_errors=True)
        _log.info("Stored generation %s of the state, %s bytes", number, manifest.size)
        return manifest

    @property
    def changed(self) -> bool:
        """Whether this machine's files differ from what was fetched."""
        return self.claim is not None and self.files.snapshot() != self._marker.seen

    def release(self) -> None:
        """Let the claim go without storing; another runner may begin."""
        with self._lock:
            if self.claim:
                claim = self.claim
                self._end()
                self.remote.give_up(claim)

    def rest(self) -> None:
        """Let the claim go and take the files as they are for what was fetched."""
        with self._lock:
            self.release()
            if not self._ahead and self._marker.number:
                seen, base = self.files.snapshot(), self._marker
                clean = Marker(base.url, base.number, base.token, "clean", seen=seen)
                clean.write(self.files.marker)

    def settle(self) -> None:
        """Store what changed, or let the claim go."""
        if self.read_only:
            self.rest()
        elif self.changed:
            self.store()
        else:
            self.release()

    def _end(self) -> None:
        if self._beat:
            self._beat.end()
        self.claim = self._beat = None
        _begun.discard(self)


class _Heartbeat(threading.Thread):
    """Tells that a claim's runner lives, and finds out when it was taken over."""

    def __init__(self, store: StateStore, claim: Claim) -> None:
        super().__init__(name="replenit-state", daemon=True)
        self._store = store
        self._claim = claim
        self._ended = threading.Event()
        self.lost = False
        self.start()

    def run(self) -> None:
        silent = 0
        while not self._ended.wait(LEASE_SECONDS / _BEATS):
            try:
                if self._store.overtaken(self._claim):
                    self.lost = True
                    return
                self._store.renew(self._claim)
                silent = 0
            except StateError as error:
                silent += 1
                _log.warning("The state's claim could not be renewed: %s", error)
                # Before anybody else may take over, whatever the reason.
                self.lost = silent >= _BEATS - 1

    def end(self) -> None:
        """Stop, and wait for a renewal that is under way."""
        self._ended.set()
        self.join(timeout=LEASE_SECONDS)


_begun: set[StateSession] = set()


def _release_all() -> None:
    """Let claims go when the program ends, so that nobody waits for them to expire."""
    for session in list(_begun):
        with contextlib.suppress(Exception):
            session.release()


# What `atexit` calls comes too late: thread pools take no work any more, and storages need them.
# This comes before the pools end, because it is registered after they are.
importlib.import_module("concurrent.futures.thread")
getattr(threading, "_register_atexit", atexit.register)(_release_all)


def _about(manifest: Manifest) -> str:
    return f"{manifest.number}:{manifest.token}:{manifest.facts['tenant']}"
