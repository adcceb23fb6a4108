"""Write constraints.txt: the versions a fresh `.[dev]` resolves to, and nothing about where from.

pip resolves into an empty environment without installing anything; its report names every
distribution. Run it with the oldest Python we support, so that the backports are listed too:

    python3.11 tools/make_constraints.py

`--check` writes nothing and fails when the file no longer allows the project's own bounds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
OLDEST_PYTHON = (3, 11)

HELD = {
    "dlt": "1.31.0",  # the release the destination class was tried against
    "duckdb": "1.5.5",  # the release every figure in docs/ was measured on
    "sqlglot": "30.21.0",  # 30.22 breaks every read through pipeline.dataset()
}

HEADER = """\
# Made by tools/make_constraints.py; edit the bounds in pyproject.toml instead.
# What `.[dev]` resolves to on Python 3.11: names and versions only.
"""


def resolve(constraints: dict[str, str]) -> dict[str, str]:
    """Return name → version of all that `.[dev]` needs under these constraints."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held.txt"
        held.write_text(render(constraints), encoding="utf-8")
        report = Path(folder) / "report.json"
        arguments = ["--dry-run", "--ignore-installed", "--quiet", "-c", held, "--report", report]
        command = [sys.executable, "-m", "pip", "install", *map(str, arguments), f"{ROOT}[dev]"]
        subprocess.run(command, check=True)  # noqa: S603 - a fixed command of our own
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    found = {item["metadata"]["name"]: item["metadata"]["version"] for item in installs}
    found.pop("dlt-replenit")
    return found


def render(versions: dict[str, str]) -> str:
    """Return one `name==version` line per distribution, names normalised and sorted."""
    normal = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in versions.items()}
    return "".join(f"{name}=={version}\n" for name, version in sorted(normal.items()))


def pinned() -> dict[str, str]:
    """Return what constraints.txt holds now."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return dict(pair for pair in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write constraints.txt from a clean resolve.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    if sys.version_info[:2] != OLDEST_PYTHON:
        parser.error(f"run this with Python {'.'.join(map(str, OLDEST_PYTHON))}")
    if arguments.check:
        return 0 if render(resolve(pinned())) == render(pinned()) else 1
    CONSTRAINTS.write_text(HEADER + render(resolve(HELD)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
