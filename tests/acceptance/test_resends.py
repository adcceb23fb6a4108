"""A new mapping or setting sends again only what it really changes, and not much without a word."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.plain import MAPPING, PlainShop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path) -> PlainShop:
    shop = PlainShop(tmp_path, customers=600)
    assert shop.push().requests == 2
    return shop


def renamed() -> dict[str, object]:
    mapping = copy.deepcopy(MAPPING)
    mapping["customers"]["fields"]["Name"] = "upper(first_name)"
    return mapping


def test_setting_that_renders_the_same_sends_nothing(shop: PlainShop) -> None:
    report = shop.push(settings={"compute_total_revenue": True})
    assert report.entities["customers"].compared == "mapping or settings changed"
    assert (report.requests, report.exit_code, report.held) == (0, 0, [])


def test_mapping_that_changes_everything_is_held_with_its_price(shop: PlainShop) -> None:
    shop.mapping = renamed()
    report = shop.push()
    (held,) = report.held
    assert (held.entity, held.documents, held.of, held.requests) == ("customers", 600, 600, 2)
    assert (report.requests, report.exit_code) == (0, 1)
    assert "accept_resend" in report.summary
    assert report.entities["customers"].backlog == 600


def test_live_changes_travel_while_re_sends_are_held(shop: PlainShop) -> None:
    shop.mapping = renamed()
    shop.change("first_name = 'Eve'", "id = 5")
    report = shop.push()
    assert report.requests == 1
    assert shop.held("p5@example.com")["Name"] == "EVE"
    assert shop.held("p6@example.com")["Name"] == "Ada"
    assert shop.push().requests == 0


def test_accepted_re_sends_travel_once(shop: PlainShop) -> None:
    shop.mapping = renamed()
    shop.push()
    report = shop.push(accept_resend=True)
    assert (report.requests, report.entities["customers"].updated) == (2, 600)
    assert shop.held("p6@example.com")["Name"] == "ADA"
    assert shop.push().requests == 0


def test_few_re_sends_need_no_word(tmp_path: Path) -> None:
    shop = PlainShop(tmp_path, customers=40)
    shop.push()
    shop.mapping = renamed()
    report = shop.push()
    assert (report.entities["customers"].updated, report.held) == (40, [])
