"""The pages tell every command, as its own help tells it, and every error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from replenit_destination import exceptions
from replenit_destination.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "commands.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_described_with_an_example(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {name}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert f"dlt replenit {name}" in section
    assert "| `--json` |" in section


def test_page_is_what_the_script_writes() -> None:
    program = [sys.executable, ROOT / "tools" / "make_reference.py", "--check"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_shown_at_work(name: str) -> None:
    """docs/operating.md, or the page it names for the command, has an example of it."""
    pages = (ROOT / "docs").glob("*.md")
    shown = [page.name for page in pages if page != PAGE and f"replenit {name}" in page.read_text()]
    assert shown


@pytest.mark.parametrize("name", [name for name in exceptions.__all__ if name.endswith("Error")])
def test_error_is_on_its_page(name: str) -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert f"\n| `{name}` | 2 |" in text
