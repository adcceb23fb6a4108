"""`plan` and `verify` at the command line: real dlt, real DuckDB, the sandbox behind a socket."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

import pytest

from replenit_destination import plan, push
from replenit_destination.destinations.check import check
from replenit_destination.destinations.plan import verify
from replenit_destination.destinations.state_sessions import describe

from .conftest import customer, order, product

if TYPE_CHECKING:
    from .conftest import Desk


@pytest.fixture
def delivered(desk: Desk) -> Desk:
    """Three customers, three orders of one product, delivered; from here loads only stage."""
    desk.load(
        customers=[customer(number) for number in (1, 2, 3)],
        orders=[order(number) for number in (1, 2, 3)],
        products=[product(1)],
    )
    desk.set("deliver", "manual")
    desk.calls()
    return desk


def test_plan_tells_what_the_push_then_does_and_sends_nothing(delivered: Desk) -> None:
    delivered.load(
        customers=[customer(2, name="Grace"), customer(4)],
        orders=[order(1, total=12), order(4, currency="EURO")],
        products=[product(1, title="Jug")],
    )
    planned = delivered.type("plan", "--json")
    assert delivered.calls() == []
    told = planned.json
    report = delivered.type("push", "--json").json
    for name, one in report["entities"].items():
        assert one == {**one, **{k: v for k, v in told["entities"][name].items() if k in one}}
    assert (told["price"]["requests"], told["price"]["bytes"]) == (
        report["requests"],
        report["bytes"],
    )
    assert planned.code == told["exit_code"] == report["exit_code"] == 1
    assert told["refusals"] == report["refusals"]
    assert told["price"]["enrichments"] == 1
    assert told["entities"]["customers"]["changed"] == {"Name": 1}
    assert told["entities"]["orders"]["changed"] == {"TotalRevenue": 1}
    assert told["entities"]["products"]["changed"] == {"ProductName": 1, "variants.Name": 1}


def test_plan_speaks_to_people_and_to_pull_requests(delivered: Desk) -> None:
    delivered.load(customers=[customer(2, name="Grace"), customer(4)])
    text = delivered.type("plan")
    assert text.code == 0
    assert text.out.startswith("A push now would send 1 request (")
    assert " ".join(text.out.splitlines()[2].split()) == "customers 1 1 2 0 1"
    assert "Quota now: 3 of 80 in 60 s used, 77 free; 3 of 4,000 in 3600 s used" in text.out

    comment = delivered.type("plan", "--markdown").out
    assert comment.startswith("### Replenit plan: a push now would send 1 request (")
    assert "| customers | 1 | 1 | 2 | 0 | 1 |" in comment
    assert "| customers | Name | 1 |" in comment
    assert "example.com" not in comment + text.out
    assert delivered.calls() == []


def test_plan_takes_the_options_of_a_push(delivered: Desk) -> None:
    assert delivered.type("plan", "--json").json["price"]["requests"] == 0
    forced = delivered.type("plan", "--force", "--entity", "orders", "--json").json
    assert (forced["price"]["requests"], forced["entities"]["orders"]["updated"]) == (1, 3)
    halted = delivered.type("plan", "--force", "--max-requests", "1", "--json")
    assert (halted.code, halted.json["halted"]) == (3, "max_requests")


def test_plan_of_named_documents_is_the_push_of_these(delivered: Desk) -> None:
    delivered.load(orders=[order(1, total=12), order(2, total=13)])
    words = ("--entity", "orders", "--key", "1", "--since", "1h")
    planned = delivered.type("plan", *words, "--json").json
    assert planned["entities"]["orders"]["updated"] == 1
    assert delivered.type("push", *words, "--json").json["entities"]["orders"]["updated"] == 1
    assert [keys for _, _, keys in delivered.calls()] == [["1"]]


def test_plan_takes_every_argument_that_push_takes() -> None:
    assert list(signature(plan).parameters) == list(signature(push).parameters)


def test_plan_and_verify_are_functions_too(delivered: Desk) -> None:
    pipeline = delivered.pipeline()
    delivered.load(customers=[customer(5)])
    assert plan(pipeline).report.entities["customers"].created == 1
    assert verify(pipeline).entities["customers"].missing == 1
    assert push(pipeline).entities["customers"].created == 1
    assert plan(pipeline).price.requests == 0


def test_looking_gives_the_shared_state_back_and_stores_nothing(delivered: Desk) -> None:
    shared = delivered.here / "shared"
    shared.mkdir()
    delivered.set("state_url", shared.as_uri())
    delivered.type("push")
    pipeline = delivered.pipeline()
    before = describe(pipeline)
    assert before["runner"] == ""
    plan(pipeline)
    assert describe(pipeline) == before
    verify(pipeline)
    check(pipeline)
    assert describe(pipeline) == before


def test_verify_finds_nothing_where_all_is_delivered(delivered: Desk) -> None:
    found = delivered.type("verify", "--json")
    assert found.code == 0
    assert found.json["entities"]["orders"]["same"] == 3
    assert delivered.type("verify").out.startswith("The ledger is as the source.")
    assert delivered.calls() == []


def test_verify_tells_what_the_two_sides_have(delivered: Desk) -> None:
    """Also what no load touches any more, and what guards and holds keep back."""
    delivered.load(
        customers=[customer(4)],
        orders=[order(2, total=99), order(5, currency="EURO")],
    )
    delivered.type("push")
    with delivered.pipeline().sql_client() as sql:
        sql.execute_sql("DELETE FROM orders WHERE id = 3")
        sql.execute_sql("UPDATE customers SET name = 'Eve' WHERE id IN (1, 2)")
    delivered.load(customers=[customer(6)])
    delivered.calls()

    found = delivered.type("verify", "--json")
    entities = found.json["entities"]
    assert found.code == 1
    assert {n: entities["customers"][n] for n in ("same", "missing", "differing", "surplus")} == {
        "same": 2,
        "missing": 1,
        "differing": 2,
        "surplus": 0,
    }
    assert {n: entities["orders"][n] for n in ("same", "missing", "surplus", "refused")} == {
        "same": 2,
        "missing": 0,
        "surplus": 1,
        "refused": 1,
    }
    assert len(entities["customers"]["samples"]["differing"]) == 2
    text = delivered.type("verify")
    assert "at Replenit, and not in the source any more" in text.out
    assert "example.com" not in text.out
    assert delivered.calls() == []
