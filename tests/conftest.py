"""What every test gets: a dlt home of its own, the project's folders, an exact list of skips."""

from __future__ import annotations

import gc
import os
import signal
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.doubles.no_pandas import say_there_is_no_pandas

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

ROOT = Path(__file__).resolve().parent.parent
SKIPS = tomllib.loads((ROOT / "tests" / "skips.toml").read_text(encoding="utf-8"))

# No database: failing examples are printed, and tests write nowhere but their tmp_path.
# No deadline: a shared machine with two cores is slow at random.
hypothesis.settings.register_profile(
    "replenit",
    database=None,
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
)
hypothesis.settings.load_profile("replenit")


say_there_is_no_pandas()

# A shell's background jobs ignore Ctrl-C, and the programs that tests start would inherit that.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Look for garbage rarely, and never in what was imported: a tenth of the tests' time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def dlt_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep dlt's working folders, its telemetry and this machine's settings out of the tests."""
    home = tmp_path_factory.mktemp("dlt-home")
    with pytest.MonkeyPatch.context() as environment:
        for name in list(os.environ):
            if name.startswith(("DESTINATION__", "SOURCES__", "CREDENTIALS__", "REPLENIT_API_")):
                environment.delenv(name)
        environment.setenv("DLT_DATA_DIR", str(home))
        environment.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        # Databases of a few rows: threads and compression cost more than they bring.
        plain = '{"threads": 1, "force_compression": "uncompressed"}'
        environment.setenv("DESTINATION__REPLENIT__CREDENTIALS__GLOBAL_CONFIG", plain)
        yield home


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of sample data and notes beside the project, where there is one."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(SKIPS["shared"]["reason"])
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip that is not allowed into a failure, where it happens, so xdist shows it too."""
    report = yield
    if not hasattr(report, "wasxfail"):
        refuse_unlisted_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself while it is collected."""
    report = yield
    refuse_unlisted_skip(report)
    return report


def refuse_unlisted_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        objection = objection_to_skip(report.nodeid, reason, os.environ)
        if objection:
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid}: {objection}"


def objection_to_skip(
    nodeid: str, reason: str, environment: os._Environ[str] | dict[str, str]
) -> str:
    """Say why this skip is not allowed; empty when it is.

    `REPLENIT_ALLOWED_SKIPS` names the entries of skips.toml that may be used, separated by commas:
    unset allows all of them, empty allows none.
    """
    reason = reason.removeprefix("Skipped: ")
    allowed = environment.get("REPLENIT_ALLOWED_SKIPS", ",".join(SKIPS)).split(",")
    for name, entry in SKIPS.items():
        if reason == entry["reason"]:
            if nodeid.partition("::")[0] not in entry["files"]:
                return f"skipped, but tests/skips.toml does not list this file under `{name}`"
            return "" if name in allowed else f"skipped, which is not allowed here: {reason}"
    return f"skipped for a reason that tests/skips.toml does not list: {reason}"
