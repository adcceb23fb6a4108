"""The backfill as a script, stopped in every way; and the notebook as a notebook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from replenit_destination.destinations.project import make_project

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "pipelines"))

from chunks import STOPPED, Backfill  # noqa: E402
from stretch import DELIVERED, Asked, pieces  # noqa: E402

NOTEBOOK = ROOT / "pipelines" / "backfill.py"
SCRIPT = ROOT / "pipelines" / "shopify_to_replenit.py"
STRETCH = ("--since", "2026-10-01", "--until", "2026-11-01")
BACKFILL = (str(NOTEBOOK), "--demo", "--source", "shopify", *STRETCH, "--chunk-days", "16")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
MARIMO = (sys.executable, "-m", "marimo")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(running: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = running.communicate(timeout=120)
    return running.returncode, out + err


def kept(folder: Path) -> list[dict[str, Any]]:
    file = folder / ".demo" / "shopify.backfill.json"
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["chunks"]
    return found


def test_backfill_goes_on_after_a_budget_and_after_term_and_leaves_nothing(tmp_path: Path) -> None:
    """Budget, TERM between pieces, to the end: then a plain run over all of it sends nothing."""
    code, said = finished(start(tmp_path, *BACKFILL, "--max-requests", "3"))
    assert (code, sum(chunk["requests"] for chunk in kept(tmp_path))) == (3, 3), said
    assert [chunk["state"] for chunk in kept(tmp_path)] == ["delivered", "staged", "waiting"]
    assert "all products: a push now would send 1 request " in said

    running = start(tmp_path, *BACKFILL)
    assert running.stdout is not None
    line = running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    code, said = finished(running)
    assert "2026-10-16 to 2026-11-01: a push now would send" in line
    assert code == STOPPED, said

    code, said = finished(start(tmp_path, *BACKFILL, "--report", "report.json"))
    assert (code, "3 of 3 pieces are delivered" in said) == (0, True), said
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {chunk["state"] for chunk in report["chunks"]} == {DELIVERED}

    arguments = (str(SCRIPT), "--demo", *STRETCH, "--report", "plain.json")
    code, said = finished(start(tmp_path, *arguments))
    plain = json.loads((tmp_path / "plain.json").read_text(encoding="utf-8"))
    assert (code, plain["requests"]) == (0, 0), said
    assert plain["entities"]["orders"]["unchanged"] > 50


def test_command_line_without_a_beginning_is_refused(tmp_path: Path) -> None:
    code, said = finished(start(tmp_path, str(NOTEBOOK), "--demo"))
    assert (code, "--since" in said) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_pieces_cover_the_stretch_newest_first_without_gap_or_overlap() -> None:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC)
    made = pieces(since, until, 30, NOW)
    assert made[0].until == until.isoformat()
    assert made[-1].since == since.isoformat()
    assert [newer.since for newer in made[:-1]] == [older.until for older in made[1:]]
    assert len(made) == 3


def test_newest_piece_is_open_where_no_end_is_asked_for() -> None:
    made = pieces(datetime(2026, 11, 1, tzinfo=UTC), None, 30, NOW)
    assert [(chunk.until, chunk.label) for chunk in made] == [(None, "2026-11-01 to now")]


@pytest.mark.parametrize(
    "changed", [{"since": datetime(2026, 2, 1, tzinfo=UTC)}, {"restart": True}]
)
def test_another_stretch_begins_anew(
    changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"source": "csv", "since": datetime(2026, 1, 1, tzinfo=UTC), "demo": True}
    job = Backfill(Asked(**asked))
    for chunk in job.chunks:
        chunk.state = DELIVERED
    job._keep()
    assert {chunk.state for chunk in Backfill(Asked(**asked)).chunks} == {DELIVERED}
    assert {chunk.state for chunk in Backfill(Asked(**{**asked, **changed})).chunks} == {"waiting"}


def test_piece_costs_what_its_plan_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`plan` reads and stages the piece and sends nothing; `run` then sends what was planned."""
    monkeypatch.chdir(tmp_path)
    job = Backfill(Asked("csv", since=datetime(2020, 1, 1, tzinfo=UTC), days=9000, demo=True))
    planned = job.plan()
    assert planned is not None
    chunk, plan = planned
    assert (chunk.state, job.requests) == ("staged", 0)
    shown: list[str] = []
    (done,) = job.run(on_planned=lambda chunk, plan: shown.append(plan.headline))
    assert (done.state, done.requests, done.documents) == (DELIVERED, plan.price.requests, 489)
    assert shown == [plan.headline]
    assert job.plan() is None


def project_notebook(folder: Path) -> str:
    """The notebook in a project of its own: marimo writes files beside it."""
    return str(make_project("shopify", folder / "shop").folder / "backfill.py")


def test_notebook_is_sound_and_exports(tmp_path: Path) -> None:
    """`marimo check` finds nothing; as .ipynb it is a valid Jupyter notebook."""
    import nbformat

    notebook = project_notebook(tmp_path)
    out = tmp_path / "backfill.ipynb"
    for command in (
        [*MARIMO, "check", "--strict", notebook],
        [*MARIMO, "export", "ipynb", notebook, "-o", str(out)],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    exported = nbformat.read(out, as_version=4)
    nbformat.validate(exported)
    assert any("Backfill(asked)" in cell.source for cell in exported.cells)


def test_notebook_shows_its_controls_and_waits_for_the_button(tmp_path: Path) -> None:
    """In a browser nothing is delivered before somebody presses the button."""
    notebook, out = project_notebook(tmp_path), tmp_path / "page.html"
    done = subprocess.run(
        [
            *MARIMO,
            "export",
            "html",
            notebook,
            "-o",
            str(out),
            "--no-include-code",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = out.read_text(encoding="utf-8")
    assert "Days in a piece" in page
    assert "Deliver" in page
    assert not (tmp_path / ".demo").exists()
