"""Whether a ledger is missing where there should be one.

dlt remembers in a folder of its own what it has read; the ledger lies beside the database. When one
of the two is gone, a run looks healthy and does the wrong thing: without the ledger everything that
is staged travels again, and what vanished from the source is never removed at Replenit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.destinations.setup import client_of

if TYPE_CHECKING:
    from dlt import Pipeline

__all__ = ["lost_ledger"]


def lost_ledger(pipeline: Pipeline) -> str | None:
    """Return a warning when a pipeline has loaded before and its ledger is not there.

    Ask before a run: at its end a first run looks the same. Nothing is opened or made.

    Raises:
        SettingsError: The pipeline does not deliver to Replenit.
    """
    if pipeline.first_run or not pipeline.schema_names:
        return None
    client = client_of(pipeline)
    ledger = client.config.ledger_path
    # Where state is fetched, the ledger may come with it.
    if ledger.exists() or client.config.state_url:
        return None
    return (
        f"pipeline `{pipeline.pipeline_name}` has loaded before, but its ledger {ledger} is not "
        f"there. Unless nothing was ever delivered, stop here and put the ledger back, or mark "
        f"what is staged as delivered (`dlt replenit adopt`): otherwise everything that is staged "
        f"travels again, and what left the source meanwhile stays at Replenit."
    )
