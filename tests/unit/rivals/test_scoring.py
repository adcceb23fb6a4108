"""The side-by-side suite's judge: what is undelivered, what is stale, and who told the truth."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.benchmarks.rivals.measuring import Run
from tests.benchmarks.rivals.pages import line, page
from tests.benchmarks.rivals.programs import programs
from tests.benchmarks.rivals.results import Results
from tests.benchmarks.rivals.scenarios import Scenario, Step, scenarios
from tests.benchmarks.rivals.scoring import Holdings, Score, compare, score
from tests.benchmarks.rivals.shop import Shop
from tests.benchmarks.rivals.standing import behind, standing

GOOD = Score(
    requests=10,
    undelivered=0,
    stale=0,
    duplicates=0,
    throttled=0,
    exits=(0,),
    truthful=(True,),
    seconds=2.0,
    cpu_seconds=1.0,
    peak_mb=100.0,
)


def held(version: str, orders: int = 20) -> dict[str, Any]:
    """A version as a program delivers it."""
    return {
        str(row["id"]): {
            "OrderId": str(row["id"]),
            "CustomerId": row["customer_id"],
            "Email": row["email"],
            "OrderDate": row["created_at"].isoformat(),
            "TotalRevenue": float(row["total"]),
            "Currency": row["currency"],
            "IsOrderCancelled": False,
            "OrderItems": [
                {
                    "ProductId": one["product_id"],
                    "Sku": one["sku"],
                    "Quantity": one["quantity"],
                    "Price": float(one["price"]),
                    "Brand": one["brand"],
                }
                for one in row["line_items"]
            ],
        }
        for row in Shop(orders).rows(version).values()
    }


@pytest.mark.parametrize("version", ["base", "fat", "exotic", "deleted"])
def test_a_server_that_holds_the_source_is_complete(version: str) -> None:
    found = compare(Shop(20).documents(version), held(version), frozenset())
    assert found == Holdings(0, 0)
    assert found.complete


def test_what_changed_at_the_source_only_is_stale() -> None:
    wanted = Shop(200).documents("changed")
    assert compare(wanted, held("base", 200), frozenset()) == Holdings(undelivered=0, stale=2)


def test_a_deleted_order_and_a_deleted_line_that_stay_are_stale() -> None:
    wanted = Shop(20).documents("deleted")
    assert compare(wanted, held("base"), frozenset()) == Holdings(undelivered=0, stale=2)


def test_a_number_that_arrived_as_text_is_stale() -> None:
    documents = held("base")
    documents["7"]["TotalRevenue"] = str(documents["7"]["TotalRevenue"])
    assert compare(Shop(20).documents("base"), documents, frozenset()).stale == 1


def test_missing_poison_is_not_undelivered_and_yet_the_server_is_not_complete() -> None:
    documents = held("base")
    del documents["3"], documents["4"]
    found = compare(Shop(20).documents("base"), documents, frozenset({"3"}))
    assert found == Holdings(undelivered=1, stale=0, missing_poison=1)
    assert not replace(found, undelivered=0).complete


@pytest.mark.parametrize(
    ("code", "state", "truthful"),
    [
        (0, Holdings(0, 0), True),
        (1, Holdings(0, 0), False),
        (0, Holdings(0, 0, missing_poison=1), False),
        (1, Holdings(5, 0), True),
        (None, Holdings(5, 0), True),
    ],
)
def test_only_an_exit_code_that_agrees_with_the_server_is_true(
    code: int | None, state: Holdings, truthful: bool
) -> None:
    counts = {"requests": 3, "duplicates": 1, "throttled": 0}
    found = score([Run(1.0, 0.5, 50.0, code)], [state], dict.fromkeys(counts, 0), counts)
    assert (found.truthful, found.exits, found.requests) == ((truthful,), (code,), 3)


def test_a_killed_run_has_no_exit_code_to_judge() -> None:
    counts = dict.fromkeys(("requests", "duplicates", "throttled"), 0)
    runs = [Run(1.0, 0.5, 50.0, None, killed=True), Run(2.0, 0.5, 70.0, 0)]
    found = score(runs, [Holdings(0, 0)], counts, counts)
    assert (found.exits, found.truthful, found.seconds) == ((0,), (True,), 3.0)


def test_what_is_left_behind_weighs_more_than_requests() -> None:
    thrifty = replace(GOOD, requests=1, stale=1)
    assert standing({"ours": GOOD, "other": thrifty}) == "leads"
    assert standing({"ours": thrifty, "other": GOOD}) == "behind"
    assert standing({"ours": GOOD, "other": replace(GOOD, seconds=1.0)}) == "ties"


def test_only_programs_that_are_as_complete_can_be_ahead() -> None:
    scenario = Scenario("a", "cold load", (Step("base"),))
    quick = replace(GOOD, seconds=1.0)
    assert behind(scenario, {"ours": GOOD, "other": replace(quick, undelivered=1)}) == []
    (found,) = behind(scenario, {"ours": GOOD, "other": quick})
    assert (found.measure, found.ours, found.best, found.program) == ("seconds", 2.0, 1.0, "other")


def test_the_page_has_a_row_for_every_program_in_every_scenario() -> None:
    known, played = programs(), scenarios(1000)
    results = Results(1000, 1.0, 1, {one.key: dict.fromkeys(known, GOOD) for one in played})
    text = page(results)
    assert "<!-- ORDERS" not in text
    assert text.count("| plain dlt | 10 |") == len(played)
    assert {one.letter for one in played} == set("abcdefghijkl")
    assert "exit 0" in line(GOOD)


def test_results_survive_the_way_through_a_file() -> None:
    results = Results(1000, 1.5, 3, {"a": {"ours": GOOD, "drt": replace(GOOD, exits=(None, 1))}})
    assert Results.from_json(json.loads(json.dumps(results.to_json()))) == results
    assert [one.key for one in results.programs] == ["ours", "drt"]
