"""Make a project folder: the script, its settings, the mapping, the next commands.

Settings and secrets have their places, state its own folder, paths of state are absolute, so that a
run from elsewhere cannot begin a second ledger. Nothing that exists is overwritten.

Example:
  dlt replenit init csv shop
  dlt replenit init shopify shop --github
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("kind", choices=("shopify", "postgres", "csv"), help="the source")
    parser.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="where to; default the kind's name"
    )
    parser.add_argument(
        "--state",
        metavar="FOLDER",
        help="where databases and ledger are kept; projects of one account share a folder",
    )
    parser.add_argument("--airflow", action="store_true", help="add DAGs for Airflow 3")
    parser.add_argument("--github", action="store_true", help="add a workflow for GitHub Actions")


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the folder and say what comes next."""
    from replenit_destination.destinations.project import make_project

    try:
        project = make_project(
            options.kind,
            options.folder or options.kind,
            state=options.state,
            airflow=options.airflow,
            github=options.github,
        )
    except OSError as error:
        message = f"init: cannot write {error.filename}: {error.strerror}"
        raise SettingsError(message) from error
    console.result(
        {
            "folder": str(project.folder),
            "script": project.script,
            "files": list(project.files),
        }
    )
    console.show(f"{project.folder} is ready. Its README.md has the next steps; the first one:")
    console.show(f"  cd {options.folder or options.kind} && python {project.script} --demo")
    return 0
