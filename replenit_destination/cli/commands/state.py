"""Fetch, store, show or unlock the state behind `state_url`.

A run fetches and stores by itself. By hand: `fetch` brings this machine up to date, and makes the
pipeline known here where it has not run yet; `store` stores what this machine has, for instance
after an upload failed; `show` tells what is there; `unlock` takes the state from a runner that is
dead; `drop` gives up the newest generation, so that the one before counts; `key` prints a new key.

Example:
  dlt replenit state show
  dlt replenit state fetch --pipeline shop
  dlt replenit state store
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.cli.pipelines import add_pipeline, pipeline_of

if TYPE_CHECKING:
    import argparse

    from dlt import Pipeline

    from replenit_destination.cli.console import Console

__all__ = ["configure", "run"]

_ACTIONS = ("show", "fetch", "store", "unlock", "drop", "key")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument(
        "--replace", action="store_true", help="fetch: give up what only this machine has"
    )
    parser.add_argument(
        "--destination",
        metavar="NAME",
        help="fetch: another section of settings, where the pipeline has not run here",
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Do it and tell the newest generation."""
    if options.action == "key":
        from replenit_destination.destinations.state_archive import Cipher

        key = Cipher.new_key()
        console.result({"key": key})
        console.show(key)
        return 0
    from replenit_destination.destinations import state_sessions

    pipeline = _fetched(options) if options.action == "fetch" else pipeline_of(options)
    if options.action == "store":
        state_sessions.store(pipeline)
    elif options.action == "unlock":
        state_sessions.unlock(pipeline)
    elif options.action == "drop":
        state_sessions.drop(pipeline)
    told = state_sessions.describe(pipeline)
    console.result(told)
    console.table(("", ""), [(name, value) for name, value in told.items() if value != ""])
    return 0


def _fetched(options: argparse.Namespace) -> Pipeline:
    """Fetch, also for a pipeline that has not run on this machine yet."""
    from replenit_destination.cli.pipelines import pipelines_here
    from replenit_destination.destinations import state_sessions

    name, folder = options.pipeline, options.pipelines_dir
    if name is not None and name not in pipelines_here(folder):
        return state_sessions.fetch_new(
            name, pipelines_dir=folder, destination_name=options.destination
        )
    pipeline = pipeline_of(options)
    state_sessions.fetch(pipeline, replace=options.replace)
    return pipeline
