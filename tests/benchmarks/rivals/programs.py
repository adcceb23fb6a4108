"""The programs: each a folder with `rival.toml` and `run.sh`, and an environment of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OURS", "Program", "environment", "programs"]

HERE = Path(__file__).resolve().parent
OURS = "ours"
_ORDER = (OURS, "plain-dlt", "drt", "hotglue", "singer-sdk", "airbyte-cdk")


@dataclass(frozen=True, slots=True)
class Program:
    """One program; `packages` are pinned, and none means the environment that runs the suite."""

    key: str
    name: str
    packages: tuple[str, ...]
    docs: str
    used: str

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return HERE / self.key


def programs() -> dict[str, Program]:
    """Return all programs, ours first."""
    found = {}
    for key in _ORDER:
        told = tomllib.loads((HERE / key / "rival.toml").read_text(encoding="utf-8"))
        found[key] = Program(key, **{**told, "packages": tuple(told["packages"])})
    return found


def environment(program: Program, folder: Path) -> Path:
    """Return the Python of a program's own environment, made when it is not there yet."""
    if not program.packages:
        return Path(sys.executable)
    digest = hashlib.sha256(json.dumps(program.packages).encode()).hexdigest()[:8]
    home = folder / f"{program.key}-{digest}"
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        venv.create(home, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = subprocess.run(
            [*command, *program.packages], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{program.name}: its packages could not be installed\n{done.stderr[-2000:]}")
        ready.touch()
    return python
