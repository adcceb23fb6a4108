"""Makes `pipelines/` importable, as it is for the scripts in it, and starts the script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "pipelines"))


@pytest.fixture
def start(project: Path, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Start the script as a person does, in `tmp_path`; returns its code, output and errors."""

    def run(*arguments: str, **settings: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, str(project / "pipelines" / "csv_to_replenit.py"), *arguments],
            cwd=tmp_path,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run
