"""The command `python -m replenit_destination.sandbox`: the API here until Ctrl-C or TERM."""

from __future__ import annotations

import argparse
import signal
import sys
from threading import Event
from typing import TYPE_CHECKING

from replenit_destination.sandbox.replenit.box import ReplenitSandbox
from replenit_destination.sandbox.replenit.limits import Limits
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID
from replenit_destination.sandbox.replenit.switches import PROFILES, SWITCHES, parse_switch

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """
example:
  python -m replenit_destination.sandbox --port 8123 --state shop.sqlite --switch children=replace
"""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    listed = "\n".join(f"  {name}: {', '.join(each.values)}" for name, each in SWITCHES.items())
    options = argparse.ArgumentParser(
        prog="python -m replenit_destination.sandbox",
        description="Serve a double of Replenit's ingestion API on this machine.",
        epilog=f"switches, default first:\n{listed}\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--port", type=int, default=8123, help="0 takes a free one (default 8123)")
    options.add_argument(
        "--host", default="127.0.0.1", help="anything but loopback is open to the network"
    )
    options.add_argument("--profile", choices=PROFILES, default="strict", help="whose validation")
    options.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    options.add_argument(
        "--tenant", action="append", default=[], metavar="GUID", help="may be repeated"
    )
    options.add_argument("--key", default=API_KEY, help="the API key that opens the tenants")
    options.add_argument("--state", metavar="FILE", help="keep the documents in this file")
    options.add_argument("--no-limits", action="store_true", help="no request quota")
    options.add_argument("--seed", type=int, default=0, help="of the faults' chance")
    options.add_argument(
        "--count-only", action="store_true", help="only count documents: the fastest server"
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; return the exit code."""
    options = parser()
    given = options.parse_args(arguments)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        box = ReplenitSandbox(
            profile=given.profile,
            switches=dict(parse_switch(text) for text in given.switch),
            tenants={given.key: given.tenant or [TENANT_ID]},
            limits=Limits.unlimited() if given.no_limits else Limits(),
            state=given.state,
            seed=given.seed,
            count_only=given.count_only,
            host=given.host,
            port=given.port,
        )
    except ValueError as error:
        options.error(str(error))
    try:
        box.start()
    except OSError as error:
        box.stop()
        sys.stderr.write(f"cannot listen on {given.host}:{given.port}: {error.strerror}\n")
        return 2
    tenants = ", ".join(box.service.tenant_ids)
    # A key that was given is known to whoever gave it, and may be a real one.
    key = API_KEY if given.key == API_KEY else "as given"
    sys.stderr.write(
        f"Replenit sandbox ready at {box.url} (profile {given.profile}, tenant {tenants}, "
        f"key {key}); Ctrl-C ends it\n"
    )
    sys.stderr.flush()
    stop.wait()
    box.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
