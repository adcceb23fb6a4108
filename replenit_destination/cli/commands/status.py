"""Show how things stand: runs, backlog, refusals, quota, and a push that is under way.

Reads the ledger and nothing else, so that it is quick and disturbs nobody. While a push has the
ledger, it shows how far that push is, and what the last finished run said. With --all it shows
every pipeline of this folder on one screen.

Example:
  dlt replenit status
  dlt replenit status --all --json
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from replenit_destination.cli.moments import duration, moment
from replenit_destination.cli.pipelines import account, add_pipeline, pipelines_here
from replenit_destination.exceptions import ActivationError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console
    from replenit_destination.engine.overview import Overview

__all__ = ["configure", "run"]

_MOST = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_pipeline(parser)
    parser.add_argument("--all", action="store_true", help="every pipeline of this folder")
    parser.add_argument(
        "--runs", type=int, default=5, metavar="N", help="how many of the last runs (default 5)"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Show one pipeline, or all."""
    if options.all:
        return _all(options, console)
    found = _overview(options)
    console.result(found.to_dict())
    _show(found, console)
    return found.exit_code


def _overview(options: argparse.Namespace) -> Overview:
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.overview import overview

    of = account(options)
    runs, share = max(1, options.runs), of.quota_share
    return overview(of.ledger, of.target, clock=SystemClock(), runs=runs, quota_share=share)


def _all(options: argparse.Namespace, console: Console) -> int:
    rows: list[tuple[object, ...]] = []
    results: dict[str, object] = {}
    code = 0
    for name in pipelines_here(options.pipelines_dir):
        try:
            found = _overview(Namespace(**{**vars(options), "pipeline": name}))
        except ActivationError as error:
            console.tell(f"{name}: {error}")
            results[name] = {"error": str(error)}
            rows.append((name, "", "cannot be read; see above", "", "", "", "", ""))
            code = 2
            continue
        results[name] = found.to_dict()
        code = max(code, found.exit_code)
        rows.append((name, found.tenant, _state(found), *_sums(found), _last(found)))
    console.result(results)
    if rows:
        numbers = ("accepted", "backlog", "refused", "withheld")
        console.table(("pipeline", "tenant", "state", *numbers, "last run"), rows)
    else:
        console.show("No pipeline that delivers to Replenit has run in this folder.")
    return code


def _state(found: Overview) -> str:
    if found.running:
        return f"a push is under way: {found.running}"
    if found.pause:
        return str(found.pause)
    if found.busy:
        return "its ledger is in use"
    return "nothing was delivered yet" if found.source == "nothing" else "idle"


def _sums(found: Overview) -> tuple[int, int, int, int]:
    def total(*names: str) -> int:
        return sum(one[name] for one in found.entities.values() for name in names)

    refused = total("rejected", "quarantined")
    return total("accepted"), total("backlog"), refused, total("withheld")


def _last(found: Overview) -> str:
    if not found.runs:
        return ""
    last = found.runs[0]
    return f"{moment(last.started)} {_ended(last.exit_code, last.halted)}"


def _ended(exit_code: int | None, halted: str) -> str:
    if exit_code is None:
        return "did not end"
    words = {0: "all delivered", 1: "not everything", 2: "error", 3: halted or "stopped"}
    return words.get(exit_code, str(exit_code))


def _show(found: Overview, console: Console) -> None:
    console.show(f"{found.target} {found.tenant} at {found.host}")
    console.show(f"  {_state(found)}")
    if found.running:
        process = found.running.process
        console.show(f"  PID {process.pid} on {process.host} since {moment(found.running.started)}")
    if found.busy:
        console.show(f"  {found.busy}")
    if found.source == "last run":
        console.show("  The ledger is in use: this is what the last finished run said.")
    if found.unfolded:
        console.show(f"  A run was killed; the next one takes in {found.unfolded} verdicts of it.")
    if found.entities:
        console.show()
        columns = [name for name in _STATES if any(one[name] for one in found.entities.values())]
        columns = columns or ["accepted"]
        rows = [(name, *(one[c] for c in columns)) for name, one in found.entities.items()]
        console.table(("", *columns), rows)
    if found.refusals:
        console.show()
        console.table(
            ("refused", "", "field", "reason", "for instance"),
            [
                (one["count"], one["entity"], one["field"], one["reason"], " ".join(one["samples"]))
                for one in found.refusals[:_MOST]
            ],
        )
        if found.refusals[_MOST:]:
            console.show(f"… and {len(found.refusals) - _MOST} more reasons: quarantine list")
    console.show()
    quota = [(duration(one.seconds), one.used, one.ours, one.limit) for one in found.quota]
    console.table(("quota in", "used", "our share", "limit"), quota)
    if found.runs:
        console.show()
        runs = [
            (
                moment(one.started),
                "" if one.finished is None else duration(one.finished - one.started),
                *(one.requests, one.created, one.updated, one.deleted),
                _ended(one.exit_code, one.halted),
            )
            for one in found.runs
        ]
        console.table(("run", "took", "requests", "created", "updated", "deleted", "end"), runs)


_STATES = ("accepted", "backlog", "withheld", "skipped", "rejected", "quarantined")
