from __future__ import annotations

import csv
import json
import stat

from .conftest import Desk, order


def test_refusals_are_listed_shown_exported_and_forgotten(shop: Desk) -> None:
    shop.load(
        orders=[order(1004, currency="EURO"), order(1005, currency="?"), order(1006, total=-1)]
    )
    listed = shop.type("quarantine", "list", "--json")
    assert listed.code == 1
    groups = {one["field"]: one for one in listed.json}
    assert groups["Currency"]["count"] == 2
    assert groups["Currency"]["state"] == "rejected"
    assert "1004" not in listed.out
    assert "1004" in shop.type("quarantine", "list", "--show").out

    name = groups["Currency"]["documents"][0]
    one = shop.type("quarantine", "show", name, "--json").json
    assert (one["entity"], one["field"], one["attempts"]) == ("orders", "Currency", 1)
    assert one["since"].endswith("Z")
    assert "key" not in one

    file = shop.here / "refused.jsonl"
    assert shop.type("quarantine", "export", str(file)).code == 0
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == sum(group["count"] for group in groups.values())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "1004" not in file.read_text()
    sheet = shop.here / "refused.csv"
    shop.type("quarantine", "export", str(sheet), "--show", "--key", "1004")
    (row,) = csv.DictReader(sheet.read_text(encoding="utf-8").splitlines())
    assert row["key"] == "1004"
    assert json.loads(row["document"])["Currency"] == "EURO"

    assert shop.type("quarantine", "drop").code == 2  # nothing said which
    told = shop.type("quarantine", "drop", "--reason", "currency code")
    assert "2 refusals are forgotten" in told.out
    left = shop.type("quarantine", "list", "--json").json
    assert [group["field"] for group in left] == [f for f in groups if f != "Currency"]
    shop.type("push")
    again = shop.type("quarantine", "show", name, "--json").json
    assert again["attempts"] == 1  # as if never tried
