"""What a state is made of on this machine, and how it is taken out and put back.

    ledger.duckdb    what Replenit has accepted
    quota.json       the account's request windows: moments and random numbers
    staging.duckdb   dlt's tables with its own state and schemas; the rows, or what light keeps
    packages/…       dlt's load packages that are not completed

Beside the ledger a small file says which stored generation these files are, so that results which
were never stored are not overwritten by an older state, and nothing is fetched that is here.
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.quota_log import SqliteGrantLog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

__all__ = ["LocalFiles", "Marker"]

_PACKAGES = ("normalize", "load/normalized")
_NESTED = {"normalize": "extracted", "load/normalized": ""}


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Where the parts are. `working` is dlt's folder of the pipeline, where there is one."""

    ledger: Path
    database: Path
    quota: Path
    working: Path | None

    @property
    def marker(self) -> Path:
        """The file that says which generation these are."""
        return self.ledger.with_name(f"{self.ledger.name}.state.json")

    @property
    def scratch(self) -> Path:
        """A folder for what is under way; its content never matters to the next run."""
        return self.ledger.with_name(f".{self.ledger.name}.state")

    @property
    def there(self) -> bool:
        """Whether this machine has a ledger or staged rows."""
        return self.ledger.exists() or self.database.exists()

    def packages(self) -> list[str]:
        """Return dlt's load packages that are not completed, as paths in the working folder."""
        if self.working is None:
            return []
        found = []
        for name in _PACKAGES:
            folder = self.working / name / _NESTED[name]
            if folder.is_dir():
                inside = (one for one in folder.iterdir() if one.is_dir() and one.name[0].isdigit())
                found += [one.relative_to(self.working).as_posix() for one in inside]
        return sorted(found)

    def snapshot(self) -> dict[str, Any]:
        """Return what tells whether anything was changed, without opening a database.

        Opening and closing a file that DuckDB has open would end DuckDB's lock on it.
        """
        seen: dict[str, Any] = {"packages": self.packages()}
        for path in (self.ledger, self.database):
            for file in (path, _wal(path)):
                with suppress(FileNotFoundError):
                    stat = file.stat()
                    seen[file.name] = [stat.st_size, stat.st_mtime_ns]
        return seen

    def members(
        self, *, slim: Callable[[Path], Path] | None, completed: Collection[str] = ()
    ) -> dict[str, Path]:
        """Return what travels, by the names it has in the archive.

        Args:
            slim: Makes a copy of the staging database without the rows that need not travel.
            completed: Load ids of packages that dlt has yet to put away.
        """
        members = {}
        for name, path in (("ledger.duckdb", self.ledger), ("staging.duckdb", self.database)):
            if path.exists():
                _flush(path)
                members[name] = path
        if slim and "staging.duckdb" in members:
            members["staging.duckdb"] = slim(self.database)
        if self.quota.exists():
            self.scratch.mkdir(mode=0o700, exist_ok=True)
            members["quota.json"] = self.scratch / "quota.json"
            members["quota.json"].write_text(_windows(self.quota), encoding="utf-8")
        for package in self.packages():
            if self.working and package.rpartition("/")[2] not in completed:
                members[f"packages/{package}"] = self.working / package
        return members

    def replace(self, fetched: Path, *, account: bool) -> bool:
        """Put what was unpacked into its places; return whether there are load packages.

        Args:
            fetched: The folder.
            account: Whether the quota's windows are of this account.
        """
        for name, path in (("ledger.duckdb", self.ledger), ("staging.duckdb", self.database)):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _wal(path).unlink(missing_ok=True)
            if (fetched / name).exists():
                (fetched / name).replace(path)
            else:
                path.unlink(missing_ok=True)
        if account and (fetched / "quota.json").exists():
            _merge(self.quota, json.loads((fetched / "quota.json").read_text(encoding="utf-8")))
        if self.working is None:
            return False
        for package in self.packages():
            shutil.rmtree(self.working / package)
        brought = fetched / "packages"
        for name in _PACKAGES:
            folder = brought / name / _NESTED[name]
            for one in folder.iterdir() if folder.is_dir() else ():
                place = self.working / one.relative_to(brought)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(one, place)
        return bool(self.packages())


@dataclass(slots=True)
class Marker:
    """Which generation the files of this machine are.

    `phase`: `clean` as stored, `open` a run may have changed them, `fetching` they are being
    replaced. `number` and `token` name the generation they come from, `claim` and `claim_token`
    the one that a run was to store.
    """

    url: str
    number: int = 0
    token: str = ""
    phase: str = "clean"
    claim: int = 0
    claim_token: str = ""
    seen: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, url: str) -> Marker | None:
        """Return it; None when there is none for this url."""
        try:
            marker = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return marker if marker.url == url else None

    def write(self, path: Path) -> None:
        """Replace the file as a whole."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(json.dumps(asdict(self)), encoding="utf-8")
        fresh.replace(path)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _flush(path: Path) -> None:
    """Write a database's journal, which a killed run left, into the database."""
    if _wal(path).exists():
        with duckdb.connect(str(path)) as connection:
            connection.execute("CHECKPOINT")


def _windows(path: Path) -> str:
    with closing(SqliteGrantLog(path)) as log, log.exclusively():
        return json.dumps({"grants": log.entries(), "paused_until": log.paused_until()})


def _merge(path: Path, windows: dict[str, Any]) -> None:
    """Count what another machine has sent; other tenants here may use the same windows."""
    with closing(SqliteGrantLog(path)) as log, log.exclusively():
        known = dict(log.entries())
        for number, moment in windows["grants"]:
            if number not in known or known[number] > moment > 0:
                log.put(number, moment)
        log.pause(windows["paused_until"])
