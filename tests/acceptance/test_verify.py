"""Verifying tells what the ledger and the source disagree on, whatever loads have touched."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.verification import verify
from replenit_destination.sandbox.faults import Poison
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.world import World, delivered

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.verification import Verification


def verified(world: World) -> Verification:
    """Verify, and check that this left ledger and vendor as they were."""
    target = ReplenitTarget(ReplenitSettings(**world.settings), clock=world.clock.now)
    before = hashlib.sha256(world.ledger.read_bytes()).hexdigest(), world.service.journal.total
    found = verify(
        world.staged.staged,
        target,
        world.mapping.entities(target.entities),
        ledger=world.ledger,
        clock=world.clock,
    )
    after = hashlib.sha256(world.ledger.read_bytes()).hexdigest(), world.service.journal.total
    assert after == before
    return found


def counts(found: Verification, entity: str) -> dict[str, int]:
    """Return what is not zero."""
    told = found.to_dict()["entities"][entity]
    return {name: count for name, count in told.items() if name != "samples" and count}


def change_ledger(world: World, statement: str) -> None:
    with world.staged.connection.cursor() as cursor:
        cursor.execute(f"ATTACH '{world.ledger}' AS changed")
        cursor.execute(statement.replace("entry", "changed.entry", 1))
        cursor.execute("DETACH changed")


def test_what_was_delivered_is_the_same(tmp_path: Path) -> None:
    found = verified(delivered(tmp_path))
    assert found.exit_code == 0
    assert [counts(found, name) for name in ("customers", "orders", "products")] == [
        {"same": 3},
        {"same": 6},
        {"same": 3},
    ]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        # Its rows are as they were: only making the document again shows it.
        ("UPDATE entry SET content_hash = 1 WHERE key = '13'", {"same": 5, "differing": 1}),
        ("DELETE FROM entry WHERE key = '13'", {"same": 5, "missing": 1}),
        ("UPDATE entry SET key = '99' WHERE key = '13'", {"same": 5, "missing": 1, "surplus": 1}),
        (
            'UPDATE entry SET children = list_append(children, \'["9","lost"]\')'
            " WHERE key = '13'",
            {"same": 6, "surplus_children": 1},
        ),
    ],
)
def test_ledger_that_went_wrong_is_found_out(
    tmp_path: Path, statement: str, expected: dict[str, int]
) -> None:
    world = delivered(tmp_path)
    change_ledger(world, statement)
    found = verified(world)
    assert found.exit_code == 1
    assert counts(found, "orders") == expected
    for what in ("missing", "differing"):
        if what in expected:
            assert found.entities["orders"].samples[what] == (key_hash("orders", "13"),)


def test_products_that_were_retired_are_no_surplus(tmp_path: Path) -> None:
    world = delivered(tmp_path)
    world.shop.remove_product(4)
    assert counts(verified_after_load(world), "products") == {"same": 2, "surplus": 1}
    world.push()
    assert verified(world).exit_code == 0


def test_removals_that_guards_withhold_are_surplus(tmp_path: Path) -> None:
    world = delivered(tmp_path)
    for order in [*world.shop.orders]:
        world.shop.delete_order(order)
    found = verified_after_load(world)
    assert counts(found, "orders") == {"surplus": 6}
    report = world.push()
    assert report is not None
    assert report.withheld
    assert counts(verified(world), "orders") == {"surplus": 6}


def test_refused_documents_are_told_apart_from_missing_ones(tmp_path: Path) -> None:
    """What the vendor refused and what breaks a rule, although a rehearsal would send the first."""
    world = World(tmp_path)
    world.service.faults.add(Poison("orders", keys=["13"], outcome="refuse"))
    world.shop.change_order(16, total=None)
    world.load()
    world.push()
    found = verified(world)
    assert counts(found, "orders") == {"same": 4, "refused": 2}
    refused = {key_hash("orders", key) for key in ("13", "16")}
    assert set(found.entities["orders"].samples["refused"]) == refused


def test_entity_whose_mapping_fits_no_more_is_unreadable(tmp_path: Path) -> None:
    world = delivered(tmp_path)
    world.staged.rename("orders", "total", "sum")
    found = verified(world)
    assert found.exit_code == 1
    assert [one.entity for one in found.unreadable] == ["orders"]
    assert set(found.entities) == {"customers", "products"}
    assert counts(found, "customers") == {"same": 3}


def verified_after_load(world: World, **options: Any) -> Verification:
    world.load(**options)
    return verified(world)
