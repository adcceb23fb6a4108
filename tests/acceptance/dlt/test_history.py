"""The ledger's views tell what the runs' reports told; docs/history.md lists every column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.destinations.forget import forget
from replenit_destination.engine.documents import key_hash

from .shop import first_shop, line, mapping, put_order

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Delivery

COUNTS = ("created", "updated", "unchanged", "rejected", "quarantined", "skipped", "backlog")
PERSONAL = re.compile(r"@example|person\d")


def views(delivery: Delivery) -> dict[str, list[dict[str, Any]]]:
    """Return every view's rows, read as an analyst reads them."""
    path = delivery.here / "replenit_data" / "shop_replenit.ledger.duckdb"
    found = {}
    with duckdb.connect(str(path), read_only=True) as ledger:
        for (name,) in ledger.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
        ).fetchall():
            rows = ledger.execute(f"FROM {name}").fetchall()
            columns = [column[0] for column in ledger.description or ()]
            found[name] = [dict(zip(columns, row, strict=True)) for row in rows]
    return found


def test_views_tell_what_the_reports_told(delivery: Delivery) -> None:
    shop = first_shop()
    put_order(shop, 7, created_at="soon", lines=[line(7, 1, "s")])
    delivery.settings["mapping"] = mapping("nested")
    info = delivery.pipeline().run(shop.source("nested", "merge"))
    first = delivery.report(info)
    shop.put("customers", 1, optin=False)
    second = delivery.run(shop.source("nested", "merge"))
    forget(delivery.pipeline(), email="person2@example.com")
    told = views(delivery)

    runs = sorted(told["runs"], key=lambda one: one["started_at"])
    assert [one["requests"] for one in runs] == [first["requests"], second["requests"]]
    assert [one["exit_code"] for one in runs] == [1, 1]
    assert runs[0]["load_id"] == info.loads_ids[-1]
    assert all(one["seconds"] >= 0 and one["tenant"] == delivery.box.tenant_id for one in runs)

    for run, report in zip(runs, (first, second), strict=True):
        mine = [one for one in told["run_entities"] if one["run"] == run["run"]]
        assert {one["entity"]: {name: one[name] for name in COUNTS} for one in mine} == {
            entity: {name: one[name] for name in COUNTS}
            for entity, one in report["entities"].items()
        }
        refused = [one for one in told["run_refusals"] if one["run"] == run["run"]]
        assert [(one["entity"], one["field"], one["documents"]) for one in refused] == [
            (one["entity"], one["field"], one["count"]) for one in report["refusals"]
        ]

    (bad,) = told["quarantine"]
    assert (bad["entity"], bad["refusal"], bad["field"]) == ("orders", "rejected", "OrderDate")
    assert bad["key_hash"] == key_hash("orders", "7")
    documents = {(one["entity"], one["key_hash"]): one for one in told["documents"]}
    withdrawn = documents["customers", key_hash("customers", "person1@example.com")]
    assert (withdrawn["sent"], withdrawn["given"]) == (True, [])
    assert len(documents) == 2 + 5 + 2

    (erasure,) = told["erasures"]
    assert (erasure["pending"], erasure["tombstones"]) == (0, 2)
    assert erasure["purged_at"] >= erasure["asked_at"]
    people = [one for one in told["deliveries"] if one["entity"] == "customers"]
    assert sorted((one["action"], one["given"], one["withheld"]) for one in people if one) == [
        ("erase", None, None),
        ("upsert", [], ["GdprOptin"]),
        *[("upsert", ["GdprOptin"], [])] * 3,
    ]
    erased = {one["person"] for one in told["deliveries"] if one["action"] == "erase"}
    (person,) = erased
    about = [one["action"] for one in told["deliveries"] if one["person"] == person]
    assert sorted(about) == ["erase"] * 3 + ["upsert"] * 3
    assert not PERSONAL.search(str(told))


def test_page_lists_every_view_and_column(delivery: Delivery, project: Path) -> None:
    delivery.settings["mapping"] = mapping("nested")
    delivery.run(first_shop().source("nested", "merge"))
    page = (project / "docs" / "history.md").read_text(encoding="utf-8")
    listed: dict[str, list[str]] = {}
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        cells = re.findall(r"^\| (`.+?`) \|", part, flags=re.MULTILINE)
        listed[part.split("\n")[0]] = re.findall(r"`(\w+)`", " ".join(cells))
    path = delivery.here / "replenit_data" / "shop_replenit.ledger.duckdb"
    with duckdb.connect(str(path), read_only=True) as ledger:
        columns = ledger.execute(
            "SELECT table_name, list(column_name ORDER BY column_name) FROM duckdb_columns()"
            " WHERE NOT internal AND table_name IN"
            "  (SELECT view_name FROM duckdb_views() WHERE NOT internal) GROUP BY 1"
        ).fetchall()
    assert {name: sorted(found) for name, found in listed.items()} == dict(columns)
