"""A double of Replenit's ingestion API, read from the vendor's pages and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replenit_destination.sandbox.replenit.box import ReplenitSandbox
    from replenit_destination.sandbox.replenit.service import ReplenitService

__all__ = ["ReplenitSandbox", "ReplenitService"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from replenit_destination import sandbox

        return getattr(sandbox, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
