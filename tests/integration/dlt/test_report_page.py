"""The HTML report: made of real runs, opened in a real browser that has no network."""

from __future__ import annotations

import html
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination import SettingsError, push
from replenit_destination.destinations.reporting import html_report, told_runs
from replenit_destination.engine.past_runs import past_runs
from tests.conftest import SKIPS

from .conftest import MAPPING, TENANT
from .test_whole_path import HINTS, Service, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import dlt
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECTIONS = ["Needs a look", "What changed", "Requests against the quota", "Answer times"]
SECTIONS += ["Time per step", "Backlog", "Changes", "Refused", "Runs"]
SECTIONS += ["Requests against the quota, all runs"]
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture
def shop(pipeline: Callable[..., dlt.Pipeline]) -> dlt.Pipeline:
    """A shop after three runs: one that sends, one with refusals and a backlog, one that is new."""
    fields = {**MAPPING["orders"]["fields"], "CustomerId": "customer"}
    mapping = {"orders": {**MAPPING["orders"], "fields": fields}}
    settings: dict[str, Any] = {"engine": None, "transport": Service(), "mapping": mapping}
    made = pipeline(deliver="manual", orders_per_request=2, **settings)
    made.run([order(number) for number in range(1, 9)], **HINTS)
    push(made)
    bad = [order(number, created_at="not a date") for number in (20, 21)]
    made.run([*bad, *(order(number) for number in range(30, 36))], **HINTS)
    push(made, max_requests=1)
    made.run([order(1, total=7)], **HINTS)
    push(made, max_requests=1)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(SKIPS["browser"]["reason"])
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The superuser's browser starts without its own sandbox only; CI containers run as that.
        rights = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=program, args=rights)
        yield started
        started.close()


def opened(browser: Browser, file: Path, *, width: int = 1200, scheme: str = "light") -> Page:
    """Open the page without a network; whatever it complains of fails the test."""
    size: Any = {"width": width, "height": 900}
    colours: Any = scheme
    context = browser.new_context(viewport=size, color_scheme=colours, offline=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    assert said == []
    return page


def test_page_opens_in_a_browser_in_light_and_dark_wide_and_narrow(
    shop: dlt.Pipeline, here: Path, browser: Browser
) -> None:
    file = here / "report.html"
    html_report(shop, out=file)

    page = opened(browser, file)
    for title in SECTIONS:
        assert page.get_by_role("heading", name=title, exact=True).first.is_visible(), title
    assert page.locator("figure .wide svg").first.is_visible()
    assert not page.locator("figure .narrow svg").first.is_visible()
    light = page.evaluate(BACKGROUND)
    page.get_by_text("Dark", exact=True).click()
    dark = page.evaluate(BACKGROUND)
    assert light != dark

    by_system = opened(browser, file, scheme="dark")
    assert by_system.evaluate(BACKGROUND) == dark
    by_system.get_by_text("Light", exact=True).click()
    assert by_system.evaluate(BACKGROUND) == light

    narrow = opened(browser, file, width=400)
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 400
    assert narrow.locator("figure .narrow svg").first.is_visible()
    assert not narrow.locator("figure .wide svg").first.is_visible()
    pictures = narrow.locator("svg")
    names = [pictures.nth(at).get_attribute("aria-label") for at in range(pictures.count())]
    assert names
    assert all(names)


def test_page_tells_each_run_without_personal_data(shop: dlt.Pipeline, here: Path) -> None:
    text = html_report(shop, out=here / "report.html")

    assert (here / "report.html").read_text(encoding="utf-8") == text
    assert stat.S_IMODE((here / "report.html").stat().st_mode) == 0o600
    assert "OrderDate" in text  # why the two are refused
    assert "<b>2</b>stand refused" in text
    assert "@" not in re.sub(r"@media", "", text)
    assert "example.com" not in text
    assert "person" not in text.replace("personal data", "")
    assert "Over the last 3 runs" in text


def test_page_names_no_address_and_runs_no_script(shop: dlt.Pipeline) -> None:
    text = html_report(shop)

    assert re.findall(r"(?i)https?:|//[a-z]|url\(|@import|<script|<link|<img|src=", text) == []
    assert "default-src 'none'" in html.unescape(text)


def test_a_run_is_told_by_the_beginning_of_its_name(shop: dlt.Pipeline) -> None:
    runs = told_runs(shop)
    assert len(runs) == 3
    assert [one.run for one in told_runs(shop, last=2)] == [one.run for one in runs[1:]]

    text = html_report(shop, run=runs[0].run[:12])
    assert runs[0].run[:8] in text
    assert runs[1].run[:8] not in text
    assert "Everything is delivered" in text
    with pytest.raises(SettingsError, match="no single run `zzz`"):
        html_report(shop, run="zzz")


def test_before_the_first_run_there_is_nothing_to_tell(
    pipeline: Callable[..., dlt.Pipeline], here: Path
) -> None:
    made = pipeline(deliver="manual")
    with pytest.raises(SettingsError, match="no run yet"):
        html_report(made)
    ledger = here / "never.duckdb"
    assert past_runs(ledger, target="replenit", host="https://x", tenant=TENANT) == []
    assert not ledger.exists()
