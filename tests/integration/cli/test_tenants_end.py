"""`adopt`, `reset-tenant` and `offboard`, one after the other on one shop."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .conftest import Desk, order


def test_ledger_that_was_lost_is_adopted_voided_and_offboarded(shop: Desk) -> None:
    for file in shop.here.glob("replenit_data/*.ledger.duckdb*"):
        file.unlink()
    told = shop.type("adopt", "--json")
    assert told.code == 0
    assert {name: one["adopted"] for name, one in told.json["entities"].items()} == {
        "customers": 2,
        "orders": 3,
        "products": 1,
    }
    assert shop.type("push", "--json").json["requests"] == 0
    shop.load(orders=[order(1001, total=50)])
    assert shop.sent() == [("POST", "orders", ["1001"])]
    assert "already says" in shop.type("adopt").err
    adopted = shop.type("explain", "orders", "1002", "--json").json["conclusion"]
    assert adopted[-1] == "It was adopted, not sent: Replenit is taken to have it."

    asked = shop.type("reset-tenant", "--json")
    assert (asked.code, asked.json["forgotten"]) == (2, None)
    assert [one["requests"] for one in asked.json["prices"]] == [1, 1, 1]
    assert "--yes" in asked.err
    assert "6 documents are forgotten" in shop.type("reset-tenant", "--yes").out
    assert shop.type("push").code == 0
    assert sorted(path for _, path, _ in shop.sent()) == ["customers", "orders", "products"]

    ended = shop.type("offboard", "--yes", "--json")
    assert (ended.code, ended.json["requests"]) == (0, 6)
    assert not any(shop.held().values())
    shop.load(orders=[order(1005)])
    assert shop.type("push").code == 3
    assert not any(shop.held().values())


def test_commands_work_under_dlt(shop: Desk) -> None:
    """dlt formats help in its own way and takes --yes before a command sees it."""
    dlt = [str(Path(sys.executable).with_name("dlt"))]
    if not Path(dlt[0]).exists():
        dlt = [shutil.which("dlt") or "dlt"]
    told = shop.start([*dlt, "replenit"], "status", "--json")
    assert (told.code, told.json["source"]) == (0, "ledger")
    reset = shop.start([*dlt, "replenit"], "offboard", "--local-only", "--yes")
    assert "6 documents are forgotten here" in reset.out
    helped = shop.start([*dlt, "replenit", "push", "--help"], "")
    lines = helped.out.splitlines()
    assert "  dlt replenit push --max-requests 500" in lines
    assert any(line.startswith("  3    stopped before the end") for line in lines)
