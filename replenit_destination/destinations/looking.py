"""Opening a pipeline's files to look at them only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from replenit_destination.destinations.setup import client_of, find_pipeline, opened
from replenit_destination.destinations.state_sessions import session_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dlt import Pipeline

    from replenit_destination.destinations.client import ReplenitClient
    from replenit_destination.destinations.setup import Setup

__all__ = ["claim_given_back", "looked_at"]


@contextmanager
def looked_at(
    pipeline: Pipeline | str | None, pipelines_dir: str | Path | None = None, **options: Any
) -> Iterator[Setup]:
    """Yield the setup of a pipeline; whoever has its files is not asked for them.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.
        **options: Fields of `PushOptions` that differ from the configuration; None does not.

    Raises:
        ActivationError: See `destinations.setup.opened`.
    """
    found = find_pipeline(pipeline, pipelines_dir)
    with claim_given_back(client_of(found)), opened(found, wait=False, **options) as setup:
        yield setup


@contextmanager
def claim_given_back(client: ReplenitClient) -> Iterator[None]:
    """Give a state back that was claimed inside the block; nothing is stored.

    Raises:
        StateError: The storage cannot be used.
    """
    session = session_of(client)
    borrowed = session is not None and session.claim is None
    try:
        yield
    finally:
        if session is not None and borrowed and not session.pinned:
            session.rest()
