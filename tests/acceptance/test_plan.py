"""A plan is what the push then does: counted, priced, and without any effect."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.plan import plan
from replenit_destination.engine.report import COUNTERS
from replenit_destination.engine.run import push
from replenit_destination.exceptions import LedgerBusyError, LedgerVersionError, MappingError
from replenit_destination.sandbox.faults import Poison
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.edits import EDITS, apply
from tests.acceptance.harness.oracle import ENTITIES, Rules
from tests.acceptance.harness.pace import new_folder, quicken
from tests.acceptance.harness.sequences import DRIFTS, MAPPINGS
from tests.acceptance.harness.world import World, delivered
from tests.doubles.sandboxed import ServiceTransport
from tests.doubles.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.plan import Plan
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.target import Answer, Request

EXAMPLES = int(os.environ.get("REPLENIT_PLANS", "10"))
RULES = (
    Rules(),
    Rules(product_removal="delete", gdpr_policy="consented_only"),
    Rules(priority="customerid", children="replace"),
)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"allow_removals": ENTITIES},
    {"allow_removals": ENTITIES, "accept_schema": True},
    {"retry": True},
    {"full": True},
    {"force": True},
    {"max_requests": 2},
    {"entities": ["orders"]},
    {"diagnosis_share": 0.0},
)
PRODUCTS = ("POST", "/products")
BAD_ROWS = ("no name", "no total", "bad phone")

_PICK = st.integers(0, 11)
_EDITS = st.lists(st.tuples(st.sampled_from((*EDITS, *BAD_ROWS)), _PICK, _PICK), max_size=6)
_DAY = st.tuples(
    _EDITS,
    st.sampled_from([None, None, *MAPPINGS]),
    st.sampled_from([None, None, None, *DRIFTS]),
    st.sampled_from(OPTIONS),
    st.sampled_from([None, None, *ENTITIES]),
)


def planned(world: World, **options: Any) -> Plan:
    """Plan what `world.push` with these options would do."""
    target = ReplenitTarget(ReplenitSettings(**world.settings), clock=world.clock.now)
    return plan(
        world.staged.staged,
        target,
        world.mapping.entities(target.entities),
        ledger=world.ledger,
        clock=world.clock,
        options=PushOptions(**options),
    )


def edit(world: World, name: str, pick: int, value: int, shelf: list[Any]) -> None:
    shop = world.shop
    if name not in BAD_ROWS:
        apply(shop, name, pick, value, shelf)
    elif name == "no name":
        shop.change_product([*shop.products][pick % len(shop.products)], name=None)
    elif name == "bad phone":
        shop.change_customer([*shop.customers][pick % len(shop.customers)], phone="call me")
    elif shop.orders:
        shop.change_order([*shop.orders][pick % len(shop.orders)], total=None)


def told(report: Report) -> dict[str, Any]:
    """Return what a plan and its push must agree on."""
    counted = (*COUNTERS, "unconfirmed", "compared")
    return {
        "entities": {
            name: {counter: getattr(one, counter) for counter in counted}
            for name, one in report.entities.items()
        },
        "withheld": report.withheld,
        "held": report.held,
        "refusals": report.refusals,
        "left out": report.left_out,
        "absent": report.absent,
        "halted": report.halted,
        "exit code": report.exit_code,
        "requests": report.requests,
        "bytes": report.bytes,
    }


def trace(world: World) -> Any:
    """Return everything a plan must leave as it is."""
    tables = world.staged.connection.execute(
        "SELECT database_name, schema_name, table_name FROM duckdb_tables() ORDER BY ALL"
    ).fetchall()
    rows = [
        world.staged.connection.execute(f"SELECT * FROM {'.'.join(name)} ORDER BY ALL").fetchall()
        for name in tables
    ]
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in world.folder.iterdir()
    }
    return tables, rows, files, world.service.journal.total


def assert_plan_tells_the_push(world: World, **options: Any) -> None:
    before = trace(world)
    try:
        made = planned(world, **options)
    except MappingError:
        with pytest.raises(MappingError):
            world.push(**options)
        return
    assert trace(world) == before
    report = world.push(**options)
    assert report is not None
    assert told(made.report) == told(report)
    assert (made.price.requests, made.price.bytes) == (report.requests, report.bytes)
    products = [call.keys for call in world.calls if (call.method, call.path) == PRODUCTS]
    assert made.price.enrichments == sum(map(len, products))


def push_refused(world: World, entity: str, **options: Any) -> None:
    """Push while the vendor refuses one document."""
    world.service.faults.add(Poison(entity, keys=_keys(world, entity)[:1], outcome="refuse"))
    with contextlib.suppress(MappingError):
        world.push(**options)
    world.service.faults.clear()


def _keys(world: World, entity: str) -> list[str]:
    numbers = [*getattr(world.shop, entity)]
    if entity == "customers" and world.rules.priority == "email":
        return [world.shop.customers[number].email.strip().lower() for number in numbers] or ["-"]
    return [str(number) for number in numbers] or ["-"]


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(rules=st.sampled_from(RULES), days=st.lists(_DAY, min_size=1, max_size=2))
def test_plan_tells_what_the_push_then_does(rules: Rules, days: list[Any]) -> None:
    """After any edits, removals, bad rows, changed mappings and columns, and refusals before."""
    folder = new_folder()
    world = World(folder, rules, shop=Shop.sample(customers=3, products=2, orders=3))
    quicken(world.staged.connection)
    shelf: list[Any] = []
    try:
        world.load()
        world.push()
        for edits, mapping, column, options, refused in days:
            for name, pick, value in edits:
                edit(world, name, pick, value, shelf)
            world.load()
            world.remap(mapping)
            if column:
                world.staged.rename(*column, f"{column[1]}_lost")
            if refused:
                push_refused(world, refused, **options)
            else:
                assert_plan_tells_the_push(world, **options)
            if column:
                world.staged.rename(column[0], f"{column[1]}_lost", column[1])
        world.load()
        assert_plan_tells_the_push(world, retry=True, allow_removals=ENTITIES)
    finally:
        world.staged.connection.close()
        shutil.rmtree(folder, ignore_errors=True)


# -- what it costs


def paid(world: World, seconds: float, **options: Any) -> tuple[Report, float]:
    """Push through the account's real windows; return the report and when it ended."""
    target = ReplenitTarget(ReplenitSettings(**world.settings), clock=world.clock.now)
    service = ServiceTransport(world.service, world.settings["api_key"])

    def slow(request: Request) -> Answer:
        world.clock.advance(seconds)
        return replace(service(request), seconds=seconds)

    report = push(
        world.staged.staged,
        target,
        world.mapping.entities(target.entities),
        transport=slow,
        ledger=world.ledger,
        clock=world.clock,
        random=random.Random(1),
        options=PushOptions(workers=0, **options),
    )
    return report, world.clock.now()


def test_price_is_the_time_that_the_accounts_windows_then_take(tmp_path: Path) -> None:
    """What an earlier run has used counts, and so does how fast the service was for it."""
    world = World(tmp_path, shop=Shop.sample(orders=70), orders_per_request=1)
    world.load()
    paid(world, 0.25)
    for order in [*world.shop.orders][:50]:  # more at once would be held
        world.shop.change_order(order, cancelled=True)
    world.load()

    made = planned(world, workers=1)
    assert [(one.allowed, one.used) for one in made.price.windows] == [(80, 72), (4000, 72)]
    report, ended = paid(world, 0.25)
    assert made.price.requests == report.requests == 50
    assert made.price.minutes > 0.5
    assert made.price.finish == pytest.approx(ended, abs=1.0)
    assert made.price.waiting_seconds == pytest.approx(
        report.tally.seconds_waiting_for_quota if report.tally else -1, abs=1.0
    )


def test_plan_within_seconds_ends_where_the_push_does(tmp_path: Path) -> None:
    world = World(tmp_path, shop=Shop.sample(orders=90), orders_per_request=1)
    world.load()
    made = planned(world, workers=1, max_seconds=50)
    report, _ = paid(world, 0.5, max_seconds=50)
    assert made.report.halted == report.halted == "max_seconds"
    assert made.price.requests == report.requests == 80
    assert made.report.entities["orders"].backlog == report.entities["orders"].backlog > 0


# -- what changes


def test_updates_are_counted_by_the_fields_that_change(tmp_path: Path) -> None:
    world = delivered(tmp_path)
    first, second, third, *_ = world.shop.orders.values()
    world.shop.change_customer(1, name="Bob", phone=None)
    world.shop.change_customer(2, name="Eve")
    world.shop.change_line(first.id, first.lines[0].id, quantity=3)
    world.shop.remove_line(second.id, second.lines[0].id)
    world.shop.change_order(third.id, cancelled=True)
    world.load()

    made = planned(world).to_dict()["entities"]
    assert made["customers"]["changed"] == {"Name": 2, "Phone": 1}
    assert made["orders"]["changed"] == {"IsOrderCancelled": 1, "items": 1, "items.Quantity": 1}
    assert made["customers"]["samples"]["updated"] == [
        key_hash("customers", f"person{number}@example.com") for number in (1, 2)
    ]
    assert [one["changed_unknown"] for one in made.values()] == [0, 0, 0]


def test_what_another_mapping_changes_is_not_known_by_field(tmp_path: Path) -> None:
    world = delivered(tmp_path)
    world.remap(("customers", "Phone", ""))
    made = planned(world)
    assert made.report.entities["customers"].updated == 3
    assert (made.entities["customers"].changed, made.entities["customers"].changed_unknown) == (
        {},
        3,
    )


# -- without effect


def test_plan_before_the_first_push_makes_no_ledger(tmp_path: Path) -> None:
    world = World(tmp_path / "new")
    world.load()
    made = planned(world)
    assert (made.report.entities["orders"].created, made.price.requests) == (6, 3)
    assert made.price.enrichments == 3
    assert list((tmp_path / "new").iterdir()) == []


def test_plan_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.load()
    world.remap(("customers", "Name", "(name"))
    with pytest.raises(MappingError, match=r"customers\.fields\.Name"):
        planned(world)
    assert list(tmp_path.iterdir()) == []


def test_plan_takes_away_what_a_killed_one_left(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.load()
    nobody = 2**22 + 1  # above what any system numbers its processes with
    (tmp_path / f".rehearsal-{nobody}-x").mkdir()
    (tmp_path / f".rehearsal-{os.getpid()}-x").mkdir()
    planned(world)
    assert [path.name for path in tmp_path.iterdir()] == [f".rehearsal-{os.getpid()}-x"]


def test_plan_neither_waits_for_a_push_nor_stops_it(tmp_path: Path) -> None:
    world = delivered(tmp_path)
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", program, str(world.ledger)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(LedgerBusyError, match=world.ledger.name):
            planned(world)
        assert not world.ledger.with_name(f"{world.ledger.name}.turns").exists()
        holder.communicate(b"\n")


def test_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    world = delivered(tmp_path)
    with world.staged.connection.cursor() as cursor:
        cursor.execute(f"ATTACH '{world.ledger}' AS newer")
        cursor.execute("INSERT INTO newer.format VALUES (99, now())")
        cursor.execute("DETACH newer")
    with pytest.raises(LedgerVersionError, match="99"):
        planned(world)
