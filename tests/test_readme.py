"""The README's first screen works: its two commands are CI's, and its Python blocks run.

A fenced block says in its info string what is to be done with it; CONTRIBUTING.md has the list.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
ENVIRONMENT = ["python3 -m venv .venv", ".venv/bin/pip install -q -c constraints.txt uv"]
INSTALL = ".venv/bin/uv pip install -q -p .venv -c constraints.txt"
OUTPUT_MATCHES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block, with the output block that follows it where there is one."""

    page: str
    line: int
    words: tuple[str, ...]
    text: str
    output: str | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(ROOT))
    found = [
        Block(name, text.count("\n", 0, m.start()) + 1, tuple(m["info"].split()), m["text"])
        for m in FENCE.finditer(text)
    ]
    return [
        replace(block, output=after.text if after and after.words[1:] == ("output",) else None)
        for block, after in zip_longest(found, found[1:])
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUNNABLE = [block for block in BLOCKS if block.words == ("python", "runnable")]
SAMPLE = Block(
    page="tests/test_readme.py",
    line=0,
    words=("python", "runnable"),
    text="print('delivered', 3, 'documents in', 0.25, 'seconds')\n",
    output="delivered 3 documents in … seconds\n",
)


def command(name: str) -> str:
    (block,) = [b for b in BLOCKS if b.words == ("sh", f"command={name}")]
    (line,) = block.text.splitlines()
    return line


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.words[0] == "python"], ids=str)
def test_python_block_says_whether_it_runs(block: Block) -> None:
    assert block.words[1:] in {("runnable",), ("illustration",)}


@pytest.mark.parametrize(("name", "extra"), [("run", "demo"), ("test", "dev")])
def test_command_makes_the_environment_from_the_pins(name: str, extra: str) -> None:
    *made, then = command(name).split(" && ")
    assert made == [*ENVIRONMENT, f"{INSTALL} -e '.[{extra}]'"]
    assert then.startswith(".venv/bin/python ")


def test_run_command_starts_a_script_that_exists() -> None:
    script, option = shlex.split(command("run"))[-2:]
    assert (ROOT / script).is_file()
    assert option == "--demo"


def test_ci_runs_the_test_command_word_for_word() -> None:
    """CI cuts the command out of the README itself; run its own cutter and compare."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (cutter,) = re.findall(r"^  (sed -n .* README\.md)$", script, re.MULTILINE)
    cut = subprocess.run(
        ["bash", "-c", cutter], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert cut.stdout.splitlines() == [command("test")]
    assert script.count('bash -c "$(test_command)"') == 1


@pytest.mark.parametrize("block", [SAMPLE, *RUNNABLE], ids=str)
def test_runnable_block_runs(block: Block, tmp_path: Path) -> None:
    """Paste the block into a file of an empty folder and run it, as a reader would."""
    script = tmp_path / "pasted.py"
    script.write_text(block.text, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    if block.output is not None:
        wanted = block.output.replace("…", "...")
        match = doctest.OutputChecker().check_output(wanted, result.stdout, OUTPUT_MATCHES)
        assert match, f"{block} promises\n{block.output}\nand prints\n{result.stdout}"
