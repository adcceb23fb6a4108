"""A push of documents that a person names: exactly these travel, and nothing else is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from replenit_destination.engine.options import PushOptions
from replenit_destination.exceptions import SettingsError
from tests.acceptance.harness.world import World

if TYPE_CHECKING:
    from pathlib import Path


def keys_sent(world: World) -> list[tuple[str, tuple[str, ...]]]:
    return [(call.path, call.keys) for call in world.calls]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.deliver()
    return made


def test_forced_key_is_sent_again_and_nothing_else(world: World) -> None:
    first, second, *_ = world.shop.orders
    world.shop.change_order(second, cancelled=True)
    world.load()
    report = world.push(entities=["orders"], keys=[str(first)], force=True)
    assert keys_sent(world) == [("/orders", (str(first),))]
    assert report.entities["orders"].compared == "named documents only"
    world.push()
    assert keys_sent(world) == [("/orders", (str(second),))]


def test_key_that_did_not_change_is_not_sent_without_force(world: World) -> None:
    (key, *_) = world.shop.orders
    report = world.push(entities=["orders"], keys=[str(key)])
    assert (report.requests, report.exit_code) == (0, 0)


def test_address_matches_in_any_case(world: World) -> None:
    (person, *_) = world.shop.customers.values()
    world.push(entities=["customers"], keys=[f" {person.email.upper()}"], force=True)
    assert keys_sent(world) == [("/customers", (str(person.id),))]


def test_missing_key_is_told_without_being_named(world: World) -> None:
    report = world.push(entities=["orders"], keys=["never-there"], force=True)
    assert report.requests == 0
    assert report.notices == ["orders: no staged row makes 1 of the named documents"]


def test_removals_and_backlog_wait_for_an_ordinary_push(world: World) -> None:
    """What a named push does not look at stays as new as it was for the next one."""
    first, second, third, *_ = world.shop.orders
    world.shop.delete_order(second)
    world.shop.change_order(third, cancelled=True)
    world.load()
    world.push(max_requests=0)
    world.push(entities=["orders"], keys=[str(first)], force=True)
    assert keys_sent(world) == [("/orders", (str(first),))]
    report = world.push()
    assert report.exit_code == 0
    world.oracle.pushed(world.shop)
    assert world.state() == world.oracle.held


def test_since_means_loaded_or_accepted_since(world: World) -> None:
    first, second, third, *_ = world.shop.orders
    world.clock.wait(3600)
    moment = world.clock.now()
    world.shop.change_order(first, cancelled=True)
    world.load()
    world.push()
    assert keys_sent(world) == [("/orders", (str(first),))]
    world.push(since=moment, force=True)
    assert keys_sent(world) == [("/orders", (str(first),))]  # accepted since
    world.push(since=moment + 3600, force=True)
    assert world.calls == []
    world.shop.change_order(second, cancelled=True)
    loaded = float(world.staged.load())
    world.push(since=loaded, force=True)
    sent = {key for call in world.calls if call.path == "/orders" for key in call.keys}
    assert str(second) in sent  # loaded since
    assert str(third) not in sent


def test_since_and_key_must_both_hold(world: World) -> None:
    first, second, *_ = world.shop.orders
    everything = world.clock.now() - 10
    world.push(since=everything, entities=["orders"], keys=[str(first)], force=True)
    assert keys_sent(world) == [("/orders", (str(first),))]
    world.push(since=world.clock.now() + 10, entities=["orders"], keys=[str(second)], force=True)
    assert world.calls == []


def test_refused_documents_are_tried_as_they_are_today(tmp_path: Path) -> None:
    world = World(tmp_path)
    product = world.shop.add_product()
    world.shop.change_product(product.id, name=None)
    world.load()
    report = world.push()
    assert report.entities["products"].rejected == 1
    world.shop.change_product(product.id, name="Named again")
    (first, *_) = world.shop.orders
    world.shop.change_order(first, cancelled=True)
    world.load()
    report = world.push(refused=True)
    assert keys_sent(world) == [("/products", (str(product.id),))]
    assert report.entities["products"].rejected == 0
    world.push(refused=True)
    assert world.calls == []
    world.push()
    assert keys_sent(world) == [("/orders", (str(first),))]


def test_keys_need_their_entity() -> None:
    with pytest.raises(SettingsError, match="name the entity too"):
        PushOptions(keys=["1001"])
