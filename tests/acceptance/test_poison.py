"""One bad document never stops the good ones, and it is found for what it costs to find it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.sandbox.faults import Poison
from tests.acceptance.orders import MAPPING, WORDS, Orders
from tests.benchmarks.poison import STYLES, Style, at_once, spread

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.report import Report

NAMELESS = next(style for style in STYLES if style.name.startswith("no pointer"))


# Finding them; tests/benchmarks/poison.py has the bounds and the whole table


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_exactly_the_bad_ones_are_quarantined_within_the_stated_requests(
    tmp_path: Path, style: Style
) -> None:
    at_once(tmp_path, style, 10_000, 10, seed=1)


@pytest.mark.parametrize("style", [STYLES[0], NAMELESS], ids=lambda style: style.name)
@pytest.mark.parametrize("culprits", [1, 100])
def test_one_and_a_hundred_bad_ones_of_ten_thousand(
    tmp_path: Path, style: Style, culprits: int
) -> None:
    at_once(tmp_path, style, 10_000, culprits, seed=2)


def test_default_budget_spreads_the_search_over_runs_and_nothing_good_travels_twice(
    tmp_path: Path,
) -> None:
    shop = spread(tmp_path, NAMELESS, 2000, 10, seed=3)
    assert 3 <= len(shop.reports) <= 5
    assert all(report.requests <= 30 for report in shop.reports[1:])


# Suspects


def suspects(folder: Path, orders: int = 2000, culprits: int = 10) -> tuple[Orders, set[str]]:
    """Return a shop whose first run could not tell all bad ones apart."""
    shop = Orders(folder, orders, error_style="minimal")
    bad = shop.poison(culprits, seed=5)
    report = shop.push()
    assert shop.suspects > 100
    assert report.exit_code == 1
    assert report.entities["orders"].backlog == shop.suspects
    return shop, bad


def sent_together(shop: Orders, since: int) -> list[int]:
    return [entry.documents for entry in shop.service.journal.requests(since=since)]


def test_suspects_share_no_request_with_new_orders(tmp_path: Path) -> None:
    shop, _ = suspects(tmp_path)
    shop.add(400)
    seen = shop.service.journal.total
    report = shop.push()
    assert sent_together(shop, seen)[:2] == [200, 200], "the new ones first, and accepted at once"
    assert report.entities["orders"].created >= 400
    assert all(f"o{n}" in shop.held() for n in range(2000, 2400))


def test_suspect_that_was_corrected_has_a_new_chance(tmp_path: Path) -> None:
    shop, _ = suspects(tmp_path)
    key = shop.entries("refusal = 'suspect'")[0][0]
    shop.service.faults.clear()
    shop.service.faults.add(Poison("orders", pattern=f"(?!{key}$).*"))
    shop.change("total = 5", f"id = '{key}'")
    shop.push()
    assert shop.held()[key] == 5


def test_service_that_changed_its_mind_gets_all_suspects_whatever_the_budget(
    tmp_path: Path,
) -> None:
    """A vendor's bad hour must not leave a shop's orders trickling in for weeks."""
    shop = Orders(tmp_path, 10_000, error_style="minimal")
    shop.service.faults.add(Poison("orders", pattern=".*"))
    shop.push()
    assert shop.suspects > 9900
    shop.service.faults.clear()
    report = shop.push()
    assert shop.suspects == 0
    assert report.requests <= 2 * 50 + 25
    shop.push(retry=True)  # the few that were refused alone
    assert shop.held() == shop.source()


def test_suspects_survive_a_run_that_ends_before_their_turn(tmp_path: Path) -> None:
    shop, bad = suspects(tmp_path)
    before = shop.suspects
    shop.add(400)
    shop.push(max_requests=1)
    assert shop.suspects == before
    for _ in range(10):
        shop.push(diagnosis_share=1.0)
    assert {row[0] for row in shop.entries("refusal = 'quarantined'")} == bad
    assert shop.held().keys() == shop.source().keys() - bad


def test_smaller_requests_split_the_groups_of_earlier_runs(tmp_path: Path) -> None:
    shop, bad = suspects(tmp_path)
    shop.settings["orders_per_request"] = 50
    seen = shop.service.journal.total
    while shop.suspects:
        shop.push(diagnosis_share=1.0)
    assert max(sent_together(shop, seen)) <= 50
    assert {row[0] for row in shop.entries("refusal = 'quarantined'")} == bad


# Quarantine


@pytest.fixture
def shop(tmp_path: Path) -> Orders:
    """Return a shop with one quarantined order, `o7`, of 1,000."""
    shop = Orders(tmp_path, 1000)
    shop.service.faults.add(Poison("orders", keys=["o7"], field="Currency", message=WORDS))
    report = shop.push()
    assert report.entities["orders"].quarantined == 1
    assert shop.push().requests == 0, "nothing changed, nothing is tried"
    return shop


def tried(shop: Orders, **options: Any) -> tuple[list[int], Report]:
    """Push and return how many documents each request held, and the report."""
    seen = shop.service.journal.total
    report = shop.push(**options)
    return sent_together(shop, seen), report


def test_quarantined_order_is_retried_when_it_changes_apart_from_the_good_ones(
    shop: Orders,
) -> None:
    shop.change("total = 5", "id IN ('o7', 'o8')")
    assert tried(shop)[0] == [1, 1]
    assert shop.held()["o8"] == 5
    assert "o7" not in shop.held()
    assert tried(shop)[0] == []


def test_quarantined_order_is_retried_when_the_mapping_changes(shop: Orders) -> None:
    shop.mapping = copy.deepcopy(MAPPING)
    shop.mapping["orders"]["fields"]["IsOrderCancelled"] = "note IS NOT NULL AND note = 'void'"
    shop.service.faults.clear()
    sizes, report = tried(shop, accept_resend=True)
    assert sorted(sizes) == [1, 199, 200, 200, 200, 200]
    assert (report.exit_code, report.entities["orders"].quarantined) == (0, 0)
    assert "o7" in shop.held()


def test_quarantined_order_is_retried_when_the_contract_changes(shop: Orders) -> None:
    shop.settings["caps"] = {"orders.OrderId": 50}
    shop.service.faults.clear()
    sizes, report = tried(shop)
    assert sizes == [1]
    assert report.exit_code == 0


def test_quarantined_order_is_retried_on_request_as_it_is_today(shop: Orders) -> None:
    assert tried(shop, retry=True)[0] == [1]
    (entry,) = shop.entries("refusal = 'quarantined'")
    assert entry[:3] == ("o7", "Currency", WORDS)
    assert entry[4], "the request that refused it"
    shop.connection.execute("UPDATE shop.orders SET total = 7.5 WHERE id = 'o7'")  # no load id
    shop.service.faults.clear()
    sizes, report = tried(shop, retry=True)
    assert (sizes, report.exit_code) == ([1], 0)
    assert shop.held()["o7"] == 7.5


def test_quarantined_order_that_is_deleted_at_the_source_is_forgotten(shop: Orders) -> None:
    shop.connection.execute("DELETE FROM shop.orders WHERE id = 'o7'")
    report = shop.push(full=True)
    assert (report.requests, report.entities["orders"].quarantined) == (0, 0)


# Accepted and not counted


def test_documents_that_were_not_counted_are_listed_and_found_on_request(tmp_path: Path) -> None:
    shop = Orders(tmp_path, 1000)
    shop.service.faults.add(Poison("orders", keys=["o7", "o500"], outcome="ignore"))
    report = shop.push()
    assert report.requests == 5, "what was not counted is not sent again by itself"
    count, samples = report.unconfirmed["orders"]
    assert (count, len(samples)) == (400, 3)
    assert "uncounted 400 orders" in report.summary
    assert shop.push().requests == 0

    sizes, report = tried(shop, confirm=True)
    assert sum(sizes) - 400 < 2 * 400, "halves of what was not counted in full"
    assert len(sizes) <= 2 + 2 * 2 * 8
    assert report.unconfirmed["orders"][0] == 2
    assert {row[0] for row in shop.entries("NOT confirmed")} == {"o7", "o500"}

    shop.service.faults.clear()
    assert tried(shop, confirm=True)[0] == [2]
    assert shop.held() == shop.source()
    assert shop.push(confirm=True).unconfirmed == {}
