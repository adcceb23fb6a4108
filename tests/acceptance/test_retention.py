"""Old rows are purged and nothing at the vendor notices: not a comparison, not a new mapping."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.forget import erase
from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.retention import Purge, purge_old
from replenit_destination.engine.staging import Staged
from replenit_destination.exceptions import SettingsError
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.orders import MAPPING, Orders

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.report import Report

DAY = 24 * 3600
OLD = "id <> 'o0'"


class NestedOrders(Orders):
    """Orders with lines that dlt has nested, 20 of them; all but `o0` are old."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 20)
        self.mapping = deepcopy(MAPPING)
        self.mapping["orders"]["destroyed_when"] = "note = 'destroyed'"
        self.mapping["orders"]["items"]["table"] = "orders__lines"
        del self.mapping["orders"]["items"]["on"]
        self.nest()
        self.connection.execute(
            "UPDATE shop.orders SET placed_at = CASE WHEN id = 'o0' THEN to_timestamp($1) ELSE"
            " to_timestamp($2) END",
            [self.clock.now() + 30 * DAY, self.clock.now() - DAY],
        )
        self.wanted(self.push(), created=20)
        self.clock.advance(40 * DAY)

    def nest(self) -> None:
        """Make nested rows of the lines."""
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS shop.orders__lines (product VARCHAR, sku VARCHAR,"
            " quantity INTEGER, total DECIMAL(9, 2), _dlt_parent_id VARCHAR, _dlt_list_idx BIGINT,"
            " _dlt_id VARCHAR);"
            "INSERT INTO shop.orders__lines SELECT product, sku, quantity, l.total, o._dlt_id, 0,"
            " l._dlt_id FROM shop.lines AS l JOIN shop.orders AS o ON o.id = l.order_id"
            " WHERE l._dlt_id NOT IN (SELECT _dlt_id FROM shop.orders__lines)"
        )

    @property
    def target(self) -> ReplenitTarget:
        return ReplenitTarget(
            ReplenitSettings(
                api_key=API_KEY,
                tenant_id=TENANT_ID,
                base_url="http://127.0.0.1:1",
                customer_identifier_priority="email",
                **self.settings,
            )
        )

    def purge(self, days: float = 30) -> Purge:
        """Purge once."""
        target = self.target
        return purge_old(
            Staged(self.ledger, "shop", connection=self.connection),
            target,
            Mapping.load(self.mapping).entities(target.entities),
            days=days,
            ledger=self.ledger,
            clock=self.clock,
        )

    def stage(self, number: int, assignments: str = "total = total") -> None:
        """Load one order anew, as a merge does."""
        before, self.orders = self.orders, number
        self.connection.execute(f"DELETE FROM shop.lines WHERE order_id = 'o{number}'")
        self.connection.execute(f"DELETE FROM shop.orders WHERE id = 'o{number}'")
        self.connection.execute(
            f"DELETE FROM shop.orders__lines WHERE _dlt_parent_id = 'r{number}'"
        )
        placed = f"placed_at = to_timestamp({self.clock.now() - 41 * DAY})"
        self.add(1)
        self.orders = before
        self.nest()
        self.connection.execute(
            f"UPDATE shop.orders SET {placed}, {assignments} WHERE id = 'o{number}'"
        )

    @staticmethod
    def wanted(report: Report, **counts: int) -> None:
        """Assert what was delivered; nothing else was."""
        one = report.entities["orders"]
        names = ("created", "updated", "deleted", "children_deleted", "withheld", "backlog")
        assert {name: getattr(one, name) for name in names} == dict.fromkeys(names, 0) | counts
        assert report.notices == []


@pytest.fixture
def orders(tmp_path: Path) -> NestedOrders:
    return NestedOrders(tmp_path)


def rows(orders: NestedOrders) -> tuple[int, ...]:
    found = orders.connection.execute(
        "SELECT (SELECT count(*) FROM shop.orders), (SELECT count(*) FROM shop.orders__lines)"
    ).fetchone()
    assert found
    return found


def test_purged_orders_are_neither_sent_nor_deleted_by_a_full_push(orders: NestedOrders) -> None:
    held = orders.held()

    found = orders.purge()

    assert found.to_dict() == {
        "documents": {"orders": 19},
        "rows": {"orders": 19, "orders__lines": 19},
        "job_files": 0,
        "notices": [],
    }
    assert rows(orders) == (1, 1)
    for options in ({}, {"full": True}, {"force": True}, {"confirm": True}, {"retry": True}):
        orders.wanted(orders.push(**options), updated=int("force" in options))
    assert orders.held() == held
    assert orders.purge().documents == {}


def test_purged_orders_do_not_follow_a_new_mapping(orders: NestedOrders) -> None:
    orders.purge()
    orders.mapping["orders"]["fields"]["Currency"] = "'USD'"

    orders.wanted(orders.push(), updated=1)

    assert len(orders.held()) == 20


def test_a_purged_order_that_comes_back_is_sent_when_it_changed(orders: NestedOrders) -> None:
    orders.purge()
    orders.stage(3)
    orders.stage(4, "total = 12")

    orders.wanted(orders.push(), updated=1)

    assert orders.held()["o4"] == 12
    assert len(orders.entries("purged_at IS NOT NULL")) == 17
    assert orders.purge().documents == {"orders": 1}


@pytest.mark.parametrize("all_gone", [False, True])
def test_a_purged_order_that_was_destroyed_is_deleted(
    orders: NestedOrders, *, all_gone: bool
) -> None:
    orders.purge()
    orders.stage(3, "note = 'destroyed'")
    if all_gone:
        orders.connection.execute("DELETE FROM shop.orders WHERE id = 'o0'")

    report = orders.push()

    assert report.entities["orders"].deleted == 1
    assert "o3" not in orders.held()
    assert len(orders.held()) == 19


def test_what_waits_or_is_young_or_not_compared_yet_stays(orders: NestedOrders) -> None:
    orders.stage(3, "total = 12")
    orders.connection.execute("UPDATE shop.orders SET placed_at = NULL WHERE id = 'o5'")

    assert orders.purge(days=60).documents == {}
    assert orders.purge().documents == {"orders": 17}
    left = orders.connection.execute("SELECT id FROM shop.orders ORDER BY id").fetchall()
    assert left == [("o0",), ("o3",), ("o5",)]


def test_nothing_is_purged_before_a_new_mapping_was_pushed(orders: NestedOrders) -> None:
    orders.mapping["orders"]["fields"]["Currency"] = "'USD'"

    found = orders.purge()

    assert (found.documents, len(found.notices)) == ({}, 1)
    assert "everything is compared" in found.notices[0]


def test_orders_with_lines_in_a_table_of_their_own_are_left_alone(tmp_path: Path) -> None:
    orders = NestedOrders(tmp_path)
    orders.mapping = MAPPING
    orders.push()
    orders.clock.advance(40 * DAY)

    found = orders.purge()

    assert found.documents == {}
    assert "a table of their own" in found.notices[0]


def test_a_kill_between_mark_and_delete_is_harmless(orders: NestedOrders) -> None:
    kept: list[Any] = orders.connection.execute("FROM shop.orders").fetchall()
    lines: list[Any] = orders.connection.execute("FROM shop.orders__lines").fetchall()
    orders.purge()
    orders.connection.execute("DELETE FROM shop.orders; DELETE FROM shop.orders__lines")
    marks = ", ".join("?" * len(kept[0]))
    orders.connection.executemany(f"INSERT INTO shop.orders VALUES ({marks})", kept)
    marks = ", ".join("?" * len(lines[0]))
    orders.connection.executemany(f"INSERT INTO shop.orders__lines VALUES ({marks})", lines)

    orders.wanted(orders.push(full=True))

    assert orders.entries("purged_at IS NOT NULL") == []


@pytest.mark.parametrize("delivery_log", [True, False])
def test_a_person_is_forgotten_with_their_purged_orders(
    tmp_path: Path, *, delivery_log: bool
) -> None:
    orders = NestedOrders(tmp_path)
    orders.purge()
    if not delivery_log:
        import duckdb

        with duckdb.connect(str(orders.ledger)) as ledger:
            ledger.execute("DELETE FROM delivery_log")
    target = orders.target

    receipt, _ = erase(
        Staged(orders.ledger, "shop", connection=orders.connection),
        target,
        Mapping.load(orders.mapping).entities(target.entities),
        {"Email": "P3@example.com"},
        transport=orders.transport,
        ledger=orders.ledger,
        clock=orders.clock,
        random=random.Random(1),
        options=PushOptions(workers=0),
    )

    assert receipt.exit_code == 0
    assert "o3" not in orders.held()
    assert len(orders.held()) == 19
    assert orders.entries("key = 'o3'") == []


@pytest.mark.parametrize("days", [0, 0.9, float("nan"), float("inf")])
def test_an_age_of_less_than_a_day_or_none_is_refused(orders: NestedOrders, days: float) -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        orders.purge(days=days)
