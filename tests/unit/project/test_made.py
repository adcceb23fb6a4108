"""A project can be made from whatever is installed; in CI this runs against the wheel alone."""

from __future__ import annotations

import ast
import tomllib
from typing import TYPE_CHECKING

import pytest

from replenit_destination.destinations.project import KINDS, make_project, scripts_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", KINDS)
def test_project_holds_everything_its_script_imports(kind: str, tmp_path: Path) -> None:
    """And every file is sound: Python that parses, TOML that reads."""
    project = make_project(kind, tmp_path / "shop", airflow=True, github=True)
    here = {path.stem for path in project.folder.iterdir()}
    known = {path.stem for path in scripts_folder().iterdir()}
    for path in project.folder.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        absolute = (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level)
        assert {(node.module or "").partition(".")[0] for node in absolute} & known <= here
    for path in project.folder.rglob("*.toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))
    texts = [p.read_text(encoding="utf-8") for p in project.folder.rglob("*.md")]
    assert not any("$" in text for text in texts), "every placeholder is filled in"


def test_projects_that_share_a_folder_of_state_do_not_share_files(tmp_path: Path) -> None:
    kept = []
    for name in ("de", "fr"):
        folder = make_project("csv", tmp_path / name, state=tmp_path / "state").folder
        secrets = tomllib.loads((folder / ".dlt" / "secrets.toml").read_text(encoding="utf-8"))
        kept += [secrets["destination"]["replenit"]["credentials"]]
        kept += [secrets["pipelines"]["pipelines_dir"]]
    assert len(set(kept)) == 4
    assert {place.rpartition("/")[0] for place in kept} == {str(tmp_path / "state")}
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
