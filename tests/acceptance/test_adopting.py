"""What is adopted is taken for accepted: nothing is sent, and afterwards only what changes is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replenit_destination.engine.adopt import Adopted, adopt
from replenit_destination.exceptions import LedgerError
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.world import World

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def adopted(world: World, **options: Any) -> Adopted:
    target = ReplenitTarget(ReplenitSettings(**world.settings), clock=world.clock.now)
    mapping = world.mapping.entities(target.entities)
    seen = world.service.journal.total
    found = adopt(
        world.staged.staged, target, mapping, ledger=world.ledger, clock=world.clock, **options
    )
    assert world.service.journal.total == seen  # nothing was sent
    return found


def test_after_adopting_only_what_changes_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.load()
    found = adopted(world)
    assert found.documents == {"customers": 3, "products": 3, "orders": 6}
    assert found.exit_code == 0
    assert found.moment == world.clock.now()

    report = world.push()
    assert (report.requests, report.exit_code, report.unconfirmed) == (0, 0, {})
    (order, *_) = world.shop.orders
    world.shop.change_order(order, cancelled=True)
    world.load()
    world.push()
    assert [call.keys for call in world.calls] == [(str(order),)]


def test_children_are_adopted_too(tmp_path: Path) -> None:
    """A line that is removed after the adoption gets its own delete."""
    world = World(tmp_path)
    world.load()
    adopted(world)
    (order, *_) = world.shop.orders.values()
    world.shop.remove_line(order.id, order.lines[0].id)
    world.load()
    world.push()
    assert [call.method for call in world.calls] == ["POST", "DELETE"]


def test_rejected_documents_are_told_and_not_adopted(tmp_path: Path) -> None:
    world = World(tmp_path)
    (product, *_) = world.shop.products
    world.shop.change_product(product, name=None)
    world.load()
    found = adopted(world)
    assert found.to_dict()["entities"]["products"] == {
        "adopted": 2,
        "rejected": 1,
        "skipped": 0,
        "backlog": 0,
        "withheld": 0,
    }
    assert found.exit_code == 1


def test_ledger_that_knows_documents_is_not_covered_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.deliver()
    with pytest.raises(LedgerError, match="6 orders"):
        adopted(world)
    (order, *_) = world.shop.orders
    world.shop.change_order(order, cancelled=True)
    world.load()
    assert adopted(world, force=True).documents["orders"] == 6
    assert world.push().requests == 0


def test_one_entity_alone_can_be_adopted(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.load()
    assert adopted(world, entities=["customers"]).documents == {"customers": 3}
    world.push()
    assert sorted(call.path for call in world.calls) == ["/orders", "/products"]


def test_adopted_documents_can_be_sent_once_to_be_sure(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.load()
    adopted(world)
    world.push(confirm=True)
    world.oracle.pushed(world.shop)
    assert world.state() == world.oracle.held
    assert world.push(confirm=True).requests == 0
