"""Make the pictures in docs/pictures: a terminal session, a push under way, the report's page.

Everything in them is real: the commands run as processes of their own in a temporary folder,
against the sandboxes of the sample shop and of Replenit, and the page is opened in this machine's
Chromium or Chrome. It takes about three minutes, most of them waiting for the quota.

    .venv/bin/python tools/make_pictures.py

Needs the extra `dev`, a browser and a Unix.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text
from screen import Screen

from replenit_destination.sandbox import ReplenitSandbox
from replenit_destination.sandbox.shopify import ShopifySandbox, new_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import ViewportSize

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COLUMNS, ROWS = 104, 50
DAYS = 9
# A rule that some people of the sample shop break, so that there is something refused to show.
STRICT = """DESTINATION__REPLENIT__REQUIRED_FIELDS='["customers.Phone"]'"""
PAGE: ViewportSize = {"width": 1180, "height": 1760}
UNDER_WAY = re.compile(r"about \d+ (s|min) left.*\n.* \d of 80 requests left")
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> int:
    PICTURES.mkdir(exist_ok=True)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        # The profile of the vendor's guide: guests may order without a customer id.
        vendor = held.enter_context(ReplenitSandbox(profile="gitbook"))
        shop = held.enter_context(ShopifySandbox())
        session = Session(folder, settings(folder, vendor, shop))
        first_day(session)
        write_svg("session", "dlt replenit", "\n".join(session.shown))
        write_svg("progress", "dlt replenit push", session.under_way)
        for day in range(DAYS):
            new_day(shop.shop, seed=day)
            # Now and then a budget ends a run, and the next one delivers what was left.
            session.run(f"python shopify_to_replenit.py {'--max-requests 1' if day % 3 else ''}")
        session.run(f"{STRICT} dlt replenit push --force")
        session.run("dlt replenit report --out report.html")
        photograph(folder / "shop" / "report.html")
    return 0


def settings(folder: Path, vendor: ReplenitSandbox, shop: ShopifySandbox) -> dict[str, str]:
    """Return the environment of a terminal in which the commands find both sandboxes."""
    kept = ("LANG", "LC_ALL", "TMPDIR")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "DLT_DATA_DIR": str(folder / ".dlt-data"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "SOURCES__SHOPIFY__SHOP": shop.url,
        "SOURCES__SHOPIFY__ACCESS_TOKEN": shop.access_token,
        "SOURCES__SHOPIFY__LAG_MINUTES": "0",
        "DESTINATION__REPLENIT__API_KEY": vendor.api_key,
        "DESTINATION__REPLENIT__TENANT_ID": vendor.tenant_id,
        "DESTINATION__REPLENIT__BASE_URL": vendor.url,
        "DESTINATION__REPLENIT__CUSTOMER_IDENTIFIER_PRIORITY": "email",
        "DESTINATION__REPLENIT__GDPR_OPTIN": "email_or_sms_optin",
        # Small requests, so that the sample shop meets the quota as a large one does.
        "DESTINATION__REPLENIT__ORDERS_PER_REQUEST": "10",
    }


def first_day(session: Session) -> None:
    """Do what a person does first, from an empty folder to the first delivery."""
    session.run("dlt replenit init shopify shop")
    session.enter("shop")
    session.run("python shopify_to_replenit.py --stage-only")
    session.run("dlt replenit plan")
    session.run("dlt replenit push")
    session.run("dlt replenit status")


class Session:
    """A terminal: what was typed and what was shown, without the names of this machine."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.shown: list[str] = []
        self.under_way = ""
        self._home = folder
        self._folder = folder
        self._environment = environment

    def enter(self, name: str) -> None:
        """Go into a folder."""
        self.shown.append(f"\x1b[1;32m$\x1b[0m cd {name}\n")
        self._folder /= name

    def run(self, command: str) -> None:
        """Run a command to its end and keep what its terminal showed then."""
        screen = Screen()
        try:
            for text in self._output(command):
                screen.write(text)
                if not self.under_way and UNDER_WAY.search(screen.text()):
                    self.under_way = self._typed(command, screen.ansi())
        except subprocess.CalledProcessError:
            sys.stderr.write(screen.text())
            raise
        self.shown.append(self._typed(command, screen.ansi()) + "\n")

    def _typed(self, command: str, shown: str) -> str:
        shown = shown.replace(str(self._home), "~")
        return f"\x1b[1;32m$\x1b[0m {command}\n{shown}"

    def _output(self, command: str) -> Iterator[str]:
        """Yield what a command writes to its terminal, as it comes."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(  # noqa: S603 - our own commands
            ["/bin/sh", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            while True:
                select.select([ours], [], [])
                if not (block := os.read(ours, 65536)):
                    break
                yield block.decode(errors="replace")
        os.close(ours)
        if process.wait() not in {0, 1, 3}:
            raise subprocess.CalledProcessError(process.returncode, command)


def write_svg(name: str, title: str, ansi: str) -> None:
    """Write a terminal as a picture, with the fonts of whoever looks at it."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(ansi), soft_wrap=False)
    picture = console.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(FONTS.sub("", picture), encoding="utf-8")


def photograph(page: Path) -> None:
    """Write the upper part of the report's page in light and in dark."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for colours in schemes:
            tab = browser.new_page(viewport=PAGE, color_scheme=colours)
            tab.goto(page.as_uri())
            tab.screenshot(path=PICTURES / f"report-{colours}.png")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
