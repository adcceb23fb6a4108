"""Storages: a folder, memory, and an S3 on a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.destinations.state import StateSession
from replenit_destination.destinations.state_archive import Cipher
from replenit_destination.destinations.state_files import LocalFiles
from replenit_destination.destinations.state_store import StateStore
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FACTS = {
    "host": "https://api.example.com",
    "tenant": "11111111-1111-4111-8111-111111111111",
    "account": "example",
    "pipeline": "shop",
}


@dataclass(frozen=True)
class Place:
    """A storage that several runners reach."""

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    def store(self, clock: FakeClock | None = None) -> StateStore:
        return StateStore(self.url, clock=clock or FakeClock(), options=self.options)


@pytest.fixture
def s3(s3_endpoint: str, request: pytest.FixtureRequest) -> Place:
    """A folder of its own in a bucket of a real server."""
    import s3fs

    secrets = {"key": "test", "secret": "test", "client_kwargs": {"region_name": "us-east-1"}}
    options = {"endpoint_url": s3_endpoint, **secrets}
    files = s3fs.S3FileSystem(**options)
    if not files.exists("replenit-state"):
        files.call_s3("create_bucket", Bucket="replenit-state")
    return Place(f"s3://replenit-state/{abs(hash(request.node.nodeid))}", options)


@pytest.fixture(params=["file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "s3":
        found: Place = request.getfixturevalue("s3")
        return found
    return Place(f"{request.param}://{tmp_path}/remote")


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., StateSession]:
    """Make the session of a machine that is known by its name."""

    def make(name: str, place: Place, **given: Any) -> StateSession:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        key = given.pop("key", None)
        facts = {**FACTS, **given.pop("facts", {})}
        files = LocalFiles(
            folder / "ledger.duckdb",
            folder / "staging.duckdb",
            folder / "quota.sqlite",
            folder / "pipeline",
        )
        clock = given.pop("clock", None) or FakeClock()
        cipher = Cipher(key) if key else None
        return StateSession(files, place.store(clock), facts, clock=clock, cipher=cipher, **given)

    return make
