"""A working project folder in one step: the script, its settings, the mapping, the first commands.

The scripts are those of the repository's `pipelines/`. The wheel carries a copy of them under
`templates/`; in a checkout they are read where they are.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from string import Template

from replenit_destination import __version__
from replenit_destination.exceptions import SettingsError

__all__ = ["KINDS", "Project", "make_project", "scripts_folder"]

_PACKAGE = Path(__file__).resolve().parents[1]
_TEXTS = _PACKAGE / "templates" / "project"


@dataclass(frozen=True, slots=True)
class Kind:
    """A source: the folder it is read by, its title, the mapping that a project begins with."""

    title: str
    source: str
    mapping: str = ""
    asks_consent: bool = True
    extras: tuple[str, ...] = ()

    @property
    def copied(self) -> tuple[str, ...]:
        """What a project takes from the scripts' folder, besides its script."""
        return ("launch.py", "backfill.py", "chunks.py", "stretch.py", "proposal", self.source)


KINDS = {
    "shopify": Kind("A Shopify shop to Replenit", "shopify"),
    "postgres": Kind("A Postgres database to Replenit", "postgres", extras=("postgres",)),
    # The layout of our own files names a column with the consent.
    "csv": Kind("Files to Replenit", "csv_files", "csv_files/layout.toml", asks_consent=False),
}
_CONSENT = (
    '# gdpr_optin = "email_or_sms_optin"     # whom may Replenit process? Choose a rule here, or '
    "map GdprOptin"
)
_CONSENT_MAPPED = "# Whom Replenit may process stands in the files: see GdprOptin in mapping.toml."


@dataclass(frozen=True, slots=True)
class Project:
    """What was made: its folder, the script's name, and every file below the folder."""

    folder: Path
    script: str
    files: tuple[str, ...]


def make_project(
    kind: str,
    folder: str | Path,
    *,
    state: str | Path | None = None,
    airflow: bool = False,
    github: bool = False,
) -> Project:
    """Write a project that needs nothing but its settings filled in, and return what was made.

    Nothing that exists is touched. Secrets and state are for their owner alone.

    Args:
        kind: `shopify`, `postgres` or `csv`.
        folder: Where to; made when it is not there.
        state: Where databases and ledger are kept; default `state` in the folder. Projects that
            share one also share their accounts' quota.
        airflow: Add DAGs for Airflow 3.
        github: Add a workflow for GitHub Actions.

    Raises:
        SettingsError: A file that would be written exists, or the kind is unknown.
    """
    if kind not in KINDS:
        message = f"init: no kind `{kind}`; there are {', '.join(KINDS)}"
        raise SettingsError(message)
    place = Path(folder).absolute()
    kept = Path(state).absolute() if state else place / "state"
    # Files of several projects in one folder need names of their own.
    prefix = f"{kept}/{place.name}_" if state else f"{kept}/"
    contents = {
        **_copied(kind, airflow=airflow, github=github),
        **_written(kind, place, prefix, airflow=airflow),
    }
    if taken := sorted(name for name in contents if (place / name).exists()):
        more = f" and {len(taken) - 3} more" if len(taken) > 3 else ""
        named = f"{', '.join(taken[:3])}{more}"
        message = f"init: {place} has {named} already; nothing was written"
        raise SettingsError(message)
    place.mkdir(parents=True, exist_ok=True)
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in contents.items():
        _write(place / name, content)
    return Project(place, f"{kind}_to_replenit.py", tuple(sorted(contents)))


def scripts_folder() -> Path:
    """Return the folder with the scripts.

    Raises:
        SettingsError: This installation has none.
    """
    for folder in (_PACKAGE / "templates" / "pipelines", _PACKAGE.parent / "pipelines"):
        if (folder / "launch.py").is_file():
            return folder
    message = "init: this installation of dlt-replenit has no scripts; install its wheel again"
    raise SettingsError(message)


def _copied(kind: str, *, airflow: bool, github: bool) -> dict[str, bytes]:
    scripts = scripts_folder()
    names = [f"{kind}_to_replenit.py", *KINDS[kind].copied, *(["airflow"] if airflow else [])]
    found = {}
    for name in names:
        path = scripts / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                found[file.relative_to(scripts).as_posix()] = file.read_bytes()
    if github:
        workflow = (scripts / "github" / "replenit.yml").read_text(encoding="utf-8")
        script = f"{kind}_to_replenit.py"
        text = workflow.replace("csv_to_replenit.py", script)
        text = text.replace("--source csv", f"--source {kind}")
        found[".github/workflows/replenit.yml"] = text.encode()
    return found


def _written(kind: str, place: Path, state: str, *, airflow: bool) -> dict[str, bytes]:
    chosen = KINDS[kind]
    values = {
        "title": chosen.title,
        "script": f"{kind}_to_replenit.py",
        "consent": _CONSENT if chosen.asks_consent else _CONSENT_MAPPED,
        # A JSON string is a TOML string.
        "database": json.dumps(f"{state}staging.duckdb", ensure_ascii=False),
        "pipelines": json.dumps(f"{state}pipelines", ensure_ascii=False),
        "folder": json.dumps(str(place), ensure_ascii=False),
        "name": json.dumps(place.name, ensure_ascii=False),
        "lock": shlex.quote(f"{state}lock"),
        "extras": ",".join(sorted({"demo", "notebook", *chosen.extras})),
        "version": __version__,
        "quoted": shlex.quote(str(place)),
    }
    texts = {
        "README.md": ("README.md",),
        "requirements.txt": ("requirements.txt",),
        ".gitignore": ("gitignore",),
        ".dlt/config.toml": ("config.toml", f"{kind}.config.toml"),
        ".dlt/secrets.toml": ("secrets.toml", f"{kind}.secrets.toml"),
    }
    if airflow:
        texts["airflow/tenants.toml"] = ("tenants.toml",)
    made = {
        name: "".join(_text(part, values) for part in parts).encode()
        for name, parts in texts.items()
    }
    if chosen.mapping:
        made["mapping.toml"] = (scripts_folder() / chosen.mapping).read_bytes()
    else:
        made["mapping.toml"] = (_TEXTS / f"{kind}.mapping.toml").read_bytes()
    return made


def _text(name: str, values: dict[str, str]) -> str:
    path = _TEXTS / name
    # Not every kind adds to every file.
    return Template(path.read_text(encoding="utf-8")).substitute(values) if path.is_file() else ""


def _write(path: Path, content: bytes) -> None:
    closed = path.name == "secrets.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if closed else 0o666
    # Never readable by others, not even for a moment; never over what somebody else just made.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
