"""The disk takes no more, at any point of a run: it says where, loses nothing, and goes on later.

A limit on the size of files (RLIMIT_FSIZE) makes writes fail as a full disk does, without root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.acceptance.kills.scripts import Scripts
from tests.acceptance.kills.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

# A user's script; from its nth answer on, no file grows beyond the ledger's journal of that moment.
CLIENT = """
import json, resource, sys
from pathlib import Path
import dlt
from replenit_destination import ActivationError, push, replenit
from replenit_destination.engine import run
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.targets.replenit.api import HttpTransport
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from tests.acceptance.kills.source import MAPPING, shop

folder, url, key, tenant, nth, size = sys.argv[1:]
folder = Path(folder)
vendor = dict(api_key=key, tenant_id=tenant, base_url=url, customer_identifier_priority="email")
network = HttpTransport(ReplenitSettings(**vendor))
answers = 0

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def transport(request):
    global answers
    answer = network(request)
    answers += 1
    if answers == int(nth):
        limit(Path(folder, "stage.ledger.duckdb.wal").stat().st_size + 10)
    return answer

def engine(*given, **named):
    # The ledger is to meet the limit, not the file of the quota.
    return run.push(*given, quota=UnlimitedQuota(), **named)

dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
pipeline = dlt.pipeline(
    "shop", dataset_name="shop", pipelines_dir=str(folder / "pipelines"),
    destination=replenit(folder / "stage.duckdb", mapping=MAPPING, transport=transport, workers=2,
                         engine=engine, orders_per_request=10, deliver="manual", **vendor))
if int(size):
    limit(int(size))
pipeline.run(shop(str(folder / "source.sqlite")), loader_file_format="parquet")
try:
    push(pipeline)
except ActivationError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def shop(tmp_path: Path, replenit_sandbox_factory: Callable[..., ReplenitSandbox]) -> Scripts:
    source = Source.made(tmp_path / "source.sqlite", customers=50, orders=1000, products=10)
    box = replenit_sandbox_factory(limits=None, keep_bodies=True)
    return Scripts(tmp_path, box, source, {"deliver": "manual"})


def run(shop: Scripts, project: Path, *, nth: int = 0, size: int = 0) -> tuple[int, str]:
    """Run the script; return its code and what it said."""
    box = shop.box
    done = subprocess.run(
        [
            *(sys.executable, "-c", CLIENT, str(shop.folder)),
            *(box.url, box.api_key, box.tenant_id, str(nth), str(size)),
        ],
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


def known_to_ledger(shop: Scripts) -> set[str]:
    """Return the orders that the ledger knows as sent or as about to be sent."""
    with duckdb.connect(str(shop.ledger)) as ledger:
        entries = ledger.execute(
            "SELECT key FROM entry WHERE entity = 'orders' AND sent"
        ).fetchall()
        journal = ledger.execute("SELECT rows FROM journal WHERE kind = 'intent'").fetchall()
    intents = [json.loads(rows) for (rows,) in journal]
    intended = {
        key
        for one in intents
        for entity, key in zip(one["entity"], one["key"], strict=True)
        if entity == "orders"
    }
    return {key for (key,) in entries} | intended


def assert_finished(shop: Scripts, project: Path) -> None:
    code, errors = run(shop, project)
    assert code == 0, errors
    assert shop.held() == shop.source.expected()
    assert shop.run()["requests"] == 0


# 103 requests in all: customers, products, a hundred with orders. The last answer's outcome is
# written with the fold.
@pytest.mark.parametrize("nth", [40, 102])
def test_full_disk_in_mid_delivery_keeps_the_next_request_from_leaving(
    shop: Scripts, project: Path, nth: int
) -> None:
    code, errors = run(shop, project, nth=nth)
    assert code == 1
    assert "StorageError: cannot write" in errors
    assert "stage.ledger.duckdb" in errors
    assert "(file system /" in errors
    assert "MB free): File too large" in errors
    assert "Nothing is lost: make room there or lift the limit, then run again." in errors
    sent = set(shop.box.state()["orders"])
    assert sent <= known_to_ledger(shop), "no request left without its intent"
    assert nth - 3 <= shop.box.journal.total <= nth + 2
    again = shop.box.journal.total
    assert_finished(shop, project)
    assert shop.box.journal.total - again <= 103 - nth + 4


def test_full_disk_while_staging_says_so(shop: Scripts, project: Path) -> None:
    code, errors = run(shop, project, size=300_000)
    assert code == 1
    assert "File too large" in errors
    assert shop.box.journal.total == 0
    assert_finished(shop, project)
