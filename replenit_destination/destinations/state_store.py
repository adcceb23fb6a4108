"""Where generations of a state are kept: any storage fsspec knows, and nothing but that.

    claim-7.json      who works on generation 7, and until when it must have been heard of
    payload-7-….bin   the state itself; never written twice
    manifest-7.json   generation 7 is settled: stored (names the payload), or given up

Each number is settled exactly once, because a manifest is only ever created, never replaced, and
storages do that atomically. Number 8 can be claimed only when 7 is settled, and a claim is created
only once as well. So of two runners one wins, and one that comes back after it was given up cannot
store any more. The random token in claim and manifest tells whose they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.processes import Process
from replenit_destination.exceptions import SettingsError, StateBusyError, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replenit_destination.engine.clock import Clock

__all__ = ["LEASE_SECONDS", "Claim", "Manifest", "StateStore"]

LEASE_SECONDS = 120.0
"""How long after its last sign of life a runner of another machine is taken to be at work."""

SKEW_SECONDS = 30.0  # two machines' clocks
_NAME = re.compile(r"(claim|manifest|payload)-(\d{8})(?:-(\w+))?\.(?:json|bin)$")
_RECORDS_KEPT = 50  # settled numbers are remembered longer than their payloads
_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A runner's right to settle one number. Moments are Unix seconds of its own clock."""

    number: int
    token: str
    process: Process
    taken: float
    expires: float

    def alive(self, now: float) -> bool:
        """Return whether its runner may still be at work."""
        if self.process.host == Process.current().host:
            return self.process.lives(now - self.expires + LEASE_SECONDS)
        return now < self.expires + SKEW_SECONDS

    def to_json(self) -> bytes:
        """Return it as it is stored."""
        values = {
            "number": self.number,
            "token": self.token,
            "process": self.process.to_dict(),
            "taken": self.taken,
            "expires": self.expires,
        }
        return json.dumps(values).encode()


@dataclass(frozen=True, slots=True)
class Manifest:
    """How a number was settled; without a payload it was given up.

    `facts` say what the payload is a state of, and how to read it.
    """

    number: int
    token: str
    payload: str = ""
    sha256: str = ""
    size: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def stored(self) -> bool:
        """Whether there is a state behind it."""
        return bool(self.payload)

    def to_json(self) -> bytes:
        """Return it as it is stored."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()


class StateStore:
    """The folder behind a `state_url`.

    Args:
        url: A folder: `file:///…`, `s3://bucket/…`, `gs://…`, `az://…`, `memory://…`.
        clock: Time.
        options: What fsspec's file system takes, such as `endpoint_url`; credentials come from the
            environment otherwise.

    Raises:
        SettingsError: The url cannot be used, or its package is not installed.
    """

    def __init__(self, url: str, *, clock: Clock, options: Mapping[str, Any] | None = None) -> None:
        import fsspec

        protocol = url.partition("://")[0] if "://" in url else ""
        if not protocol:
            message = (
                f"state_url: `{url}` is no url; write `file:///folder` or `s3://bucket/folder`"
            )
            raise SettingsError(message)
        try:
            caches = {"skip_instance_cache": True, "use_listings_cache": False}
            extra = {} if protocol in {"file", "local", "memory"} else caches
            self._fs, self._root = fsspec.core.url_to_fs(url, **{**extra, **(options or {})})
        except (ImportError, ValueError) as error:
            name = _EXTRAS.get(protocol)
            hint = f"pip install 'dlt-replenit[{name}]'" if name else "no such storage is known"
            message = f"state_url: cannot use `{protocol}://`: {hint}"
            raise SettingsError(message) from error
        self._local = protocol in {"file", "local"}
        self._clock = clock
        self.url = url
        if self._local:
            Path(self._root).mkdir(mode=0o700, parents=True, exist_ok=True)

    # -- reading

    def newest(self) -> Manifest | None:
        """Return the newest state that was stored, or None when there never was one."""
        for number in sorted(self._numbers("manifest"), reverse=True):
            manifest = self.manifest(number)
            if manifest and manifest.stored:
                return manifest
        return None

    def manifest(self, number: int) -> Manifest | None:
        """Return how a number was settled, or None when it is not."""
        values = self._read(f"manifest-{number:08d}.json")
        return Manifest(**values) if values else None

    def claim(self, number: int) -> Claim | None:
        """Return who claimed a number, or None when nobody did."""
        values = self._read(f"claim-{number:08d}.json")
        if not values:
            return None
        return Claim(**{**values, "process": Process.from_dict(values["process"])})

    def open_claim(self) -> Claim | None:
        """Return the claim that is not settled, whether its runner lives or not."""
        number = max(self._numbers("claim"), default=0)
        return self.claim(number) if number and not self.manifest(number) else None

    def overtaken(self, claim: Claim) -> bool:
        """Return whether a claim is not good any more: settled, taken from it, or passed by."""
        if max(self._numbers("claim", "manifest"), default=0) > claim.number:
            return True
        now = self.claim(claim.number)
        return now is None or now.token != claim.token or self.manifest(claim.number) is not None

    # -- claiming and settling

    def take(self, *, force: bool = False) -> Claim:
        """Claim the next number.

        Args:
            force: Take it from a runner that may still be at work.

        Raises:
            StateBusyError: Another runner has it, or was faster.
            SettingsError: The storage lets two create one object.
        """
        with self._faults():
            # One look decides: the next number may be claimed when the one seen last is settled.
            last = max(self._numbers("claim", "manifest"), default=0)
            held = self.claim(last) if last and not self.manifest(last) else None
            if held and not force and held.alive(self._clock.now()):
                raise StateBusyError(self._busy(held))
            if held:
                # Fails when its runner settles the number in this very moment: all is well then.
                self._settle(Manifest(held.number, held.token))
            number = last + 1
            now = self._clock.now()
            token = secrets.token_hex(8)
            claim = Claim(number, token, Process.current(), now, now + LEASE_SECONDS)
            name = f"claim-{number:08d}.json"
            if not self._create(name, claim.to_json()):
                other = self.claim(number)
                raise StateBusyError(self._busy(other))
            if self._create(name, claim.to_json()):
                message = (
                    "state_url: this storage does not refuse to create an object twice "
                    "(conditional writes), so two runners could overwrite each other's state. Use "
                    "a storage that does: S3, GCS, Azure, or a folder."
                )
                raise SettingsError(message)
            if self.overtaken(claim):
                raise StateBusyError(self._busy(self.claim(number)))
        return claim

    def renew(self, claim: Claim) -> Claim:
        """Tell that a claim's runner is still at work."""
        now = self._clock.now()
        fresh = Claim(claim.number, claim.token, claim.process, claim.taken, now + LEASE_SECONDS)
        path = self._path(f"claim-{claim.number:08d}.json")
        with self._faults():
            if self._local:
                _replace(Path(path), fresh.to_json())
            else:
                self._fs.pipe_file(path, fresh.to_json())
        return fresh

    def give_up(self, claim: Claim) -> None:
        """Settle a claim without a state; the one before stays the newest."""
        with self._faults():
            self._settle(Manifest(claim.number, claim.token))

    def publish(self, claim: Claim, manifest: Manifest) -> bool:
        """Settle a claim with a payload that is there; return false when it was overtaken."""
        with self._faults():
            if not self.overtaken(claim) and self._settle(manifest):
                return True
            # An attempt whose answer was lost may have done it.
            return self.manifest(claim.number) == manifest

    def delete(self, manifest: Manifest) -> None:
        """Delete a stored generation: its number stays settled, without a state."""
        with self._faults():
            for name in (f"manifest-{manifest.number:08d}.json", manifest.payload):
                with contextlib.suppress(FileNotFoundError):
                    self._fs.rm_file(self._path(name))
            self._settle(Manifest(manifest.number, manifest.token))

    # -- payloads

    def upload(self, file: Path, claim: Claim) -> str:
        """Store a payload under a name of its own and return that name."""
        name = f"payload-{claim.number:08d}-{claim.token}.bin"
        with self._faults():
            self._fs.put_file(str(file), self._path(name))
            if self._local:
                Path(self._path(name)).chmod(0o600)
        return name

    def download(self, manifest: Manifest, file: Path) -> None:
        """Fetch a payload."""
        with self._faults():
            self._fs.get_file(self._path(manifest.payload), str(file))

    def prune(self, keep: int) -> int:
        """Delete all but the newest payloads and the long settled records; return how many went.

        Args:
            keep: How many stored generations stay, at least one.
        """
        with self._faults():
            found = list(self._listed())
            last = max((number for kind, number, _ in found if kind == "manifest"), default=0)
            stored = sorted({n for kind, n, _ in found if kind == "payload"}, reverse=True)
            manifests = {number: self.manifest(number) for number in stored if number <= last}
            kept = {m.payload for m in manifests.values() if m and m.stored}
            kept = set(sorted(kept, reverse=True)[: max(1, keep)])
            gone = [
                name
                for kind, number, name in found
                if (kind == "payload" and number <= last and name not in kept)
                or (kind != "payload" and number < last - _RECORDS_KEPT)
            ]
            for name in gone:
                with contextlib.suppress(FileNotFoundError):
                    self._fs.rm_file(self._path(name))
        return sum(name.startswith("payload") for name in gone)

    # -- objects

    def _settle(self, manifest: Manifest) -> bool:
        return self._create(f"manifest-{manifest.number:08d}.json", manifest.to_json())

    def _create(self, name: str, body: bytes) -> bool:
        """Create an object as a whole, or return false when it is there."""
        path = self._path(name)
        if self._local:
            return _link(Path(path), body)
        try:
            self._fs.pipe_file(path, body, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if "PreconditionFailed" in str(error) or "pre-conditions" in str(error):
                return False
            raise
        return True

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._fs.cat_file(self._path(name))))
        except FileNotFoundError:
            return None
        except ValueError as error:
            message = f"state_url: `{name}` is damaged; delete it if nobody is at work there"
            raise StateError(message) from error

    def _numbers(self, *kinds: str) -> list[int]:
        return [number for kind, number, _ in self._listed() if kind in kinds]

    def _listed(self) -> Iterator[tuple[str, int, str]]:
        self._fs.invalidate_cache()
        try:
            paths = self._fs.ls(self._root, detail=False)
        except FileNotFoundError:
            return
        for path in paths:
            if match := _NAME.search(path):
                yield match[1], int(match[2]), Path(path).name

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _busy(self, held: Claim | None) -> str:
        who = str(held.process) if held else "another runner"
        until = "" if held is None else f", heard of {self._ago(held):.0f} seconds ago"
        return (
            f"the state is in use: generation {held.number if held else '?'} was claimed by "
            f"{who}{until}. Nothing was sent. Run again when it has ended; if it is dead, its "
            f"claim ends by itself after {LEASE_SECONDS + SKEW_SECONDS:.0f} seconds of silence, "
            "or at once by `dlt replenit state unlock`."
        )

    def _ago(self, held: Claim) -> float:
        return max(0.0, self._clock.now() - (held.expires - LEASE_SECONDS))

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (StateError, SettingsError):
            raise
        except Exception as error:  # every storage has errors of its own
            message = (
                f"state_url: the storage cannot be used ({type(error).__name__}: {error}). Check "
                "the address, the credentials and the permissions to list, read, write and delete."
            )
            raise StateError(message) from error


def _link(path: Path, body: bytes) -> bool:
    """Create a file as a whole, or return false when it is there; no kill leaves half of one."""
    fresh = _written(path, body)
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    return True


def _replace(path: Path, body: bytes) -> None:
    _written(path, body).replace(path)


def _written(path: Path, body: bytes) -> Path:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return fresh
