"""What holds for the repository as a whole: portable, pinned, documented, in small files."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400  # a longer file hides a second noun

# Split, so that this file does not hold what it forbids.
REGISTRY_HOST = re.compile(
    "|".join(["py" + r"pi\.org", "python" + "hosted", r"registry\." + "npmjs", r"deb\." + "debian"])
)
LOCAL_INDEX = re.compile("file:" + "///|index" + "-url|find" + "-links|https?://")
LOCK_FILES = {
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "pylock.toml",
    "Pipfile.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)")


def repository_files() -> list[Path]:
    """The files under version control, or, in an unpacked archive, the files there are."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    hidden = {".venv", "__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not hidden & set(p.parts)]


FILES = repository_files()


def offending_lines(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    found = []
    for path in files:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        place = path.relative_to(ROOT)
        found += [f"{place}:{n}" for n, line in enumerate(lines, 1) if pattern.search(line)]
    return found


def test_no_file_names_a_path_of_this_machine() -> None:
    folders = {ROOT, Path.home()} - {Path("/")}
    here = "|".join(rf"{re.escape(str(folder))}(?![\w-])" for folder in folders)
    anybody = r"(?<![\w.])/(?:home|Users)/(?!user\b)\w+/"
    assert offending_lines(re.compile(f"{here}|{anybody}"), FILES) == []


def test_no_file_names_a_package_registry() -> None:
    assert offending_lines(REGISTRY_HOST, FILES) == []
    configured = [ROOT / "constraints.txt", ROOT / "pyproject.toml", *(ROOT / ".ci").iterdir()]
    assert offending_lines(LOCAL_INDEX, configured) == []


def test_there_is_no_lock_file() -> None:
    """Lock files carry the addresses of the registry they were made with."""
    assert [path for path in FILES if path.name in LOCK_FILES] == []


def test_python_files_stay_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in FILES
        if path.suffix == ".py"
    }
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {name: version for name, version in pairs}  # noqa: C416 - checks that each is a pair


def required_versions(root: str, extras: set[str]) -> dict[str, str]:
    """Walk what a distribution needs here: normalised name → installed version."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(root, extra) for extra in {"", *extras}]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found[name] = metadata.version(name)
        for line in metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                todo += [(canonicalize_name(need.name), extra) for extra in ("", *need.extras)]
    del found[root]
    return found


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][\w.!]*", line)] == []
    assert lines == sorted(lines, key=lambda line: line.split("==")[0])


def test_constraints_cover_every_installed_dependency() -> None:
    installed = required_versions("dlt-replenit", {"dev"})
    assert {name: pins().get(name) for name in installed} == installed


def test_constraints_fit_the_declared_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *chain.from_iterable(extras)]
    needs = [need for need in map(Requirement, lines) if need.name != "dlt-replenit"]
    # What only users install has no pin; that `dev` has all of its own is the test above.
    known = [(need, pins().get(canonicalize_name(need.name))) for need in needs]
    outside = [str(need) for need, pin in known if pin and not need.specifier.contains(pin)]
    assert outside == []
    assert len([pin for _, pin in known if pin]) > len(project["dependencies"])


def test_every_page_is_linked_from_the_index() -> None:
    docs = ROOT / "docs"
    linked = {(docs / link).resolve() for link in LINK.findall((docs / "index.md").read_text())}
    assert {page for page in docs.rglob("*.md") if page.name != "index.md"} - linked == set()


@pytest.mark.parametrize(
    "page", [str(p.relative_to(ROOT)) for p in FILES if p.suffix == ".md"] or ["README.md"]
)
def test_links_between_pages_resolve(page: str) -> None:
    path = ROOT / page
    links = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if ":" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_listed_skips_name_files_that_exist() -> None:
    entries = tomllib.loads((ROOT / "tests" / "skips.toml").read_text(encoding="utf-8"))
    named = [name for entry in entries.values() for name in entry["files"]]
    assert [name for name in named if not (ROOT / name).is_file()] == []
