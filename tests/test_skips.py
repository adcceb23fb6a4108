"""The skip policy itself: run pytest on a small project that skips in every way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

SKIPPING = """
import pytest

def test_listed():
    pytest.skip("listed reason")

@pytest.mark.skip(reason="another reason")
def test_unlisted():
    raise AssertionError

@pytest.mark.skipif(True, reason="listed reason")
def test_listed_by_a_mark():
    raise AssertionError

@pytest.mark.xfail(reason="known", strict=False)
def test_expected_failure():
    raise AssertionError
"""


@pytest.fixture
def skipping_project(tmp_path: Path) -> Path:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (tests / "skips.toml").write_text(
        '[thing]\nreason = "listed reason"\nfiles = ["tests/test_listed.py"]\n', encoding="utf-8"
    )
    (tests / "test_listed.py").write_text(SKIPPING, encoding="utf-8")
    return tmp_path


def run_pytest(folder: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, int]]:
    clean = {k: v for k, v in os.environ.items() if k != "REPLENIT_ALLOWED_SKIPS"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "tests"]
    result = subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )
    # A test that skips in its body fails; one skipped by a mark never started, so it is an error.
    counts = re.findall(
        r"(\d+) (passed|failed|skipped|xfailed|error)", result.stdout.splitlines()[-1]
    )
    return result.returncode, {word: int(number) for number, word in counts}


def test_listed_skip_is_allowed_and_unlisted_one_fails(skipping_project: Path) -> None:
    code, counts = run_pytest(skipping_project)
    assert (code, counts) == (1, {"error": 1, "skipped": 2, "xfailed": 1})


def test_no_skip_is_allowed_when_the_environment_allows_none(skipping_project: Path) -> None:
    code, counts = run_pytest(skipping_project, REPLENIT_ALLOWED_SKIPS="")
    assert (code, counts) == (1, {"failed": 1, "error": 2, "xfailed": 1})


def test_policy_holds_under_xdist(skipping_project: Path) -> None:
    code, counts = run_pytest(skipping_project, "-n", "2")
    assert (code, counts) == (1, {"error": 1, "skipped": 2, "xfailed": 1})


def test_listed_reason_in_an_unlisted_file_fails(skipping_project: Path) -> None:
    tests = skipping_project / "tests"
    (tests / "test_listed.py").rename(tests / "test_elsewhere.py")
    code, counts = run_pytest(skipping_project)
    assert (code, counts) == (1, {"failed": 1, "error": 2, "xfailed": 1})


def test_module_that_skips_itself_fails(skipping_project: Path) -> None:
    module = skipping_project / "tests" / "test_listed.py"
    module.write_text('import pytest\npytest.importorskip("no_such_module")\n', encoding="utf-8")
    code, counts = run_pytest(skipping_project)
    assert code != 0
    assert counts == {"error": 1}
