"""`check` at the command line: real dlt, real DuckDB, the sandbox behind a socket."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.clock import SystemClock
from replenit_destination.engine.quota import SharedQuota, Window, account_path
from replenit_destination.sandbox.faults import Fault

from .conftest import MAPPING, customer, order, product

if TYPE_CHECKING:
    from .conftest import Desk


def told(desk: Desk, *words: str) -> tuple[int, dict[str, list[tuple[str, str]]]]:
    """Check and return the exit code, and area → (level, text)."""
    answer = desk.type("check", "--json", *words)
    found: dict[str, list[tuple[str, str]]] = {}
    for one in answer.json["remarks"]:
        found.setdefault(one["area"], []).append((one["level"], one["text"]))
    assert answer.json["exit_code"] == answer.code
    return answer.code, found


def levels(found: dict[str, list[tuple[str, str]]], area: str) -> list[str]:
    return [level for level, _ in found.get(area, [])]


@pytest.fixture
def shop(desk: Desk) -> Desk:
    desk.set("deliver", "manual")
    desk.load(customers=[customer(1)], orders=[order(1)], products=[product(1)])
    return desk


def test_delivered_shop_is_fine_and_nothing_was_sent(shop: Desk) -> None:
    shop.type("push")
    shop.calls()
    code, found = told(shop)
    assert code == 0
    assert ("fine", "customers: fits its tables, 1 row") in found["mapping"]
    assert levels(found, "schema") == ["fine"]
    assert found["ledger"] == [
        ("fine", "knows 1 customer, 1 order, 1 product at this tenant"),
    ]
    assert found["quota"][0] == ("fine", "3 of 80 in 60 s used, 77 free (our share of 100)")
    assert ("note", levels(found, "access")) == ("note", ["note"])
    assert "check --online" in found["access"][0][1]
    text = shop.type("check")
    assert text.out.endswith("A push can run.\n")
    assert shop.calls() == []


def test_everything_that_is_missing_is_told_at_once(
    shop: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, questions and the mapping's own, behind one another."""
    for name in ("TENANT_ID", "CUSTOMER_IDENTIFIER_PRIORITY"):
        monkeypatch.delenv(f"DESTINATION__REPLENIT__{name}")
    shop.map(MAPPING.replace('GdprOptin = "optin", ', ""))
    code, found = told(shop)
    assert code == 2
    texts = [text for level, text in found["settings"] if level == "fault"]
    assert [text.partition(":")[0] for text in texts] == [
        "tenant_id",
        "customer_identifier_priority",
    ]
    assert "DESTINATION__REPLENIT__TENANT_ID" in texts[0]
    faults = " ".join(text for level, text in found["mapping"] if level == "fault")
    assert "which people may Replenit process?" in faults
    assert shop.type("check").out.endswith("before the faults are mended.\n")


def test_mapping_that_does_not_fit_the_tables_is_a_fault(shop: Desk) -> None:
    shop.map(MAPPING.replace('"placed_at"', '"placed"'))
    code, found = told(shop)
    assert (code, levels(found, "mapping")) == (2, ["fault"])
    assert "`orders.fields.OrderDate`" in found["mapping"][0][1]
    assert "did you mean `placed_at`?" in found["mapping"][0][1]


def test_setting_that_cannot_be_used_is_a_fault(shop: Desk) -> None:
    shop.set("base_url", "http://shop.example.com")
    code, found = told(shop)
    assert (code, levels(found, "settings")) == (2, ["fault"])
    assert "Use https" in found["settings"][0][1]


def test_empty_ledger_beside_staged_loads_is_warned_of(shop: Desk) -> None:
    shop.type("push")
    for ledger in shop.here.rglob("*.ledger.duckdb"):
        ledger.unlink()
    code, found = told(shop)
    assert (code, levels(found, "ledger")) == (1, ["warning"])
    assert "adopt" in found["ledger"][0][1]


def test_ledger_that_knows_another_tenant_only_is_warned_of(shop: Desk) -> None:
    shop.type("push")
    shop.set("tenant_id", "22222222-2222-4222-8222-222222222222")
    code, found = told(shop)
    assert (code, levels(found, "ledger")) == (1, ["warning"])
    assert "the first push sends everything" in found["ledger"][0][1]


def test_changed_tables_are_told_before_a_push_is_held(shop: Desk) -> None:
    shop.type("push")
    with shop.pipeline().sql_client() as sql:
        sql.execute_sql("ALTER TABLE customers RENAME name TO first_name")
    code, found = told(shop)
    assert (code, levels(found, "schema")) == (1, ["warning"])
    assert "`customers` has no column `name` any more" in found["schema"][0][1]
    assert "--accept-schema" in found["schema"][0][1]


def test_used_up_quota_is_told(shop: Desk) -> None:
    folder = next(shop.here.rglob("*.ledger.duckdb")).parent
    account = shop.box.url.partition("//")[2]
    windows = [Window(100, 60.0), Window(5000, 3600.0)]
    quota = SharedQuota(account_path(folder, account), windows, clock=SystemClock())
    for _ in range(80):
        quota.settle(quota.acquire())
    quota.close()
    _, found = told(shop)
    assert found["quota"][0] == ("note", "80 of 80 in 60 s used, 0 free (our share of 100)")
    code, found = told(shop, "--online")
    assert (code, levels(found, "access")) == (1, ["warning"])
    assert shop.calls() == []


@pytest.mark.parametrize(
    ("setting", "value", "code", "text"),
    [
        ("timeout_seconds", 60, 1, "the service took the key and knows the tenant"),
        ("api_key", "d3Jvbmc=", 2, "refused the API key (401)"),
        ("tenant_id", "22222222-2222-4222-8222-222222222222", 2, "does not know this tenant"),
    ],
)
def test_online_tries_key_and_tenant_and_changes_nothing(
    shop: Desk, setting: str, value: Any, code: int, text: str
) -> None:
    shop.set(setting, value)
    before = shop.box.state()
    ended, found = told(shop, "--online")
    assert ended == code
    assert text in " ".join(text for _, text in found["access"])
    [call] = shop.box.requests()
    assert (call.method, call.entity, call.body) == ("POST", "customers", b"[]")
    assert shop.box.state() == before
    assert found["quota"][0][1].startswith("1 of 80")


def test_service_in_trouble_says_nothing_of_key_and_tenant(shop: Desk) -> None:
    shop.box.faults.add(Fault("status", status=503, times=1))
    code, found = told(shop, "--online")
    assert (code, levels(found, "access")) == (1, ["warning"])
    assert "answered 503" in found["access"][0][1]


def test_key_that_is_no_base64_is_warned_of(shop: Desk) -> None:
    shop.set("api_key", "not-a-key!")
    code, found = told(shop)
    assert (code, levels(found, "access")) == (1, ["warning", "note"])


def test_unstaged_shop_is_told_to_load_first(desk: Desk) -> None:
    pipeline = desk.pipeline()
    pipeline.extract([{"id": 1}], table_name="customers")
    database = next(iter(desk.here.rglob("*.duckdb")), None)
    assert database is None
    code, found = told(desk)
    assert code == 1
    assert "run the pipeline" in " ".join(text for _, text in found["mapping"])
    assert levels(found, "pipeline") == ["warning"]
    assert next(iter(desk.here.rglob("*.duckdb")), None) is None


def test_ledger_that_another_process_has_is_left_alone(shop: Desk) -> None:
    ledger = next(shop.here.rglob("*.ledger.duckdb"))
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", program, str(ledger)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        code, found = told(shop)
        holder.communicate(b"\n")
    assert (code, levels(found, "ledger")) == (1, ["warning"])
    assert "were not looked at" in found["ledger"][0][1]
