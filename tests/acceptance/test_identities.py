"""Changed addresses, merges, consent and accounts: nobody is lost and nobody is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replenit_destination.sandbox.faults import Poison
from tests.acceptance.harness.oracle import Rules, keys
from tests.acceptance.harness.world import ELSEWHERE, HERE, World, delivered
from tests.doubles.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path

PRIORITIES = ("email", "customerid")


# -- customers


@pytest.mark.parametrize("style", ["query", "path"])
def test_a_new_address_is_a_new_customer_where_the_address_identifies(
    tmp_path: Path, style: str
) -> None:
    shop = delivered(tmp_path, delete_style=style)
    shop.shop.change_customer(1, email="New@Example.com ")
    report = shop.deliver()
    assert shop.said()[:2] == ["POST /customers 1", "POST /orders 13 22"]
    if style == "query":
        assert shop.said()[2:] == ["DELETE /customers?email=person1%40example.com"]
        shop.assert_ledger_agrees()
    else:
        # The path takes a CustomerId only, and the survivor has the same: nothing may be deleted,
        # and that is said.
        assert shop.said()[2:] == []
        assert report.exit_code == 1
    assert not any("unlinked" in x for x in shop.service.flags()["orders"].values())
    assert shop.deliver().requests == 0


@pytest.mark.parametrize("style", ["query", "path"])
def test_a_new_address_is_a_new_value_where_the_id_identifies(tmp_path: Path, style: str) -> None:
    shop = delivered(tmp_path, priority="customerid", delete_style=style)
    shop.shop.change_customer(1, email="new@example.com")
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13 22"]
    shop.assert_ledger_agrees()


@pytest.mark.parametrize("style", ["query", "path"])
@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("take_email", [False, True], ids=["own address", "loser's address"])
def test_a_merge_leaves_the_survivor_and_no_orphan(
    tmp_path: Path, priority: str, style: str, take_email: bool
) -> None:
    shop = delivered(tmp_path, priority=priority, delete_style=style)
    shop.shop.merge_customers(1, 2, take_email=take_email)
    report = shop.deliver()
    if (priority, style, take_email) == ("email", "path", True):
        # The record to delete and the survivor have one CustomerId: nothing is deleted, and said.
        assert (report.exit_code, report.entities["customers"].quarantined) == (1, 1)
        return
    assert report.exit_code == 0
    assert shop.said()[-1].startswith("DELETE /customers")
    assert {c["CustomerId"] for c in shop.state()["customers"].values()} == {"2", "3"}
    assert not any("unlinked" in x for x in shop.service.flags()["orders"].values())
    shop.assert_ledger_agrees()
    assert shop.deliver().requests == 0


def test_two_customers_who_swap_addresses_are_both_kept(tmp_path: Path) -> None:
    shop = delivered(tmp_path)
    first, second = shop.shop.customers[1].email, shop.shop.customers[2].email
    shop.shop.change_customer(1, email=second)
    shop.shop.change_customer(2, email=first)
    shop.deliver()
    assert shop.said()[0] == "POST /customers 1 2"
    assert not any(line.startswith("DELETE") for line in shop.said())
    shop.assert_ledger_agrees()


def test_the_old_address_stays_until_the_new_one_is_accepted(tmp_path: Path) -> None:
    """real-shops.md rule 8: the survivor first, so that a refusal loses nobody."""
    shop = delivered(tmp_path)
    shop.service.faults.add(Poison("customers", keys=["new@example.com"]))
    shop.shop.change_customer(1, email="new@example.com")
    report = shop.deliver(poisoned={("customers", "new@example.com")}, allow_removals=["customers"])
    assert not any(line.startswith("DELETE") for line in shop.said())
    assert report.entities["customers"].quarantined == 1
    shop.service.faults.clear()
    shop.deliver(retry=True)
    assert shop.said()[-1] == "DELETE /customers?email=person1%40example.com"
    shop.assert_ledger_agrees()


@pytest.mark.parametrize("style", ["query", "path"])
@pytest.mark.parametrize("priority", PRIORITIES)
def test_an_erased_customer_is_deleted_and_the_orders_fall_back_to_their_own_address(
    tmp_path: Path, priority: str, style: str
) -> None:
    shop = delivered(tmp_path, priority=priority, delete_style=style)
    shop.shop.change_customer(1, email="new@example.com")
    if style == "query" or priority == "customerid":
        shop.deliver()
        shop.shop.erase_customer(1)
        shop.deliver()
        assert shop.said()[0] == "POST /orders 13 22"
        assert shop.said()[1].startswith("DELETE /customers")
        assert len(shop.said()) == 2
        shop.assert_ledger_agrees()


def test_a_customer_who_vanished_is_kept_but_the_orders_follow_the_source(tmp_path: Path) -> None:
    """A look-up row that leaves no trace still changes what looked it up (rule 20)."""
    shop = delivered(tmp_path)
    shop.shop.change_customer(1, email="new@example.com")
    shop.deliver()
    del shop.shop.customers[1]
    report = shop.deliver()
    assert shop.said() == ["POST /orders 13 22"]
    assert report.entities["customers"].withheld == 1


# -- consent


def test_people_who_never_consented_are_not_sent_nor_are_their_orders(tmp_path: Path) -> None:
    truth = Shop.sample()
    truth.change_customer(1, gdpr=False)
    shop = World(tmp_path, Rules(gdpr_policy="consented_only"), shop=truth)
    report = shop.deliver()
    assert shop.said()[0] == "POST /customers 2 3"
    assert shop.said()[2] == "POST /orders 16 19 25 28"
    assert report.entities["customers"].skipped == 1
    assert report.entities["orders"].skipped == 2
    truth.change_customer(1, gdpr=True)
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13 22"]
    shop.assert_ledger_agrees()


def test_a_withdrawal_is_delivered_first_and_ends_the_orders(tmp_path: Path) -> None:
    shop = delivered(tmp_path, gdpr_policy="consented_only")
    shop.shop.change_customer(1, gdpr=False)
    shop.shop.change_customer(2, name="Bea")
    shop.shop.change_order(13, cancelled=True)
    shop.shop.change_order(16, cancelled=True)
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /customers 2", "POST /orders 16"]
    assert shop.state()["customers"]["person1@example.com"]["GdprOptin"] is False
    shop.shop.change_customer(1, gdpr=True)
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13"]
    shop.assert_ledger_agrees()


def test_an_uncounted_order_that_may_no_longer_be_sent_is_told_as_skipped(tmp_path: Path) -> None:
    truth = Shop.sample()
    shop = World(tmp_path, Rules(gdpr_policy="consented_only"), shop=truth)
    shop.service.faults.add(Poison("orders", keys=["13"], outcome="ignore"))
    shop.load()
    report = shop.push()
    assert report is not None
    assert "orders" in report.unconfirmed
    shop.service.faults.clear()
    truth.change_customer(1, gdpr=False)
    shop.load()
    report = shop.push(confirm=True)
    assert report is not None
    assert (report.unconfirmed, report.entities["orders"].skipped) == ({}, 2)
    assert report.exit_code == 0, "no push could find out more"
    truth.change_customer(1, gdpr=True)
    shop.load()
    shop.push()
    assert shop.state()["orders"].keys() == keys(truth, Rules())["orders"]
    shop.assert_ledger_agrees()


# -- orders that wait


def test_an_order_waits_a_day_for_its_refused_customer_and_then_goes(tmp_path: Path) -> None:
    shop = World(tmp_path)
    shop.service.faults.add(Poison("customers", keys=["person1@example.com"]))
    shop.load()
    report = shop.push()
    assert report is not None
    assert set(shop.state()["orders"]) == {"16", "19", "25", "28"}
    assert report.entities["orders"].backlog == 2
    shop.clock.advance(23 * 3600)
    report = shop.push()
    assert report is not None
    assert (report.requests, report.entities["orders"].backlog) == (0, 2)
    shop.clock.advance(2 * 3600)
    shop.push()
    assert shop.said() == ["POST /orders 13 22"]
    report = shop.push()
    assert report is not None
    assert report.requests == 0


def test_an_order_that_waits_goes_with_its_customer(tmp_path: Path) -> None:
    shop = World(tmp_path)
    shop.service.faults.add(Poison("customers", keys=["person1@example.com"]))
    shop.load()
    shop.push()
    shop.service.faults.clear()
    shop.shop.change_customer(1, name="Bea")
    shop.deliver()
    assert shop.said() == ["POST /customers 1", "POST /orders 13 22"]
    shop.assert_ledger_agrees()


# -- accounts


def test_two_tenants_of_one_database_do_not_disturb_each_other(tmp_path: Path) -> None:
    shop = World(tmp_path)
    shop.deliver()
    shop.push(tenant=ELSEWHERE)
    assert shop.state(ELSEWHERE) == shop.state(HERE)
    assert len(shop.calls) == 3
    shop.shop.delete_order(13)
    shop.deliver()
    assert shop.said() == ["DELETE /orders/13"]
    assert "13" in shop.state(ELSEWHERE)["orders"]
    shop.push(tenant=ELSEWHERE)
    assert shop.said() == ["DELETE /orders/13"]
    assert shop.state(ELSEWHERE) == shop.state(HERE)


def test_a_ledger_pointed_at_another_host_sends_everything_there(tmp_path: Path) -> None:
    shop = delivered(tmp_path)
    before = shop.settings["base_url"]
    shop.service.reset()
    shop.settings["base_url"] = "http://127.0.0.1:2"
    report = shop.push()
    assert report is not None
    assert shop.said() == [
        "POST /customers 1 2 3",
        "POST /products 10 4 7",
        "POST /orders 13 16 19 22 25 28",
    ]
    assert report.entities["orders"].created == 6
    shop.settings["base_url"] = before
    report = shop.push()
    assert report is not None
    assert report.requests == 0
