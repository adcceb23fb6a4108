"""Purge old orders from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from .conftest import MAPPING, customer, order, product

if TYPE_CHECKING:
    from .conftest import Desk


def test_purge_tells_what_it_did_and_explain_why_no_row_is_there(desk: Desk) -> None:
    old = [order(number, placed_at="2025-01-01T10:00:00Z") for number in (1, 2)]
    desk.load(customers=[customer(1)], orders=old, products=[product(1)])
    with duckdb.connect(str(next(desk.here.rglob("*.ledger.duckdb")))) as ledger:
        ledger.execute("UPDATE entry SET accepted_at = accepted_at - INTERVAL 40 DAY")

    nothing = desk.type("purge")
    assert nothing.code == 2
    assert "retention_days" in nothing.err

    told = desk.type("purge", "--days", "60", "--json").json
    assert told == {"documents": {}, "rows": {}, "job_files": 0, "notices": []}
    told = desk.type("purge", "--days", "30", "--json").json
    assert told["documents"] == {"orders": 2}
    assert told["rows"] == {"orders": 2, "orders__lines": 2}

    explained = desk.type("explain", "orders", "2")
    assert explained.code == 0
    assert "Its rows were purged on" in explained.out
    verified = desk.type("verify", "--json")
    assert verified.code == 0
    assert verified.json["entities"]["orders"]["purged"] == 2
    assert desk.type("push", "--full").code == 0
    assert desk.held()["orders"] == {"1", "2"}


def test_an_entity_that_is_left_alone_is_told_with_the_reason(desk: Desk) -> None:
    apart = 'table = "order_lines"\non = { order_id = "id" }'
    desk.map(MAPPING.replace('table = "orders__lines"', apart))
    lines = [{"id": 1, "order_id": 1, "product_id": 1, "sku": "POT-1", "quantity": 1, "price": 9.5}]
    desk.load(customers=[customer(1)], products=[product(1)], orders=[order(1)], order_lines=lines)
    told = desk.type("purge", "--days", "30", "--rewrite")
    assert told.code == 0
    assert "Purged the rows of no document." in told.out
    assert "a table of their own" in told.out
