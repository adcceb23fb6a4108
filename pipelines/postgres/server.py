"""A Postgres server of one's own for as long as a block runs: for the demo and for tests.

It listens on a Unix socket in a folder that only its owner can enter, on no network. Postgres
refuses to run as root, so root lends it to the user `nobody`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PostgresError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

__all__ = ["PostgresServer", "find_binaries"]

_UNPRIVILEGED = "nobody"
_START_SECONDS = 60
# Nothing here outlives its block, so nothing has to survive a power cut.
_SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=30")


def find_binaries() -> Path | None:
    """Return the folder of `initdb` and `pg_ctl`, the newest where there are several."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: float(folder.parent.name) if folder.parent.name.isdigit() else 0,
        reverse=True,
    )
    on_path = shutil.which("initdb")
    # Debian keeps the programs off the path; elsewhere they are on it.
    candidates = [*folders, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((one for one in candidates if (one / "pg_ctl").exists()), None)


class PostgresServer:
    """Runs a server while the block runs; its data stays in `folder`.

    Args:
        folder: An empty or an earlier server's folder; default a new one below the temporary
            folder, since the path of a socket may have only about 100 characters.

    Raises:
        PostgresError: No server is installed, or it does not start.
    """

    def __init__(self, folder: Path | None = None) -> None:
        binaries = find_binaries()
        if binaries is None:
            message = (
                "no Postgres server is installed here; install one, for instance "
                "`apt-get install postgresql`, or name a database of your own"
            )
            raise PostgresError(message)
        self._binaries = binaries
        self.folder = folder or Path(tempfile.mkdtemp(prefix="replenit-postgres-"))
        self.folder.chmod(0o700)
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, _UNPRIVILEGED)
            self._as = {"user": _UNPRIVILEGED, "extra_groups": []}

    def url(self, database: str = "postgres") -> str:
        """Return the address of one of its databases."""
        return f"postgresql://shop@/{database}?host={self.folder}"

    def __enter__(self) -> Self:
        cluster = self.folder / "cluster"
        if not (cluster / "PG_VERSION").exists():
            self._run(
                *("initdb", "--pgdata", str(cluster), "--username", "shop", "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
            )
        options = [f"-c {setting}" for setting in _SETTINGS]
        options += ["-c listen_addresses=", f"-c unix_socket_directories={self.folder}"]
        self._run(
            *("pg_ctl", "--pgdata", str(cluster), "--wait", "--timeout", str(_START_SECONDS)),
            *("--log", str(self.folder / "log"), "--options", " ".join(options), "start"),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "--pgdata", str(self.folder / "cluster"), "--mode", "fast", "stop")

    def remove(self) -> None:
        """Delete all of its data; it must have ended."""
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(self._binaries / program), *arguments]
        done = subprocess.run(  # noqa: S603 - programs found on this machine, our own arguments
            command,
            cwd=self.folder,
            # The server outlives this call and must not keep a pipe of ours open.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **self._as,
        )
        if done.returncode:
            message = f"`{program}` failed with code {done.returncode}; see {self.folder}/log"
            raise PostgresError(message)
