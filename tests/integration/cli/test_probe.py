"""`probe` against a sandbox over a socket, from questions to settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from replenit_destination.cli.app import main
from replenit_destination.sandbox import API_KEY, TENANT_ID, ReplenitSandbox

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
# mine
[destination.replenit]
customer_identifier_priority = ""  # ask Replenit
base_url = "{url}"
quota_share = 0.5
"""


def probe(*arguments: str) -> int:
    return main(["probe", "--tenant", TENANT_ID, *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DESTINATION__REPLENIT__API_KEY", API_KEY)
    (tmp_path / ".dlt").mkdir()
    return tmp_path


def test_probe_asks_finds_takes_answers_and_writes_the_settings(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = folder / ".dlt" / "config.toml"
    switches = {"customer_priority": "customerid", "customer_delete_style": "path"}
    with ReplenitSandbox(switches=switches) as box:
        monkeypatch.setenv("DESTINATION__REPLENIT__BASE_URL", box.url)
        before = CONFIG.format(url=box.url)
        config.write_text(before, encoding="utf-8")
        assert probe("--yes", "--json") == 1
        told = json.loads(capsys.readouterr().out)
        assert set(told["look"]) == {"omitted"}
        assert told["left"] == ["dlt-replenit-probe-look-omitted"]
        assert told["requests"] == len(box.requests())
        assert probe("--yes", "--answer", "omitted=reset", "--write") == 0
        assert not any(box.state().values())
    shown = capsys.readouterr().out
    assert '[destination.replenit]\ncustomer_identifier_priority = "customerid"' in shown
    assert "--switch children=merge" in shown
    written = config.read_text(encoding="utf-8")
    assert written == before.replace('""', '"customerid"') + ('customer_delete_style = "path"\n')


def test_probe_without_a_yes_sends_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReplenitSandbox() as box:
        monkeypatch.setenv("DESTINATION__REPLENIT__BASE_URL", box.url)
        assert probe() == 2
        assert box.requests() == []
    assert "no real customers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--answer", "omitted"], "QUESTION=ANSWER"),
        (["--answer", "colour=red"], "no question `colour`"),
        (["--answer", "omitted=perhaps"], "reset, keep"),
    ],
)
def test_answer_that_is_none_is_refused(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probe("--yes", *arguments) == 2
    assert said in capsys.readouterr().err
