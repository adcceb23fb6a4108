"""Killed between the vendor's commit and our record: what may have arrived is never forgotten."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from replenit_destination.sandbox.replenit import ReplenitSandbox
from tests.acceptance.harness.deaths import Kill
from tests.acceptance.harness.oracle import Rules
from tests.acceptance.harness.world import World
from tests.doubles.shop import Shop
from tests.doubles.staged_shop import FORMS, Form, StagedShop

if TYPE_CHECKING:
    from pathlib import Path

# The push of a script; its transport kills the process when the nth answer has arrived.
CLIENT = """
import json, os, random, signal, sys
from pathlib import Path
from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.run import PushOptions, Staged, push
from replenit_destination.targets.replenit.api import HttpTransport
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.doubles.staged_shop import mapping_for

folder, url, key, tenant, last = sys.argv[1:]
settings = ReplenitSettings(
    api_key=key, tenant_id=tenant, base_url=url, customer_identifier_priority="email"
)
target = ReplenitTarget(settings)
network = HttpTransport(settings)
answers = 0

def transport(request):
    global answers
    answer = network(request)
    answers += 1
    if answers == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

staged = Staged(Path(folder, "stage.duckdb"), "shop", staging_dataset="shop_staging",
                hard_deletes={"orders": "deleted", "customers": "deleted", "products": "deleted"})
report = push(staged, target, Mapping.load(mapping_for("nested")).entities(target.entities),
              transport=transport, ledger=Path(folder, "shop.ledger.duckdb"), clock=SystemClock(),
              random=random.Random(1), options=PushOptions(workers=2))
network.close()
print(json.dumps(report.to_dict()))
"""


def test_a_document_deleted_after_a_kill_9_is_deleted_at_the_vendor(
    tmp_path: Path, project: Path
) -> None:
    shop = Shop.sample(orders=3)
    staged = StagedShop(shop, path=tmp_path / "stage.duckdb")
    staged.load()
    staged.connection.close()
    with ReplenitSandbox(limits=None) as box:

        def run(last: int) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [
                    *(sys.executable, "-c", CLIENT, str(tmp_path)),
                    *(box.url, box.api_key, box.tenant_id, str(last)),
                ],
                env={**os.environ, "PYTHONPATH": str(project)},
                capture_output=True,
                text=True,
                check=False,
            )

        killed = run(3)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert set(box.state()["orders"]) == {"13", "16", "19"}
        staged.reopen()
        shop.delete_order(13)
        shop.remove_line(16, shop.orders[16].lines[0].id)
        staged.load()
        staged.connection.close()
        seen = box.journal.total
        finished = run(0)
        assert finished.returncode == 0, finished.stderr
        asked = [(each.method, each.path.rpartition("/")[2]) for each in box.journal[seen:]]
        assert ("DELETE", "13") in asked
        assert ("DELETE", "items") in asked
        assert set(box.state()["orders"]) == {"16", "19"}
        assert len(box.state()["orders"]["16"]["OrderItems"]) == 1
        assert json.loads(finished.stdout)["exit_code"] == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_what_may_have_arrived_before_a_kill_is_deleted_when_its_row_is(
    tmp_path: Path, form: Form, at: int
) -> None:
    world = World(tmp_path, Rules(product_removal="delete"), form=form)
    world.load()
    assert world.push(kill=Kill(at)) is None
    shop = world.shop
    shop.erase_customer(1)
    shop.delete_order(13)
    shop.remove_line(16, shop.orders[16].lines[0].id)
    shop.remove_product(4)
    shop.remove_variant(7, 9)
    world.deliver()
    deleted = {line.split("?")[0] for line in world.said() if line.startswith("DELETE")}
    expected = {"DELETE /customers"}
    expected |= {"DELETE /products/4", "DELETE /products/7/variants/9"} if at >= 2 else set()
    expected |= {"DELETE /orders/13", "DELETE /orders/16/items"} if at >= 3 else set()
    assert deleted == expected
    world.assert_ledger_agrees()


def test_a_row_that_returns_after_a_delete_in_doubt_is_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.deliver()
    order = world.shop.orders[13]
    world.shop.delete_order(13)
    world.load()
    assert world.push(kill=Kill(1)) is None
    assert "13" not in world.state()["orders"]
    world.shop.orders[13] = order
    world.load()
    world.push()
    assert world.said() == ["POST /orders 13"]
    world.assert_ledger_agrees()


def test_a_lost_line_is_deleted_although_the_run_died_before_it_came_to_that(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.deliver()
    world.shop.remove_line(16, world.shop.orders[16].lines[0].id)
    world.shop.change_customer(1, email="new@example.com")
    world.load()
    # customers, orders, then the DELETE of the old address; the line's would be next
    assert world.push(kill=Kill(3, "before")) is None
    world.deliver()
    assert sorted(world.said()) == [
        "DELETE /customers?email=person1%40example.com",
        "DELETE /orders/16/items?productId=7&sku=SKU-8",
    ]
    world.assert_ledger_agrees()


@pytest.mark.parametrize("look", range(1, 60, 4))
def test_a_run_killed_anywhere_is_finished_by_the_next(tmp_path: Path, look: int) -> None:
    world = World(tmp_path)
    world.load()
    world.push(kill=Kill(look, "clock"))
    world.deliver()
    world.assert_ledger_agrees()
    assert world.deliver().requests == 0


def test_a_ledger_that_was_moved_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.deliver()
    world.ledger = world.ledger.rename(tmp_path / "elsewhere.duckdb")
    assert world.deliver().requests == 0
    world.shop.change_order(13, cancelled=True)
    world.deliver()
    assert world.said() == ["POST /orders 13"]
