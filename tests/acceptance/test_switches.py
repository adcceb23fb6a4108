"""The right end state whatever the vendor's pages leave open, by an oracle per switch."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from replenit_destination.sandbox.faults import Poison
from tests.acceptance.harness.oracle import ENTITIES, Rules
from tests.acceptance.harness.pairs import pairwise
from tests.acceptance.harness.world import World
from tests.doubles.shop import Shop
from tests.doubles.staged_shop import FORMS, Form

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.report import Report

SWITCHES = {
    "children": ("merge", "replace"),
    "omitted": ("reset", "keep"),
    "error_style": ("problem", "envelope", "minimal", "bare", "mixed"),
    "priority": ("email", "customerid"),
    "delete_style": ("query", "path"),
    "product_removal": ("unavailable", "delete"),
    "atomic_400": ("on", "off"),
}
PAIRS = pairwise(SWITCHES)


def made(folder: Path, chosen: dict[str, str], form: Form) -> World:
    """Return a world of 4 customers (1 to 4), products 5, 8, 11, 14 and 53, and orders 17 to 50.

    Every fourth order (26, 38, 50) is customer 4's; nobody ever ordered product 53.
    """
    vendor = {name: chosen[name] for name in ("error_style", "atomic_400")}
    rules = Rules(**{name: value for name, value in chosen.items() if name not in vendor})
    shop = Shop.sample(customers=4, products=4, orders=12)
    shop.add_product(variants=2)
    return World(folder, rules, form=form, switches=vendor, shop=shop)


def poison(world: World) -> set[tuple[str, str]]:
    """Make the vendor refuse one customer, one product and two orders; return their keys."""
    customer = "person4@example.com" if world.rules.priority == "email" else "4"
    bad = {("customers", customer), ("products", "53"), ("orders", "17"), ("orders", "35")}
    world.service.faults.add(
        *(Poison(entity, keys=[key], message="Not today.") for entity, key in sorted(bad))
    )
    return bad


def quarantined(report: Report) -> dict[str, int]:
    """Return how many of each entity are quarantined; each must have a reason."""
    assert all(reason for _, _, reason in report.refusals)
    return {name: one.quarantined for name, one in report.entities.items() if one.quarantined}


def test_the_chosen_combinations_hold_every_pair() -> None:
    for first, second in combinations(SWITCHES, 2):
        met = {(each[first], each[second]) for each in PAIRS}
        assert len(met) == len(SWITCHES[first]) * len(SWITCHES[second])


@pytest.mark.parametrize(
    ("chosen", "form"),
    [(chosen, FORMS[number % len(FORMS)]) for number, chosen in enumerate(PAIRS)],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value,
)
def test_the_vendor_ends_with_what_the_shop_says(
    tmp_path: Path, chosen: dict[str, str], form: Form
) -> None:
    world = made(tmp_path, chosen, form)
    shop, bad = world.shop, poison(world)

    # Good documents arrive although bad ones travel with them; the bad ones are named.
    report = world.deliver(poisoned=bad)
    assert quarantined(report) == {"customers": 1, "products": 1, "orders": 2}
    assert world.deliver(poisoned=bad).requests == 0

    # Values become empty, lines and variants go and come, people and products go.
    shop.change_customer(1, name=None, phone=None)
    shop.change_customer(2, email="new@example.com")
    shop.change_line(20, shop.orders[20].lines[0].id, size=None)
    shop.change_line(20, shop.orders[20].lines[1].id, quantity=3)
    shop.change_variant(5, 6, brand=None, price=Decimal("8.000000001"))
    shop.change_order(23, cancelled=True, total=Decimal("0.10"))
    shop.remove_line(41, shop.orders[41].lines[0].id)
    shop.add_line(29, shop.products[5].variants[1])
    shop.delete_order(32)
    shop.change_order(35, cancelled=True)
    shop.lose_order(44)
    variant = shop.remove_variant(8, 10)
    product = shop.remove_product(11)
    report = world.deliver(poisoned=bad)
    assert world.emptied(report) == world.oracle.emptied
    assert world.oracle.emptied["customers", "Name"] == 1
    assert world.oracle.emptied["orders", "OrderItems.Size"] == 1
    assert report.entities["orders"].withheld == 1
    assert world.deliver(poisoned=bad).requests == 0

    # Everything is back as it was, and two people turn out to be one.
    shop.change_customer(1, name="Ann", phone="+4930123456")
    shop.change_variant(5, 6, brand="Acme", price=Decimal("12.50"))
    shop.change_order(23, cancelled=False, total=Decimal("19.90"))
    shop.return_variant(8, replace(variant, name="Back"))
    shop.return_product(product)
    shop.merge_customers(3, 1)
    report = world.deliver(poisoned=bad)
    assert world.emptied(report) == {}
    assert quarantined(report)["orders"] == 2

    # The vendor comes to like what it refused.
    world.service.faults.clear()
    report = world.deliver(retry=True, allow_removals=ENTITIES)
    orphan = world.rules.priority == "email" and world.rules.delete_style == "path"
    assert quarantined(report) == ({"customers": 1} if orphan else {})
    world.oracle.loaded(shop)
    report = world.deliver(allow_removals=ENTITIES)
    assert (report.requests, report.exit_code) == (0, int(orphan))
    if not orphan:
        world.assert_ledger_agrees()
