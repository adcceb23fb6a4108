"""A pause holds delivery; staging, withdrawals of consent and erasures go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replenit_destination.engine.own_ledger import own_ledger
from replenit_destination.engine.pause import FOREVER, Pause, pause, pause_now, resume
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.world import HERE, World

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from replenit_destination.engine.ledger import Ledger


def opened(world: World, tenant: str = HERE) -> AbstractContextManager[Ledger]:
    target = ReplenitTarget(ReplenitSettings(**{**world.settings, "tenant_id": tenant}))
    return own_ledger(world.ledger, target, clock=world.clock)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.deliver()
    return made


def test_paused_push_ends_cleanly_and_the_next_one_sends_all(world: World) -> None:
    (order, *_) = world.shop.orders
    world.shop.change_order(order, cancelled=True)
    world.load()
    with opened(world) as ledger:
        pause(ledger, world.clock.now() + 3600, "stock-taking")
    report = world.push()
    assert (report.halted, report.exit_code, report.requests) == ("paused", 3, 0)
    assert "stock-taking" in report.notices[0]
    assert "delivery is paused" in report.summary
    assert report.entities["orders"].backlog == 1

    world.clock.wait(3601)
    report = world.push()
    assert (report.halted, report.exit_code) == ("", 0)
    assert [call.keys for call in world.calls] == [(str(order),)]


def test_withdrawals_and_erasures_do_not_wait(world: World) -> None:
    first, second, third = world.shop.customers
    world.shop.change_customer(first, email_optin=False)
    world.shop.change_customer(third, name="Grace")
    world.shop.erase_customer(second)
    world.load()
    with opened(world) as ledger:
        pause(ledger, FOREVER)
    world.push()
    assert [(call.method, call.path) for call in world.calls] == [
        ("POST", "/customers"),
        ("DELETE", "/customers"),
    ]
    assert world.calls[0].keys == (str(first),)
    with opened(world) as ledger:
        assert resume(ledger)
        assert not resume(ledger)
    world.push()
    world.oracle.pushed(world.shop)
    assert world.state() == world.oracle.held


def test_pause_of_one_tenant_is_not_the_others(world: World) -> None:
    other = "5a11d0b0-0000-4000-8000-000000000002"
    with opened(world, other) as ledger:
        pause(ledger, FOREVER)
        assert pause_now(ledger) is not None
    with opened(world) as ledger:
        assert pause_now(ledger) is None


def test_pause_tells_its_end() -> None:
    assert str(Pause(0, 3600, "move")) == "delivery is paused until 1970-01-01 01:00:00 UTC (move)"
    assert str(Pause(0, FOREVER)) == "delivery is paused until it is resumed"
