"""Journal, persistence, reset, and what the in-process service promises its callers."""

import json
import sqlite3
import subprocess
import sys

import pytest

from replenit_destination.sandbox import Limits


def test_journal_holds_every_request_and_never_the_key(vendor):
    api = vendor(keep_bodies=True)
    api.post("orders", api.order(1), api.order(2, Currency="x"))
    api.delete("customers", email="p1@example.com")
    api.call("POST", f"/orders/{api.tenant}", key="stolen-key")

    first, second, third = api.service.journal
    body = first.body
    assert first.as_dict() == {
        "number": 1,
        "time": api.service.clock(),
        "method": "POST",
        "path": f"/orders/{api.tenant}",
        "query": "",
        "status": 400,
        "documents": 2,
        "bytes": len(body),
        "outcome": "refused",
        "entity": "orders",
        "tenant": api.tenant,
        "stored": 0,
        "ignored": 0,
        "committed": False,
        "body": body.decode(),
    }
    assert (second.query, second.outcome, second.committed) == (
        "email=p1%40example.com",
        "queued",
        True,
    )
    assert (third.status, third.outcome) == (401, "unauthorized")
    assert "stolen-key" not in repr(list(api.service.journal))


def test_journal_is_searched_by_method_path_and_number(vendor):
    api = vendor()
    for number in range(3):
        api.post("orders", api.order(number))
        api.delete("orders", f"/o{number}")

    journal = api.service.journal
    assert [entry.number for entry in journal.requests("DELETE")] == [2, 4, 6]
    assert [entry.number for entry in journal.requests(path_prefix="/orders", since=4)] == [5, 6]
    assert journal[-1].number == journal[1:][-1].number == 6


def test_outcomes_name_what_happened(vendor):
    api = vendor(limits=Limits(per_minute=7))
    api.post("orders", api.order(1))
    api.delete("orders", "/o1")
    api.delete("orders", "/o1")
    api.call("GET", f"/orders/{api.tenant}")
    api.call("POST", "/nowhere")
    api.call("POST", "/orders/not-a-guid")
    api.call("POST", "/orders/5a11d0b0-0000-4000-8000-00000000ffff")
    api.delete("orders", "/o1")

    assert [entry.outcome for entry in api.service.journal] == [
        "stored",
        "deleted",
        "missing",
        "no_such_method",
        "no_such_path",
        "bad_tenant",
        "no_tenant",
        "throttled",
    ]


def test_count_only_says_200_and_stores_nothing(vendor):
    api = vendor(count_only=True)

    reply = api.post("orders", {"rubbish": 1}, api.order(1))

    assert reply.count == 2
    assert api.stored("orders") == {}
    assert api.service.journal[-1].documents == 2


def test_state_survives_a_restart(vendor, tmp_path):
    file = tmp_path / "shop" / "state.sqlite"
    first = vendor(state=file, switches={"delete_async": "on", "delete_delay": 60})
    first.post("customers", first.customer(1), first.customer(2))
    first.post("orders", first.order(1, OrderItems=[first.line(1), first.line(1)]), first.order(2))
    first.post("products", first.product(1, Taxonomy=["a"]))
    first.delete("orders", "/o2")
    state, flags = first.service.state(), first.service.flags()
    first.service.close()

    again = vendor(state=file)

    assert again.service.state() == state
    assert again.service.flags() == flags
    again.delete("customers", email="p2@example.com")
    again.service.clock.advance(60)
    assert list(again.stored("orders")) == ["o1"]
    again.service.close()
    last = vendor(state=file)
    assert list(last.stored("orders")) == ["o1"]
    assert list(last.stored("customers")) == ["p1@example.com"]


def test_state_survives_kill_9(tmp_path):
    """Each answered request is on disk: the process gets no chance to say goodbye."""
    file = tmp_path / "state.sqlite"
    program = """
import json, os, signal, sys
from replenit_destination.sandbox import API_KEY, TENANT_ID, ReplenitService
service = ReplenitService(state=sys.argv[1])
body = json.dumps([{"CustomerId": "c1", "Email": "p1@example.com"}]).encode()
service.handle("POST", f"/customers/{TENANT_ID}", "", {"x-replenit-auth-key": API_KEY}, body)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert ended.returncode == -9

    rows = sqlite3.connect(file)
    try:
        assert rows.execute("SELECT entity, key FROM documents").fetchall() == [
            ("customers", "p1@example.com")
        ]
    finally:
        rows.close()


def test_file_is_closed_to_others(vendor, tmp_path):
    api = vendor(state=tmp_path / "state.sqlite")
    api.post("orders", api.order(1))

    modes = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()}

    assert set(modes) >= {"state.sqlite", "state.sqlite-wal"}
    assert set(modes.values()) == {0}


def test_two_tenants_share_one_file(vendor, tmp_path):
    ids = ["5a11d0b0-0000-4000-8000-000000000001", "5a11d0b0-0000-4000-8000-000000000002"]
    api = vendor(state=tmp_path / "state.sqlite", tenants={"key": ids})
    api.post("orders", api.order(1))
    api.tenant = ids[1]
    api.post("orders", api.order(2))
    api.service.close()

    again = vendor(state=tmp_path / "state.sqlite", tenants={"key": ids})

    assert [list(again.service.state(each)["orders"]) for each in ids] == [["o1"], ["o2"]]


def test_other_identifiers_are_rewritten_on_disk(vendor, tmp_path):
    api = vendor(state=tmp_path / "state.sqlite")
    api.post("customers", api.customer(1))
    api.service.configure(switches={"customer_priority": "customerid"})
    api.service.close()

    again = vendor(state=tmp_path / "state.sqlite", switches={"customer_priority": "customerid"})

    assert list(again.stored("customers")) == ["c1"]


def test_file_of_another_format_is_refused(vendor, tmp_path):
    file = tmp_path / "state.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version=99")
    connection.close()

    with pytest.raises(ValueError, match="format 99"):
        vendor(state=file)


def test_reset_forgets_documents_journal_quota_and_faults(vendor, tmp_path):
    api = vendor(state=tmp_path / "state.sqlite", limits=Limits(per_minute=1))
    api.post("orders", api.order(1))
    assert api.post("orders", api.order(2)).status == 429

    api.service.reset()

    assert api.stored("orders") == {}
    assert len(api.service.journal) == 0
    assert api.post("orders", api.order(1)).status == 200
    assert api.service.journal[0].number == 1


def test_state_is_a_copy(vendor):
    api = vendor()
    api.post("orders", api.order(1))

    api.service.state()["orders"]["o1"]["OrderItems"][0]["Sku"] = "changed"

    assert api.stored("orders")["o1"]["OrderItems"][0]["Sku"] == "s1"


def test_query_is_taken_as_text_or_as_pairs(vendor):
    api = vendor()
    api.post("customers", api.customer(1, Email="a+b@example.com"))

    api.call("DELETE", f"/customers/{api.tenant}", [("email", "a+b@example.com")])

    assert api.stored("customers") == {}


def test_package_is_light_until_a_name_is_used():
    program = """
import sys, json
import replenit_destination.sandbox, replenit_destination.sandbox.pytest_plugin
print(json.dumps([n for n in ("uvicorn", "starlette", "msgspec", "sqlite3") if n in sys.modules]))
"""
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    assert json.loads(ended.stdout) == []


def test_every_exported_name_exists():
    from replenit_destination import sandbox

    assert all(getattr(sandbox, name) is not None for name in sandbox.__all__)
    with pytest.raises(AttributeError):
        _ = sandbox.nothing
