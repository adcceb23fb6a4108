"""dlt's own dashboard reads what is staged: its page comes up, and its queries answer.

In processes of their own: importing marimo changes how the interpreter shows things.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dlt

QUERIES = """
import sys
from dlt._workspace.helpers.dashboard.utils import pipeline, queries

shop = pipeline.get_pipeline("shop", sys.argv[1])
table, error, _ = queries.get_query_result(shop, "SELECT id FROM orders ORDER BY id")
assert not error, error
assert table.column("id").to_pylist() == [1, 2], table
assert queries.get_row_counts(shop, shop.default_schema_name)["orders"] == 2
print("answered")
"""
SERVER = """
import subprocess, sys
from dlt._workspace.helpers.dashboard.runner import run_dashboard_command

command = run_dashboard_command(
    pipelines_dir=sys.argv[1], port=int(sys.argv[2]), host="127.0.0.1", headless=True
)
sys.exit(subprocess.call(command))
"""


@pytest.fixture
def staged(pipeline: Callable[..., dlt.Pipeline], here: Path) -> Path:
    """A pipeline that has run; returns the folder with its working files."""
    shop = pipeline()
    shop.run([{"id": 1}, {"id": 2}], table_name="orders")
    return here / "pipelines"


@pytest.fixture
def page(staged: Path) -> Iterator[str]:
    """The address of a running dashboard."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(staged), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # dlt starts `marimo` by name, as in an activated environment.
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=20)


def test_dashboard_queries_the_staged_tables(staged: Path, here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUERIES, str(staged)],
        capture_output=True,
        text=True,
        check=False,
        cwd=here,
    )
    assert done.stdout.endswith("answered\n"), done.stderr


def test_dashboard_page_comes_up(page: str) -> None:
    assert "<title>" in fetch(page)


def fetch(address: str, seconds: float = 60) -> str:
    """Return the page as soon as the server answers."""
    deadline = time.monotonic() + seconds
    with httpx.Client() as client:
        while True:
            try:
                return client.get(address).text
            except httpx.ConnectError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
