"""The API key and the staged people stay where they belong."""

from __future__ import annotations

import logging
import pickle
import stat
from typing import TYPE_CHECKING

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination import CredentialsRefusedError, push

from .conftest import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import dlt

    from .conftest import Engine

ORDERS = [{"id": 1, "email": "ada@example.com"}]


def files_with(folder: Path, text: str) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in found if text.encode() in path.read_bytes()]


@pytest.mark.parametrize("source", ["argument", "environment"])
def test_key_is_in_no_file_log_trace_or_exception(
    here: Path,
    pipeline: Callable[..., dlt.Pipeline],
    engine: Engine,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "DEBUG")
    settings = {}
    if source == "environment":
        monkeypatch.setenv("DESTINATION__REPLENIT__API_KEY", API_KEY)
        settings = {"api_key": None}
    engine.error = CredentialsRefusedError("the service refused the API key (401)")
    shop = pipeline(progress="log", **settings)
    with pytest.raises(PipelineStepFailed) as stopped:
        shop.run(ORDERS, table_name="orders")
    engine.error = None
    info = shop.run()
    push(shop)

    assert engine.last.target.settings.api_key == API_KEY
    trace = shop.last_trace
    said = [
        str(stopped.value),
        repr(stopped.value),
        repr(shop),
        repr(shop.destination),
        str(shop.destination),
        str(shop.destination_client().config),
        repr(shop.destination_client().config),
        info.asstr(verbosity=2),
        trace.asstr(verbosity=2),
        str(trace.asdict()),
        caplog.text,
        *capfd.readouterr(),
    ]
    assert [text for text in said if API_KEY in text] == []
    assert API_KEY.encode() not in pickle.dumps(trace)
    assert files_with(here, API_KEY) == []


def test_new_database_folder_is_closed_to_others(
    here: Path, pipeline: Callable[..., dlt.Pipeline]
) -> None:
    pipeline().run(ORDERS, table_name="orders")
    folder = here / "replenit_data"

    assert [path.name for path in folder.iterdir()] == ["shop_replenit.duckdb"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_open_folder_chosen_by_the_user_is_kept_and_warned_about_once(
    here: Path, pipeline: Callable[..., dlt.Pipeline], caplog: pytest.LogCaptureFixture
) -> None:
    folder = here / "open"
    folder.mkdir()
    folder.chmod(0o755)
    shop = pipeline(credentials=folder / "staged.duckdb")
    shop.run(ORDERS, table_name="orders")
    push(shop)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    warnings = [one.getMessage() for one in caplog.records if "Other users" in one.getMessage()]
    assert len(warnings) == 1
    assert f"chmod 700 {folder}" in warnings[0]
