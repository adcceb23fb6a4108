"""A short run of the side-by-side suite, ours and plain dlt, so that it cannot rot unnoticed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.rivals.programs import programs
from tests.benchmarks.rivals.scenarios import scenarios
from tests.benchmarks.rivals.shop import Shop, Staging
from tests.benchmarks.rivals.suite import measure

if TYPE_CHECKING:
    from tests.benchmarks.rivals.scoring import Score


def test_ours_and_plain_dlt_deliver_a_cold_load(tmp_path: Path) -> None:
    known = programs()
    cold = next(one for one in scenarios(250) if one.key == "a")
    staging = Staging(Shop(250), tmp_path / "staged")

    def run(key: str) -> Score:
        # dlt is in this environment too; the suite itself installs the pinned version.
        return measure(cold, known[key], Path(sys.executable), staging, tmp_path)

    for found in (run("ours"), run("plain-dlt")):
        assert (found.undelivered, found.stale, found.exits) == (0, 0, (0,)), found.said
        assert found.honest
        assert found.requests == 3
        assert found.peak_mb > 0


def test_every_rival_is_pinned_to_one_version() -> None:
    for one in programs().values():
        assert all("==" in package for package in one.packages)
        assert (one.folder / "run.sh").exists()
        assert one.packages or one.key == "ours"


@pytest.mark.parametrize("version", ["base", "again", "back"])
def test_a_version_is_the_same_each_time(version: str) -> None:
    assert Shop(20).rows(version) == Shop(20).rows(version)
