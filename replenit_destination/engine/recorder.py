"""What delivery asks of whoever keeps its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.documents import Batch, Outcome

__all__ = ["Recorder"]


class Recorder(Protocol):
    """Keeps what was sent and what came of it; called only on the thread of `deliver`."""

    def intend(self, batch: Batch) -> None:
        """Make durable that these items may reach the vendor; once, before the first sending."""

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Keep outcomes; every item that delivery took gets exactly one."""

    def flush(self) -> None:
        """Make durable what was recorded; called before delivery waits for anything."""
