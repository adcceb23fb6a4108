"""Whom an erasure takes, and whom not, under each identifier and in each form of the tables."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from replenit_destination.engine.forget import erase
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.exceptions import SettingsError
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.oracle import Rules
from tests.acceptance.harness.world import ELSEWHERE, HERE, World, delivered
from tests.doubles.sandboxed import ServiceTransport
from tests.doubles.staged_shop import FORMS, Form

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.receipt import Receipt


NAMES = {"email": "Email", "id": "CustomerId"}


def forget(shop: World, *, offline: bool = False, **given: str) -> Receipt:
    """Erase a person, named by `email` or `id`."""
    target = ReplenitTarget(ReplenitSettings(**shop.settings), clock=shop.clock.now)
    transport = ServiceTransport(shop.service, shop.settings["api_key"])
    receipt, _ = erase(
        shop.staged.staged,
        target,
        shop.mapping.entities(target.entities),
        {NAMES[name]: value for name, value in given.items()},
        transport=None if offline else transport,
        ledger=shop.ledger,
        clock=shop.clock,
        random=random.Random(1),
        options=PushOptions(workers=0),
        quota=UnlimitedQuota(),
    )
    return receipt


def staged(shop: World, table: str) -> list[int]:
    rows = shop.staged.connection.execute(f"SELECT id FROM shop.{table} ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def person(shop: World, number: int) -> str:
    return shop.shop.customers[number].email


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_the_person_is_staged_whatever_form_children_have(
    tmp_path: Path, form: Form
) -> None:
    shop = delivered(tmp_path, form)
    orders = {n for n, one in shop.shop.orders.items() if one.customer == 2}
    receipt = forget(shop, email=person(shop, 2))
    assert receipt.exit_code == 0
    assert staged(shop, "customers") == [1, 3]
    assert set(staged(shop, "orders")) == set(shop.shop.orders) - orders
    assert {int(key) for key in shop.state()["orders"]} == set(shop.shop.orders) - orders
    lines = {
        line.id for n in shop.shop.orders.keys() - orders for line in shop.shop.orders[n].lines
    }
    if form in {"nested", "table"}:
        table = "orders__lines" if form == "nested" else "lines"
        assert set(staged(shop, table)) == lines
    report = shop.push()
    assert report is not None
    assert (report.requests, report.exit_code, report.withheld) == (0, 0, [])
    shop.staged.load(replace=True)
    report = shop.push(full=True)
    assert report is not None
    assert report.requests == 0
    assert report.entities["orders"].skipped == len(orders)


@pytest.mark.parametrize(
    ("priority", "style", "by"),
    [
        ("email", "query", "id"),
        ("email", "path", "email"),
        ("customerid", "query", "email"),
        ("customerid", "path", "id"),
    ],
)
def test_person_is_deleted_by_the_identifier_the_service_wants(
    tmp_path: Path, priority: str, style: str, by: str
) -> None:
    shop = delivered(tmp_path, priority=priority, delete_style=style)
    given = {"email": person(shop, 2).upper()} if by == "email" else {"id": "2"}
    seen = shop.service.journal.total
    assert forget(shop, **given).exit_code == 0
    first = next(iter(shop.service.journal.requests(since=seen)))
    where = "/2" if style == "path" else ""
    query = {"email": f"email={person(shop, 2).replace('@', '%40')}", "customerid": "customerId=2"}
    assert (first.path, first.query) == (
        f"/customers/{HERE}{where}",
        "" if style == "path" else query[priority],
    )
    assert len(shop.state()["customers"]) == 2


def test_address_that_two_people_share_goes_with_both_and_their_ids_alone_do_not(
    tmp_path: Path,
) -> None:
    shop = World(tmp_path)
    shared = person(shop, 3)
    shop.shop.change_customer(2, email=shared)
    shop.load()
    shop.push()
    with pytest.raises(SettingsError, match="give the Email too"):
        forget(shop, id="2")  # the address is not theirs alone
    forget(shop, email=shared)
    assert staged(shop, "customers") == [1]


def test_another_person_with_the_same_address_stays_when_an_id_is_named(tmp_path: Path) -> None:
    shop = World(tmp_path, Rules(priority="customerid"))
    shop.shop.change_customer(2, email=person(shop, 3))
    shop.load()
    receipt = forget(shop, offline=True, id="2")
    assert staged(shop, "customers") == [1, 3]
    assert all(shop.shop.orders[n].customer != 2 for n in staged(shop, "orders"))
    assert len(receipt.person) == 1
    shop.staged.load(replace=True)
    report = shop.push()
    assert report is not None
    assert report.entities["customers"].skipped == 1


def test_other_tenants_of_the_ledger_are_told_by_their_next_push(tmp_path: Path) -> None:
    shop = delivered(tmp_path)
    shop.push(tenant=ELSEWHERE)
    receipt = forget(shop, email=person(shop, 2))
    assert receipt.exit_code == 3
    ((place, count),) = receipt.pending.items()
    assert ELSEWHERE in place
    assert count == 1 + sum(one.customer == 2 for one in shop.shop.orders.values())
    told = shop.push(tenant=ELSEWHERE, max_requests=1)
    assert told is not None
    assert [call.method for call in shop.calls] == ["DELETE"]
    assert told.notices[0].startswith(f"{count - 1} documents of forgotten people are still")
    assert "1 erasures were cut off" in told.notices[1]  # nobody rewrote the staged tables
    shop.push(tenant=ELSEWHERE)
    assert {call.method for call in shop.calls} == {"DELETE"}
    assert len(shop.state(ELSEWHERE)["customers"]) == 2
    assert forget(shop, email=person(shop, 2)).exit_code == 0


def test_orders_whose_rows_are_gone_are_found_by_what_was_sent(tmp_path: Path) -> None:
    shop = delivered(tmp_path)
    shop.staged.connection.execute("DELETE FROM shop.orders")
    orders = {str(n) for n, one in shop.shop.orders.items() if one.customer == 2}
    assert orders
    forget(shop, email=person(shop, 2))
    assert not orders & set(shop.state()["orders"])
