"""The HTML report of a pipeline's deliveries, from what its ledger remembers of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from dlt import Pipeline

    from replenit_destination.engine.past_runs import PastRun

__all__ = ["html_report", "told_runs"]

_PRIVATE = 0o600


def html_report(
    pipeline: Pipeline | str | None = None,
    *,
    out: str | Path | None = None,
    run: str | None = None,
    last: int = 30,
    pipelines_dir: str | Path | None = None,
) -> str:
    """Return the report of one run, and of what happened over the runs before, as one HTML page.

    The page needs no network, runs no script and holds no personal data: documents are named by
    key hashes. Nothing is sent or changed. While a push runs, its ledger cannot be read.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        out: Where to write the page as well; default nowhere. Only its owner can read it.
        run: The run to tell, by its name or the beginning of it; default the newest.
        last: How many runs the curves go back.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Raises:
        SettingsError: There is no such run, or the pipeline does not deliver to Replenit.
        LedgerBusyError: A push has the ledger open.
    """
    from replenit_destination.destinations.report_page.page import page
    from replenit_destination.engine.clock import SystemClock

    runs = told_runs(pipeline, run=run, last=last, pipelines_dir=pipelines_dir)
    text = page(runs, made=SystemClock().now())
    if out is not None:
        file = Path(out)
        file.touch(mode=_PRIVATE)
        file.write_text(text, encoding="utf-8")
    return text


def told_runs(
    pipeline: Pipeline | str | None = None,
    *,
    run: str | None = None,
    last: int = 30,
    pipelines_dir: str | Path | None = None,
) -> list[PastRun]:
    """Return the runs of a pipeline that have a report, the oldest first; at least one.

    Args:
        pipeline: A pipeline, the name of one that has run here, or None for dlt's active one.
        run: The last of them, by its name or the beginning of it; default the newest.
        last: How many runs at most.
        pipelines_dir: Where the named pipeline's working folder is; default dlt's own.

    Raises:
        SettingsError: There is no such run, or the pipeline does not deliver to Replenit.
        LedgerBusyError: A push has the ledger open.
    """
    from replenit_destination.destinations.setup import client_of, find_pipeline
    from replenit_destination.engine.past_runs import past_runs
    from replenit_destination.targets.replenit.target import ReplenitTarget

    config = client_of(find_pipeline(pipeline, pipelines_dir)).config
    target = ReplenitTarget(config.target_settings())
    found = past_runs(
        config.ledger_path,
        target=target.name,
        host=target.host,
        tenant=target.tenant,
        upto=run,
        last=max(1, last),
    )
    told = [one for one in found if one.report]
    if not told or (run is not None and told[-1] is not found[-1]):
        which = f"no single run `{run}` that came to its end" if run else "no run yet"
        message = f"--run: there is {which} on record for tenant {target.tenant}"
        raise SettingsError(message)
    return told
