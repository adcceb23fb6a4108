"""Find out how a test tenant behaves where Replenit's documents do not say.

Sends some 15 records whose keys begin with `dlt-replenit-probe` (nobody consents, nothing can be
bought), reads the answers, and deletes them again: about 40 requests. What answers cannot show it
leaves for you to look at in the dashboard; run it again with --answer, and that is deleted too.
Never name a tenant with real customers. Exit code 1: something is still open.

Example:
  dlt replenit probe --tenant 5a11d0b0-0000-4000-8000-000000000001
  dlt replenit probe --tenant 5a11… --answer omitted=keep --answer lines=merge --write
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replenit_destination.cli.confirmation import NOT_CONFIRMED, add_yes, confirmed
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse

    from replenit_destination.cli.console import Console
    from replenit_destination.targets.replenit.probing import Probed

__all__ = ["configure", "run"]

CONFIG = Path(".dlt") / "config.toml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--tenant", required=True, metavar="GUID", help="a tenant for tests")
    parser.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="QUESTION=ANSWER",
        help="what you saw in the dashboard; may be repeated",
    )
    parser.add_argument("--write", action="store_true", help=f"write the settings into {CONFIG}")
    add_yes(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Ask, print what was found and what is open."""
    from replenit_destination.destinations.probe import probe, write_settings

    pairs = [answer.partition("=") for answer in options.answer]
    if not all(separator for _, separator, _ in pairs):
        message = "--answer: write QUESTION=ANSWER, for instance omitted=keep"
        raise SettingsError(message)
    question = f"Write test records to tenant {options.tenant}? It must have no real customers."
    if not confirmed(options, console, question):
        return NOT_CONFIRMED
    probed = probe(options.tenant, said={name: answer for name, _, answer in pairs})
    _show(probed, console)
    if options.write:
        write_settings(probed, CONFIG)
        console.tell(f"Written to {CONFIG}.")
    return 1 if any(one.value is None for one in probed.findings) else 0


def _show(probed: Probed, console: Console) -> None:
    from replenit_destination.targets.replenit.questions import QUESTIONS

    console.result(
        {
            "findings": {one.name: one.value for one in probed.findings},
            "said": [one.name for one in probed.findings if one.said],
            "look": {one.name: one.look for one in probed.findings if one.look},
            "settings": probed.settings,
            "requests": probed.requests,
            "left": list(probed.left),
        }
    )
    console.table(
        ("question", "answer", "meaning"),
        [(one.name, one.value or "open", QUESTIONS[one.name].meaning) for one in probed.findings],
    )
    if looks := [one for one in probed.findings if one.look]:
        console.show("\nLook at these in the dashboard; it may take a day until they are there:")
        for one in looks:
            console.show(f"  --answer {one.name}=…  {one.look}")
    if probed.settings:
        console.show("\n[destination.replenit]")
        for name, value in probed.settings.items():
            console.show(f'{name} = "{value}"')
    known = " ".join(f"--switch {name}" for name in _switches(probed))
    console.show(f"\nA sandbox that behaves so: python -m replenit_destination.sandbox {known}")


def _switches(probed: Probed) -> list[str]:
    found = {one.name: one.value for one in probed.findings if one.value}
    # The sandbox has one switch for both kinds of children.
    children = found.pop("lines", None)
    if found.pop("variants", children) == children and children:
        found["children"] = children
    return [f"{name}={value}" for name, value in found.items()]
