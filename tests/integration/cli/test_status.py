from __future__ import annotations

import subprocess
import sys

from .conftest import Desk, order


def test_status_shows_runs_counts_and_quota(shop: Desk) -> None:
    shop.load(orders=[order(1004, currency="EURO"), order(1001, total=12)])
    told = shop.type("status", "--json")
    assert told.code == 1  # one document is refused
    found = told.json
    assert (found["source"], found["running"], found["pause"]) == ("ledger", None, None)
    assert found["entities"]["customers"]["accepted"] == 2
    assert found["entities"]["orders"] == {
        "accepted": 3,
        "backlog": 0,
        "withheld": 0,
        "skipped": 0,
        "rejected": 1,
        "quarantined": 0,
    }
    assert [(one["updated"], one["created"]) for one in found["runs"]] == [(1, 0), (0, 6)]
    assert [(one["entity"], one["field"]) for one in found["refusals"]] == [("orders", "Currency")]
    requests = sum(one["requests"] for one in found["runs"])
    assert [(one["seconds"], one["used"]) for one in found["quota"]] == [
        (60.0, requests),
        (3600.0, requests),
    ]
    assert "1004" not in told.out

    told = shop.type("status")
    assert told.code == 1
    assert "not everything" in told.out
    assert "Currency" in told.out

    shop.load(name="second", orders=[order(7)])
    both = shop.type("status", "--all", "--json").json
    assert sorted(both) == ["second", "shop"]
    assert both["second"]["entities"]["orders"]["accepted"] == 1
    assert "second" in shop.type("status", "--all").out


def test_status_of_a_pipeline_that_delivered_nothing(desk: Desk) -> None:
    desk.set("deliver", "manual")
    desk.load(orders=[order(1)])
    told = desk.type("status")
    assert told.code == 0
    assert "idle" in told.out or "nothing was delivered yet" in told.out


def test_status_names_who_has_the_ledger_and_tells_the_last_run(shop: Desk) -> None:
    ledger = next(shop.here.glob("replenit_data/*.ledger.duckdb"))
    before = ledger.read_bytes()
    shop.type("status")
    assert ledger.read_bytes() == before  # it is only read
    hold = f"import duckdb, sys; c = duckdb.connect({str(ledger)!r}); print(1, flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        found = shop.type("status", "--json").json
        assert found["source"] == "last run"
        assert str(holder.pid) in found["busy"]
        assert found["entities"]["orders"]["accepted"] == 3
        assert "what the last finished run said" in shop.type("status").out
    finally:
        holder.communicate("\n", timeout=20)
