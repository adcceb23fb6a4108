"""The side-by-side suite's server: what it keeps, refuses and throttles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.benchmarks.rivals.behaviour import Behaviour, Quota
from tests.benchmarks.rivals.store import Gate, Store


def order(key: str, *skus: str, total: float = 1.0) -> dict[str, Any]:
    lines = [{"ProductId": sku, "Sku": sku} for sku in skus]
    return {"OrderId": key, "TotalRevenue": total, "OrderItems": lines}


def post(store: Store, *orders: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, _, body = store.post(json.dumps(orders).encode())
    return status, json.loads(body)


def test_a_document_stored_again_unchanged_is_a_duplicate() -> None:
    store = Store(Behaviour())
    post(store, order("1", "a"), order("2", "b"))
    post(store, order("1", "a"), order("2", "b", total=2.0))
    assert (store.counts.accepted, store.counts.duplicates) == (4, 1)


@pytest.mark.parametrize("style", ["problem", "envelope"])
def test_one_poisoned_order_refuses_its_batch_and_is_named(style: str) -> None:
    store = Store(Behaviour(poison=frozenset({"2"}), poison_answer=style))
    status, body = post(store, order("1"), order("2"), order("3"))
    assert (status, list(body["errors"]), store.orders) == (400, ["[1].Email"], {})


def test_a_nameless_refusal_points_nowhere() -> None:
    store = Store(Behaviour(poison=frozenset({"2"}), poison_answer="nameless"))
    assert list(post(store, order("2"))[1]["errors"]) == [""]


def test_a_multi_status_stores_the_others() -> None:
    store = Store(Behaviour(poison=frozenset({"2"}), poison_answer="multi_status"))
    status, body = post(store, order("1"), order("2"))
    assert (status, body["data"]["count"], body["results"][0]["index"]) == (207, 1, 1)
    assert list(store.orders) == ["1"]


@pytest.mark.parametrize(("children", "left"), [("replace", ["b"]), ("merge", ["a", "b"])])
def test_lines_are_replaced_or_merged(children: str, left: list[str]) -> None:
    store = Store(Behaviour(children=children))
    post(store, order("1", "a"))
    post(store, order("1", "b"))
    assert [line["Sku"] for line in store.orders["1"]["OrderItems"]] == left


def test_orders_and_lines_can_be_deleted() -> None:
    store = Store(Behaviour())
    post(store, order("1", "a", "b"), order("2", "a"))
    assert store.delete("/orders/tenant/1/items", "productId=a&sku=a")[0] == 200
    assert store.delete("/orders/tenant/2", "")[0] == 200
    assert store.delete("/orders/tenant/2", "")[0] == 404
    assert store.orders == {"1": order("1", "b")}


def test_a_body_above_the_limit_is_not_looked_at() -> None:
    store = Store(Behaviour(max_body_bytes=10))
    assert post(store, order("1"))[0] == 413
    assert store.counts.too_large == 1


@pytest.mark.parametrize(("kind", "free_at"), [("sliding", 15.0), ("fixed", 10.0)])
def test_a_full_window_turns_away_until_it_has_room(kind: str, free_at: float) -> None:
    now = 5.0
    gate = Gate(Quota(2, 10, kind), clock=lambda: now)
    assert [gate.enter()[0] is None for _ in range(3)] == [True, True, False]
    refusal, headers = gate.enter()
    assert refusal is not None
    assert headers["Retry-After"] == str(int(free_at - now))
    now = free_at
    assert gate.enter()[0] is None


def test_without_hints_an_answer_says_nothing_of_the_quota() -> None:
    gate = Gate(Quota(1, 10, hints=False), clock=lambda: 0.0)
    gate.enter()
    refusal, headers = gate.enter()
    assert refusal is not None
    assert headers == {}
    assert json.loads(refusal[2])["data"] == {}


def test_a_behaviour_survives_the_way_to_the_server() -> None:
    behaviour = Behaviour(frozenset({"1"}), "envelope", Quota(3, 4.0), frozenset({5}), 6, "merge")
    assert Behaviour.from_json(json.loads(json.dumps(behaviour.to_json()))) == behaviour
