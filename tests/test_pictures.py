"""The pictures in docs/ are made by a script, shown on the pages, and tell nothing of a machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.screen import Screen

ROOT = Path(__file__).resolve().parent.parent
PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
OUTSIDE = re.compile(r"https?://(?!www\.w3\.org/|www\.textualize\.io|127\.0\.0\.1)\S+")


def test_every_picture_is_on_a_page() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert [picture.name for picture in PICTURES if picture.name not in text] == []
    assert {picture.suffix for picture in PICTURES} == {".svg", ".png"}


@pytest.mark.parametrize("name", ["session", "progress"])
def test_a_terminal_s_picture_names_no_path_and_loads_nothing(name: str) -> None:
    text = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    assert re.findall(r"/(?:tmp|home|root|var|usr)/", text) == []
    assert OUTSIDE.findall(text) == []
    assert "@font-face" not in text


def test_a_screen_shows_what_is_left_of_a_view_that_repaints_itself() -> None:
    screen = Screen()
    screen.write("\x1b[?25l⠋ one\r\n  half")
    screen.write("\r\x1b[2K\x1b[1A\x1b[2K\x1b[1;32m✓\x1b[0m done\r\nnext\r\n\r\n")
    assert screen.text().rstrip() == "✓ done\nnext"
    assert screen.ansi() == "\x1b[0m\x1b[1;32m✓\x1b[0m done\x1b[0m\nnext\x1b[0m"
