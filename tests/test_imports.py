"""Import floors: each room imports only from the rooms below it, and the front door is light.

plugin, cli → destinations → targets.<vendor> → engine → exceptions
sandbox stands apart: a double that used our contracts would agree with our mistakes
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import replenit_destination

PACKAGE = "replenit_destination"
FOLDER = Path(replenit_destination.__file__).parent
FLOORS = ["exceptions", "engine", "targets", "destinations", "cli", "plugin", "__main__"]

# What a room must not import from elsewhere, in whatever function it hides.
FOREIGN = {
    "exceptions": {"dlt", "duckdb", "httpx", "pyarrow", "pydantic", "starlette", "uvicorn"},
    "engine": {"dlt", "httpx", "starlette", "uvicorn"},
    "sandbox": {"dlt"},
}
HEAVY = {"dlt", "duckdb", "httpx", "pyarrow", "pydantic", "starlette", "uvicorn"}


def module_name(path: Path) -> str:
    parts = path.relative_to(FOLDER.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Every module a file imports, at the top or inside a function; `from a import b` is a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(module: str) -> str:
    """The room of one of our modules; the front door is a room of its own, named by the package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else PACKAGE


def objection(module: str, imported: str) -> str:
    """Say why a module may not import another; empty when it may."""
    room = room_of(module)
    top = imported.partition(".")[0]
    if top != PACKAGE:
        return f"{room} never imports {top}" if top in FOREIGN.get(room, ()) else ""
    if room == PACKAGE or imported == f"{PACKAGE}.__version__":
        return ""
    below = room_of(imported)
    if "sandbox" in (room, below):
        if room == "sandbox" and below != "sandbox":
            return "the sandbox imports nothing of ours"
        return "" if room in ("sandbox", "cli") else "only the command line may start the sandbox"
    if below not in FLOORS or FLOORS.index(below) > FLOORS.index(room):
        return f"{room} must not look up to {below}"
    if room == below == "targets" and module.split(".")[2:3] != imported.split(".")[2:3]:
        return "no vendor knows another"
    return ""


# The wheel carries the scripts that `init` copies: a user's files, no room of ours.
OURS = [path for path in sorted(FOLDER.rglob("*.py")) if "templates" not in path.parts]
MODULES = {module_name(path): path for path in OURS}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    room = room_of(module)
    assert room in {PACKAGE, "sandbox", *FLOORS}, f"{room} is not a room of architecture.md"
    objections = {name: objection(module, name) for name in sorted(imports_of(MODULES[module]))}
    assert {name: why for name, why in objections.items() if why} == {}


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("engine.run", "replenit_destination.targets.replenit.api"),
        ("engine.run", "replenit_destination.destinations.client"),
        ("engine.delivery", "httpx.Client"),
        ("engine.sql", "dlt.common"),
        ("exceptions", "replenit_destination.engine.documents"),
        ("targets.replenit.api", "replenit_destination.targets.custobar.api"),
        ("targets.replenit.api", "replenit_destination.sandbox.replenit"),
        ("destinations.client", "replenit_destination.cli.main"),
        ("sandbox.replenit.rules", "replenit_destination.targets.replenit.contracts"),
        ("sandbox.serve", "replenit_destination.exceptions.SettingsError"),
        ("engine.run", "replenit_destination.replenit"),
    ],
)
def test_floor_rule_objects_to(module: str, imported: str) -> None:
    assert objection(f"{PACKAGE}.{module}", imported)


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("plugin", "replenit_destination.cli.commands"),
        ("cli.main", "replenit_destination.sandbox.serve"),
        ("destinations.client", "replenit_destination.targets.replenit.target"),
        ("targets.replenit.target", "replenit_destination.targets.replenit.contracts"),
        ("targets.replenit.api", "httpx.Client"),
        ("engine.ledger", "duckdb"),
        ("engine.report", "replenit_destination.__version__"),
    ],
)
def test_floor_rule_allows(module: str, imported: str) -> None:
    assert objection(f"{PACKAGE}.{module}", imported) == ""


@pytest.mark.parametrize(
    "module",
    [
        PACKAGE,
        f"{PACKAGE}.exceptions",
        f"{PACKAGE}.sandbox.pytest_plugin",  # loaded at every start of pytest, of everybody
    ],
)
def test_import_is_light(module: str, tmp_path: Path) -> None:
    program = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == []
