"""The sample shop has what the demo promises, the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from replenit_destination.sandbox.shopify import Shop, new_day, sample_shop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shop() -> Shop:
    return sample_shop()


def test_same_seed_gives_the_same_shop(shop: Shop, tmp_path: Path) -> None:
    again, other = sample_shop(), sample_shop(seed=8)
    files = [tmp_path / name for name in ("a.json", "b.json", "c.json")]
    for each, file in zip((shop, again, other), files, strict=True):
        each.save(file)
    first, second, third = (file.read_bytes() for file in files)
    assert first == second
    assert first != third


def test_saved_shop_comes_back_whole(shop: Shop, tmp_path: Path) -> None:
    shop.save(tmp_path / "shop.json")
    back = Shop()
    back.restore(tmp_path / "shop.json")
    assert (back.customers, back.orders, back.products) == (
        shop.customers,
        shop.orders,
        shop.products,
    )
    assert back.last_id == shop.last_id


def test_shop_is_large_and_varied_enough(shop: Shop) -> None:
    orders, customers = shop.orders.values(), shop.customers.values()
    assert len(customers) >= 300
    assert len(orders) >= 1000
    assert len(shop.products) >= 60
    assert {row["locale"] for row in customers} >= {"de", "fr", "tr", "en-GB", "pt-BR"}
    assert {row["presentment"] for row in orders} >= {"EUR", "GBP", "USD", "SEK", "TRY"}
    lines = [line for row in orders for line in row["lines"]]
    present = {
        "cancelled": any(row["cancelledAt"] for row in orders),
        "voided": any(row["voided"] for row in orders),
        "edited": any(row["edited"] for row in orders),
        "refunded": any(row["refunds"] for row in orders),
        "money-only refund": any(row["adjustment"] != "0.0" for row in orders),
        "test": any(row["test"] for row in orders),
        "guest with address": any(not row["customerId"] and row["email"] for row in orders),
        "guest without": any(not row["customerId"] and not row["email"] for row in orders),
        "gift": any(line["attributes"] for line in lines),
        "tip": any(line["title"] == "Trinkgeld" for line in lines),
        "gift card": any(line["isGiftCard"] for line in lines),
        "deleted product": any(
            line["productId"] and line["productId"] not in shop.products for line in lines
        ),
        "tax on top": any(not row["taxesIncluded"] for row in orders),
        "customer without address": any(not row["email"] for row in customers),
        "opt-out": any(row["emailState"] == "UNSUBSCRIBED" for row in customers),
        "merge": any(event["subjectType"] == "CUSTOMER" for event in shop.events),
        "deleted order": any(event["subjectType"] == "ORDER" for event in shop.events),
    }
    assert [name for name, there in present.items() if not there] == []


def test_people_come_back(shop: Shop) -> None:
    counts = Counter(row["customerId"] for row in shop.orders.values() if row["customerId"])
    returning = sum(count >= 3 for count in counts.values())
    assert returning > len(counts) / 3


def test_nobody_is_real(shop: Shop, tmp_path: Path) -> None:
    shop.save(tmp_path / "shop.json")
    content = json.loads((tmp_path / "shop.json").read_text(encoding="utf-8"))
    mails = [row["email"] for kind in ("customers", "orders") for row in content[kind]]
    assert {mail.rpartition("@")[2] for mail in mails if mail} == {"example.com"}


def test_new_day_changes_a_few_things_and_says_which() -> None:
    shop = sample_shop(customers=60)
    before = len(shop.events)
    said = new_day(shop, seed=1)
    assert len(said) == 6
    assert len(shop.events) == before + 1
