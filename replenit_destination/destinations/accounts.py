"""Whose ledger a pipeline keeps, told without opening a database.

Questions about the ledger alone are answered while the staged tables are in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replenit_destination.destinations.setup import client_of, find_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from dlt import Pipeline

    from replenit_destination.targets.replenit.target import ReplenitTarget

__all__ = ["Account", "account_of"]

_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Account:
    """One pipeline's tenant, and the ledger that says what it holds.

    `quota_share` and `lock_wait_seconds` are the configured ones.
    """

    pipeline: str
    target: ReplenitTarget
    ledger: Path
    quota_share: float
    lock_wait_seconds: float


def account_of(pipeline: Pipeline | str | None, pipelines_dir: str | Path | None = None) -> Account:
    """Return the account that a pipeline delivers to.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit, or a setting is missing.
    """
    from replenit_destination.targets.replenit.target import ReplenitTarget

    found = find_pipeline(pipeline, pipelines_dir)
    config = client_of(found).config
    return Account(
        pipeline=found.pipeline_name,
        target=ReplenitTarget(config.target_settings()),
        ledger=config.ledger_path,
        quota_share=_SHARE if config.quota_share is None else config.quota_share,
        lock_wait_seconds=config.lock_wait_seconds,
    )
