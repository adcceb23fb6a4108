"""A person who is forgotten is nowhere afterwards, and does not come back.

The search (`traces`) decodes: every column of every database, dlt's job files, the service.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest

from replenit_destination import PendingLoadError, SettingsError
from replenit_destination.destinations.forget import forget
from replenit_destination.sandbox import Fault

from .shop import first_shop, line, mapping, put_order
from .traces import places_of

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Delivery
    from .shop import Shop

EMAIL = "Ada.Z+shop@example.com"
NAME = "Zebrowski"
STREET = "Krähenwinkel 7"
TRACES = (EMAIL, "ada.z%2bshop", NAME, STREET, "ada\\u002ez")


def shop_of(form: str, delivery: Delivery) -> Shop:
    """Prepare a shop whose second customer is the person, with a row in each kind of table."""
    shop = first_shop()
    shop.put("customers", 2, email=EMAIL, surname=NAME, consent_at="2026-01-01T00:00:00Z")
    shop.put("customers", 1, surname="Byron", consent_at="2026-01-01T00:00:00Z")
    shop.put("customers", 3, surname="Gauß", consent_at="2026-01-01T00:00:00Z")
    for number in (2, 5):
        put_order(shop, number, email=EMAIL, note=f"for {NAME}")
    put_order(shop, 7, customer_id=None, email=EMAIL, lines=[line(7, 1, "s")])
    put_order(shop, 8, customer_id=1, note=f"deliver to {EMAIL}.", lines=[line(8, 1, "s")])
    made = mapping(form)
    made["customers"]["fields"] |= {
        "Surname": "surname",
        "Phone": "address.phone",
        "_consent_at": "consent_at",
    }
    made["customers"]["lookups"] = {
        "address": {"table": "addresses", "on": {"customer_id": "id"}},
    }
    delivery.settings |= {"mapping": made, "guests": "solo"}
    return shop


def told(shop: Shop, form: str) -> Any:
    """Return everything the source knows, with tables the mapping reads and does not read."""
    source = shop.source(form, "merge", everything=True)
    addresses = [
        {
            "customer_id": number,
            "phone": f"+4915112345{number:03}",
            "street": STREET if number == 2 else "Allee 1",
        }
        for number in shop.rows["customers"]
    ]
    people = shop.rows["customers"].values()
    letters = [
        {"id": one["id"], "payload": json.dumps({"to": [one["email"]]}), "bounced": one["email"]}
        for one in people
    ]
    key = {"write_disposition": "merge"}
    source.resources.add(
        dlt.resource(addresses, name="addresses", primary_key="customer_id", **key),
        dlt.resource(letters, name="letters", primary_key="id", **key),
    )
    return source


def traces(delivery: Delivery) -> set[str]:
    return places_of(TRACES, delivery.here, delivery.held())


def test_forgotten_person_is_found_nowhere_and_not_sent_again(delivery: Delivery) -> None:
    form = "table"
    shop = shop_of(form, delivery)
    delivery.run(told(shop, form))
    before = {place.split(" ")[0].split("/")[-1] for place in traces(delivery)}
    assert {"vendor", "shop_data.customers.email", "shop_data.letters.payload"} <= before
    assert {"main.entry.key", "shop_data_staging.customers.email"} <= before
    assert any("completed_jobs" in place for place in traces(delivery))
    delivery.calls()

    receipt = forget(delivery.pipeline(), email=f" {EMAIL.lower()} ")
    assert receipt.exit_code == 0, str(receipt)
    assert traces(delivery) == set()
    email = "email=ada.z%2Bshop%40example.com"
    assert delivery.calls()[0] == ("DELETE", "/customers", (email,))
    assert set(delivery.held()["orders"]) == {"1", "3", "4", "6", "8"}
    assert set(delivery.held()["customers"]) == {"person1@example.com", "person3@example.com"}
    assert receipt.staged["customers"] == 1
    assert receipt.staged["orders"] == 3
    assert receipt.staged["addresses"] == 1
    assert receipt.emptied == {"letters.bounced": 1, "letters.payload": 1, "orders.note": 1}
    assert receipt.ledger["entry"] == 4

    assert delivery.push().requests == 0
    report = delivery.run(told(shop, form))
    assert delivery.calls() == []
    skipped = {name: one["skipped"] for name, one in report["entities"].items()}
    assert skipped == {"customers": 1, "orders": 3, "products": 0}
    assert report["exit_code"] == 0
    assert delivery.push(full=True).requests == 0
    assert "vendor" not in traces(delivery)
    assert not [place for place in traces(delivery) if ".ledger.duckdb" in place]


def test_later_consent_brings_the_person_back_and_an_older_one_does_not(
    delivery: Delivery,
) -> None:
    shop = shop_of("nested", delivery)
    delivery.run(told(shop, "nested"))
    forget(delivery.pipeline(), customer_id="2", email=EMAIL)
    delivery.calls()
    shop.put("customers", 2, surname="Moved", consent_at="2026-02-01T00:00:00Z")
    delivery.run(told(shop, "nested"))
    assert delivery.calls() == []
    shop.put("customers", 2, optin=False, consent_at="2100-01-01T00:00:00Z")
    delivery.run(told(shop, "nested"))
    assert delivery.calls() == []
    shop.put("customers", 2, optin=True, consent_at="2100-01-01T00:00:00Z")
    delivery.run(told(shop, "nested"))
    assert set(delivery.held()["customers"]) == {
        "person1@example.com",
        EMAIL.lower(),
        "person3@example.com",
    }
    assert set(delivery.held()["orders"]) == set("1234568")
    assert delivery.push(full=True).requests == 0


def test_copies_that_killed_plans_and_upgrades_have_left_go_too(delivery: Delivery) -> None:
    delivery.run(told(shop_of("nested", delivery), "nested"))
    ledger = delivery.here / "replenit_data" / "shop_replenit.ledger.duckdb"
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    left = ledger.parent / f".rehearsal-{int(ended.stdout)}-x"
    left.mkdir()
    for copy in (left / ledger.name, ledger.with_name(f"{ledger.name}.format1.bak")):
        copy.write_bytes(ledger.read_bytes())
    assert any(".rehearsal" in place for place in traces(delivery))
    forget(delivery.pipeline(), email=EMAIL)
    assert traces(delivery) == set()


def test_pipeline_goes_on_with_owner_only_files_afterwards(delivery: Delivery) -> None:
    shop = shop_of("nested", delivery)
    delivery.run(told(shop, "nested"))
    forget(delivery.pipeline(), email=EMAIL)
    files = sorted((delivery.here / "replenit_data").glob("*.duckdb"))
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    assert not list((delivery.here / "replenit_data").glob("*.rewriting*"))
    delivery.calls()
    shop.put("customers", 1, surname="King")
    put_order(shop, 9, customer_id=1, email="person1@example.com", lines=[line(9, 1, "s")])
    delivery.run(shop.source("nested", "merge"))
    assert delivery.calls() == [
        ("POST", "/customers", ("person1@example.com",)),
        ("POST", "/orders", ("9",)),
    ]
    rows = delivery.pipeline().dataset().customers.select("id").fetchall()
    assert sorted(rows) == [(1,), (3,)]


def test_what_the_service_was_not_told_is_sent_first_by_the_next_push(
    delivery: Delivery,
) -> None:
    shop = shop_of("nested", delivery)
    delivery.run(told(shop, "nested"))
    receipt = forget(delivery.pipeline(), email=EMAIL, offline=True)
    assert (receipt.exit_code, sum(receipt.pending.values())) == (3, 4)
    left = {place.split(" ")[0] for place in traces(delivery)}
    assert left == {
        "vendor",
        *(
            f"replenit_data/shop_replenit.ledger.duckdb{place}"
            for place in ("", "/main.erasure_item.key", "/main.erasure_item.identifiers")
        ),
    }
    delivery.calls()
    shop.put("customers", 1, surname="King")
    delivery.run(shop.source("nested", "merge"))
    calls = delivery.calls()
    assert [method for method, _, _ in calls] == ["DELETE"] * 4 + ["POST"]
    assert calls[0][1] == "/customers"
    assert traces(delivery) == set()


def test_refused_key_keeps_the_erasure_and_purges_all_the_same(delivery: Delivery) -> None:
    shop = shop_of("nested", delivery)
    delivery.run(told(shop, "nested"))
    delivery.box.faults.add(Fault("status", status=401))
    receipt = forget(delivery.pipeline(), email=EMAIL)
    assert receipt.exit_code == 3
    assert "key" in receipt.error
    assert not [place for place in traces(delivery) if "ledger" not in place and place != "vendor"]
    delivery.box.faults.clear()
    assert forget(delivery.pipeline(), email=EMAIL).exit_code == 0
    assert traces(delivery) == set()


def test_pending_package_refuses_and_touches_nothing(delivery: Delivery) -> None:
    shop = shop_of("nested", delivery)
    delivery.run(told(shop, "nested"))
    shop.put("customers", 1, surname="King")
    delivery.pipeline().extract(shop.source("nested", "merge"))
    delivery.calls()
    with pytest.raises(PendingLoadError, match="run the pipeline"):
        forget(delivery.pipeline(), email=EMAIL)
    assert delivery.calls() == []
    assert "vendor" in traces(delivery)


def test_unknown_address_is_asked_for_where_people_are_deleted_by_it(delivery: Delivery) -> None:
    shop = shop_of("nested", delivery)
    delivery.run(told(shop, "nested"))
    with pytest.raises(SettingsError, match="give the Email too"):
        forget(delivery.pipeline(), customer_id="404")
    assert forget(delivery.pipeline(), email="nobody@example.com").exit_code == 0


@pytest.mark.parametrize("mode", ["light", "full"])
def test_copies_behind_state_url_are_replaced(delivery: Delivery, mode: str) -> None:
    delivery.settings |= {"state_url": (delivery.here / "remote").as_uri(), "state": mode}
    shop = shop_of("table", delivery)
    delivery.run(told(shop, "table"))
    shop.put("customers", 1, surname="King")
    delivery.run(told(shop, "table"))
    remote = {place for place in traces(delivery) if place.startswith("remote/")}
    assert any("ledger" in place for place in remote)
    assert any("customers" in place for place in remote)
    receipt = forget(delivery.pipeline(), email=EMAIL)
    assert receipt.exit_code == 0, str(receipt)
    assert traces(delivery) == set()
    assert delivery.push(full=True).requests == 0
    assert traces(delivery) == set()


KILLED = """
import json, os, signal, sys
import dlt
from replenit_destination import replenit
from replenit_destination.destinations.forget import forget

def step(name):
    if name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

destination = replenit(**json.load(sys.stdin))
shop = dlt.pipeline(
    "shop", destination=destination, dataset_name="shop_data", pipelines_dir="pipelines"
)
forget(shop, email=sys.argv[2], step=step)
"""


@pytest.mark.parametrize("step", ["deliver", "ledger", "rewrite"])
def test_killed_erasure_is_finished_by_running_it_again(
    delivery: Delivery, step: str, project: Path
) -> None:
    shop = shop_of("nested", delivery)
    delivery.run(told(shop, "nested"))
    settings = {
        **delivery.settings,
        "api_key": delivery.box.api_key,
        "tenant_id": delivery.box.tenant_id,
        "base_url": delivery.box.url,
        "customer_identifier_priority": "email",
    }
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, step, EMAIL],
        cwd=delivery.here,
        env={**os.environ, "PYTHONPATH": str(project)},
        input=json.dumps(settings).encode(),
        check=False,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGKILL
    assert traces(delivery) != set()
    assert forget(delivery.pipeline(), email=EMAIL).exit_code == 0
    assert traces(delivery) == set()
    with duckdb.connect(str(delivery.here / "replenit_data/shop_replenit.ledger.duckdb")) as made:
        assert made.execute("SELECT count(*), count(purged_at) FROM erasure").fetchall() == [(1, 1)]


def test_rows_of_other_tables_with_the_same_id_stay(delivery: Delivery) -> None:
    """With `upsert` dlt makes row ids of the primary key alone: product 2 and order 2 share one."""
    shop = shop_of("nested", delivery)
    delivery.run(shop.source("nested", "upsert"))
    delivery.calls()
    assert forget(delivery.pipeline(), email=EMAIL).exit_code == 0
    assert {"2", "5", "7"}.isdisjoint(delivery.held()["orders"])
    with delivery.pipeline().sql_client() as client:
        assert client.execute_sql("SELECT count(*) FROM products__variants") == [(4,)]
    assert delivery.push(full=True).requests == 0
