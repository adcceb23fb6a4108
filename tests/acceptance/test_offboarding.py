"""The end of a tenant: everything the ledger knows is deleted, or forgotten, and stays away."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from replenit_destination.engine.ledger_view import read_ledger
from replenit_destination.engine.offboard import forget_tenant, offboard
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.own_ledger import own_ledger
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.tenancy import deletion_prices, resend_prices, void
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.world import ELSEWHERE, World
from tests.doubles.sandboxed import ServiceTransport

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from replenit_destination.engine.report import Report


def target_of(world: World) -> ReplenitTarget:
    return ReplenitTarget(ReplenitSettings(**world.settings), clock=world.clock.now)


def ended(world: World, **options: Any) -> Report:
    return offboard(
        target_of(world),
        transport=ServiceTransport(world.service, world.settings["api_key"]),
        ledger=world.ledger,
        clock=world.clock,
        random=random.Random(1),
        options=PushOptions(workers=0, **options),
        quota=UnlimitedQuota(),
    )


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.deliver()
    made.push(tenant=ELSEWHERE)
    return made


def test_everything_is_deleted_and_nothing_comes_back(world: World) -> None:
    before = world.state(ELSEWHERE)
    report = ended(world)
    assert (report.requests, report.exit_code) == (12, 0)
    assert {name: one.deleted for name, one in report.entities.items()} == {
        "customers": 3,
        "orders": 6,
        "products": 3,
    }
    assert not any(world.state().values())
    assert world.state(ELSEWHERE) == before

    report = world.push(full=True)
    assert (report.halted, report.requests) == ("paused", 0)
    assert "offboarded" in report.notices[0]


def test_interrupted_offboarding_goes_on(world: World) -> None:
    report = ended(world, max_requests=5)
    assert (report.halted, report.exit_code) == ("max_requests", 3)
    assert len(world.state()["orders"]) == 1
    assert ended(world).requests == 7
    assert not any(world.state().values())


def test_local_only_forgets_and_sends_nothing(world: World) -> None:
    seen = world.service.journal.total
    forgotten = forget_tenant(
        target_of(world), ledger=world.ledger, clock=world.clock, wait_seconds=0
    )
    assert forgotten == 12
    assert world.service.journal.total == seen
    assert world.push().halted == "paused"
    assert len(world.state()["orders"]) == 6


def test_voided_tenant_is_sent_everything_again(world: World) -> None:
    target = target_of(world)
    with read_ledger(world.ledger, target) as view:
        assert view is not None
        again = resend_prices(view, target, quota_share=1.0)
        gone = deletion_prices(view, target, quota_share=1.0)
    assert [(one.entity, one.documents, one.requests) for one in again] == [
        ("customers", 3, 1),
        ("orders", 6, 1),
        ("products", 3, 1),
    ]
    assert sum(one.requests for one in gone) == 12
    assert gone[1].minutes == pytest.approx(6 / (5000 / 60))

    with own_ledger(world.ledger, target, clock=world.clock) as ledger:
        assert void(ledger) == 12
    report = world.push()
    assert report.requests == sum(one.requests for one in again)
    assert report.entities["orders"].created == 6
    assert world.push(tenant=ELSEWHERE).requests == 0  # the other tenant is as it was
