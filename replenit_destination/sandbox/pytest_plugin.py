"""Pytest fixtures that start the sandbox, for any project that has this distribution installed.

Loading the plugin costs nothing: the server's libraries are imported by the first test that asks
for a fixture.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replenit_destination.sandbox import ReplenitSandbox


@pytest.fixture
def replenit_sandbox_factory() -> Iterator[Callable[..., ReplenitSandbox]]:
    """A function that starts a sandbox with the settings it is given; all stop after the test."""
    try:
        from replenit_destination.sandbox import ReplenitSandbox
    except ImportError as error:
        message = "the sandbox needs its extra: pip install 'dlt-replenit[sandbox]'"
        raise RuntimeError(message) from error

    with ExitStack() as running:

        def start(**settings: Any) -> ReplenitSandbox:
            return running.enter_context(ReplenitSandbox(**settings))

        yield start


@pytest.fixture
def replenit_sandbox(
    replenit_sandbox_factory: Callable[..., ReplenitSandbox],
) -> ReplenitSandbox:
    """A running sandbox with the vendor's quota, profile strict, every switch at its default."""
    return replenit_sandbox_factory()
