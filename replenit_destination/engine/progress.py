"""Progress in the shape of dlt's collectors, so that a pipeline's own bar shows the push."""

from __future__ import annotations

from typing import Protocol

__all__ = ["NullProgress", "Progress"]


class Progress(Protocol):
    """Any dlt collector (`tqdm`, `enlighten`, `log`, `alive_progress`) satisfies this."""

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        """Advance the counter `name` by `inc`; `label` tells counters of one name apart."""


class NullProgress:
    """Shows nothing; for scripts and tests without a progress bar."""

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        """Do nothing."""
