"""The script as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def start(project: Path, folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    script = project / "pipelines" / "shopify_to_replenit.py"
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_help_documents_every_exit_code(project: Path, tmp_path: Path) -> None:
    code, out, _ = start(project, tmp_path, "--help")
    assert code == 0
    for number in "0123":
        assert f"{number} " in out.partition("Exit codes")[2]


def test_without_settings_and_demo_it_names_all_that_is_missing(
    project: Path, tmp_path: Path
) -> None:
    code, out, err = start(project, tmp_path)
    assert (code, out) == (2, "")
    for name in (
        "sources.shopify.shop",
        "sources.shopify.client_id",
        "sources.shopify.client_secret",
        "destination.replenit.api_key",
        "destination.replenit.tenant_id",
        "destination.replenit.customer_identifier_priority",
        "destination.replenit.gdpr_optin",
    ):
        assert f"  {name}: " in err
        assert name.upper().replace(".", "__") in err
    assert list(tmp_path.iterdir()) == [], "a run that cannot start leaves nothing behind"


def test_settings_that_are_there_are_not_asked_for(project: Path, tmp_path: Path) -> None:
    code, _, err = start(
        project,
        tmp_path,
        SOURCES__SHOPIFY__SHOP="my-shop",
        SOURCES__SHOPIFY__ACCESS_TOKEN="shpat_secret_value",
        DESTINATION__REPLENIT__API_KEY="c2VjcmV0",
    )
    assert code == 2
    assert "sources.shopify" not in err
    assert "destination.replenit.api_key" not in err
    assert "destination.replenit.tenant_id" in err
    assert "secret_value" not in err


def test_new_day_without_demo_is_refused(project: Path, tmp_path: Path) -> None:
    code, _, err = start(project, tmp_path, "--new-day")
    assert code == 2
    assert "--demo" in err


def test_demo_delivers_then_rests_then_sends_only_the_day(project: Path, tmp_path: Path) -> None:
    """Three runs: everything, nothing, a handful of changes; what has no address is told."""

    def run(*arguments: str) -> dict[str, Any]:
        file = tmp_path / "report.json"
        code, out, err = start(project, tmp_path, "--demo", *arguments, "--report", str(file))
        assert code == 0, err
        assert "nobody known" in out
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return report

    first = run()
    assert first["entities"]["orders"]["created"] > 1000
    assert first["entities"]["products"]["rejected"] == 0
    second = run()
    assert (second["requests"], second["bytes"]) == (0, 0)
    third = run("--new-day")
    assert 0 < third["requests"] < 10
    assert third["entities"]["orders"]["created"] == 1
    assert third["entities"]["orders"]["deleted"] == 1
    assert third["entities"]["customers"]["updated"] == 1
    assert (tmp_path / ".demo").stat().st_mode & 0o077 == 0
