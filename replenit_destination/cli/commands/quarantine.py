"""See what stands refused, export it, or forget that it was.

Lists documents that Replenit refused (quarantined) or that break one of its rules (rejected),
grouped by reason. Documents are named by a hash; --show adds keys, which may be people's. `drop`
forgets refusals: the next push takes the documents for ones that were never tried.

Example:
  dlt replenit quarantine list
  dlt replenit quarantine show 52835bf61c
  dlt replenit quarantine export refused.csv --entity orders
  dlt replenit quarantine drop --reason "currency code"
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replenit_destination.cli.pipelines import account, add_pipeline, changed_ledger, opened
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console
    from replenit_destination.engine.quarantine import Chosen, Refused

__all__ = ["configure", "run"]

_SAMPLES = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=("list", "show", "export", "drop"), help="what to do")
    parser.add_argument(
        "what", nargs="?", metavar="HASH|FILE", help="show: a hash or key; export: the file"
    )
    add_pipeline(parser)
    parser.add_argument(
        "--entity", action="append", default=[], metavar="NAME", help="only this one"
    )
    parser.add_argument(
        "--key", action="append", default=[], metavar="KEY", help="a document's key or hash"
    )
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="a part of reason, field or words"
    )
    parser.add_argument("--show", action="store_true", help="also keys and, in files, documents")
    parser.add_argument("--all", action="store_true", help="drop: all refusals")


def run(options: argparse.Namespace, console: Console) -> int:
    """Do one of the four."""
    from replenit_destination.engine.ledger_view import read_ledger
    from replenit_destination.engine.quarantine import Chosen, refused

    if options.action in {"show", "export"} and not options.what:
        needed = "FILE" if options.action == "export" else "HASH"
        message = f"quarantine {options.action}: {needed} is missing"
        raise SettingsError(message)
    if options.action == "show":
        options.key.append(options.what)
    chosen = Chosen(options.entity, options.key, options.reason)
    of = account(options)
    if options.action == "drop":
        return _drop(options, console, chosen)
    with read_ledger(of.ledger, of.target) as view:
        found = refused(view, chosen) if view else []
    if options.action == "show":
        return _show(found, options, console)
    if options.action == "export":
        return _export(found, options, console)
    return _list(found, options, console)


def _list(found: list[Refused], options: argparse.Namespace, console: Console) -> int:
    groups = []
    for (entity, field, reason, state), members in groupby(found, _group):
        ones = list(members)
        names = [one.key if options.show else one.key_hash for one in ones]
        groups.append(
            {
                "entity": entity,
                "state": state,
                "field": field,
                "reason": reason,
                "count": len(ones),
                "since": min(one.since for one in ones),
                "documents": names,
            }
        )
    console.result(groups)
    if not groups:
        console.show("Nothing stands refused.")
        return 0
    columns = ("documents", "entity", "state", "field", "reason", "since", "for instance")
    console.table(columns, [_line(group) for group in groups])
    return 1


def _group(one: Refused) -> tuple[str, str, str, str]:
    return one.entity, one.field, one.reason, one.state


def _line(group: dict[str, Any]) -> tuple[object, ...]:
    names = ("count", "entity", "state", "field", "reason", "since")
    shown = group["documents"][:_SAMPLES]
    return (*(group[name] for name in names), " ".join(shown))


def _show(found: list[Refused], options: argparse.Namespace, console: Console) -> int:
    if not found:
        console.tell(f"`{options.what}` does not stand refused; `quarantine list` shows what does.")
        return 2
    told = [one.to_dict(show=options.show) for one in found]
    console.result(told[0] if len(told) == 1 else told)
    for one in told:
        for name, value in one.items():
            console.show(f"{name:11} {value}")
    return 1


def _export(found: list[Refused], options: argparse.Namespace, console: Console) -> int:
    from replenit_destination.engine.quarantine import export

    documents = _documents(found, options) if options.show else {}
    count = export(Path(options.what), found, show=options.show, documents=documents)
    console.result({"file": options.what, "documents": count})
    console.show(f"{count} refused documents are in {options.what}.")
    if options.show:
        console.tell("The file holds keys and documents, which are people's: only you can read it.")
    return 0


def _documents(found: list[Refused], options: argparse.Namespace) -> dict[tuple[str, str], Any]:
    """Return today's documents, as they were assembled."""
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.explanation import Explainer

    made: dict[tuple[str, str], Any] = {}
    with opened(options, wait=False) as setup:
        for entity, members in groupby(found, lambda one: one.entity):
            explainer = Explainer(
                setup.staged, setup.target, setup.mapping, entity, None, now=SystemClock().now()
            )
            for one in members:
                made[entity, one.key] = explainer.assembled(one.key)
    return made


def _drop(options: argparse.Namespace, console: Console, chosen: Chosen) -> int:
    from replenit_destination.engine.own_ledger import view_of
    from replenit_destination.engine.quarantine import drop, refused

    if not chosen and not options.all:
        message = "quarantine drop: say which by --entity, --key or --reason, or --all"
        raise SettingsError(message)
    with changed_ledger(options) as (_, ledger):
        count = drop(ledger, refused(view_of(ledger), chosen))
    console.result({"forgotten": count})
    console.show(f"{count} refusals are forgotten; the next push tries the documents again.")
    return 0
