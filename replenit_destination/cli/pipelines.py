"""The pipeline a command works on, as a person names it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from dlt import Pipeline

    from replenit_destination.destinations.accounts import Account
    from replenit_destination.destinations.setup import Setup
    from replenit_destination.engine.ledger import Ledger

__all__ = [
    "account",
    "add_pipeline",
    "changed_ledger",
    "opened",
    "pipeline_name",
    "pipeline_of",
    "pipelines_here",
]


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """Add the two options that name a pipeline."""
    parser.add_argument(
        "--pipeline", metavar="NAME", help="which pipeline; default the only one that has run here"
    )
    parser.add_argument(
        "--pipelines-dir", metavar="DIR", help="where dlt keeps pipelines; default its own folder"
    )


def pipelines_here(pipelines_dir: str | None = None) -> list[str]:
    """Return the names of the pipelines that have run here and deliver to Replenit."""
    import dlt
    from dlt.common.pipeline import get_dlt_pipelines_dir

    # Where `dlt.pipeline()` and `dlt.attach()` look too: a project may keep its own.
    configured = dlt.config.get("pipelines.pipelines_dir", str)
    folder = Path(pipelines_dir or configured or get_dlt_pipelines_dir())
    return sorted(file.parent.name for file in folder.glob("*/state.json") if _is_ours(file))


def _is_ours(file: Path) -> bool:
    """Return whether a pipeline's state names our destination and was begun in this folder."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    kind = str(state.get("destination_type") or "")
    begun = state.get("_local", {}).get("initial_cwd")
    # Settings are read from here: another project's pipeline would be met with the wrong ones.
    return kind.endswith(".replenit") and begun in (None, str(Path.cwd()))


def pipeline_name(options: argparse.Namespace) -> str:
    """Return the name of the pipeline that the options name.

    Raises:
        SettingsError: None is named and there is not exactly one.
    """
    if options.pipeline is not None:
        return str(options.pipeline)
    names = pipelines_here(options.pipelines_dir)
    if len(names) != 1:
        known = ", ".join(names) or "none that delivers to Replenit"
        message = f"--pipeline: say which; here are {known}"
        raise SettingsError(message)
    return names[0]


def pipeline_of(options: argparse.Namespace) -> Pipeline:
    """Return the pipeline that the options name.

    Raises:
        SettingsError: It has not run here, or none is named and there is not exactly one.
    """
    from dlt.pipeline.exceptions import CannotRestorePipelineException

    from replenit_destination.destinations.setup import find_pipeline

    name, folder = pipeline_name(options), options.pipelines_dir
    try:
        return find_pipeline(name, folder)
    except CannotRestorePipelineException as error:
        known = ", ".join(pipelines_here(folder)) or "none that delivers to Replenit"
        message = f"--pipeline: `{name}` has not run here; here are {known}"
        raise SettingsError(message) from error


def account(options: argparse.Namespace) -> Account:
    """Return whose ledger the pipeline keeps that the options name; no database is opened.

    Raises:
        SettingsError: The pipeline is not there, or a setting is missing.
    """
    from replenit_destination.destinations.accounts import account_of

    return account_of(pipeline_of(options))


@contextmanager
def changed_ledger(options: argparse.Namespace) -> Iterator[tuple[Account, Ledger]]:
    """Yield the ledger of the pipeline that the options name, opened to be changed.

    A push that has it open is asked to give way. Where the state is kept elsewhere (`state_url`),
    it is fetched before and stored after.

    Raises:
        ActivationError: The ledger or the state cannot be had.
    """
    from replenit_destination.destinations.accounts import account_of
    from replenit_destination.destinations.state_sessions import state
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.own_ledger import own_ledger

    pipeline = pipeline_of(options)
    with state(pipeline):
        of = account_of(pipeline)
        seconds = of.lock_wait_seconds
        with own_ledger(of.ledger, of.target, clock=SystemClock(), wait_seconds=seconds) as ledger:
            yield of, ledger


@contextmanager
def opened(options: argparse.Namespace, *, wait: bool = True, **changed: Any) -> Iterator[Setup]:
    """Yield the setup of the pipeline that the options name, its database open.

    Args:
        options: With those of `add_pipeline`.
        wait: Whether to wait for a database that is in use; a question does not.
        **changed: Fields of `PushOptions` that differ from the configuration.

    Raises:
        ActivationError: See `destinations.setup.opened`.
    """
    from replenit_destination.destinations.setup import opened as open_setup

    with open_setup(pipeline_of(options), wait=wait, **changed) as setup:
        yield setup
