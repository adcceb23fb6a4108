"""Forget a person from the command line, and ask afterwards what was sent about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .conftest import customer, order, product

if TYPE_CHECKING:
    from .conftest import Desk


@pytest.fixture
def shop(desk: Desk) -> Desk:
    people = [customer(1), customer(2, optin=False)]
    desk.load(customers=people, orders=[order(1), order(2, customer_id=2)], products=[product(1)])
    desk.calls()
    return desk


def test_forget_prints_a_receipt_and_log_answers_afterwards(shop: Desk) -> None:
    told = shop.type("forget", "--email", "Person1@example.com", "--receipt", "proof.json")
    assert told.code == 0, told.err
    assert "deleted at the vendor: 3 documents" in told.out
    proof = json.loads((shop.here / "proof.json").read_text(encoding="utf-8"))
    assert proof["staged_rows"]["customers"] == 1
    assert [one["deleted"] for one in proof["vendor"]] == [True] * 3
    assert "person1" not in (told.out + told.err + json.dumps(proof)).lower()
    assert [call[0] for call in shop.calls()] == ["DELETE"] * 3

    for who in (["--email", "PERSON1@example.com"], ["--customer-id", "1"]):
        log = shop.type("log", *who, "--json").json
        assert [(one["entity"], one["action"]) for one in log] == [
            ("customers", "upsert"),
            ("orders", "upsert"),
            ("orders", "upsert"),
            ("customers", "erase"),
            ("orders", "erase"),
            ("orders", "erase"),
        ]
        assert log[0]["given"] == ["GdprOptin"]
        assert log[0]["load_id"]
    other = shop.type("log", "--email", "person2@example.com", "--json").json
    assert [(one["action"], one["given"], one["withheld"]) for one in other] == [
        ("upsert", [], ["GdprOptin"])
    ]
    assert len(shop.type("log", "--entity", "orders", "--key", "1", "--json").json) == 2
    assert shop.type("log", "--email", "person2@example.com", "--since", "0s", "--json").json == []


def test_offline_exits_with_3_and_says_what_is_left(shop: Desk) -> None:
    told = shop.type("forget", "--customer-id", "2", "--offline", "--json")
    assert told.code == 3
    assert list(told.json["pending"].values()) == [2]
    assert shop.calls() == []
    assert shop.type("push").code == 0
    assert [call[0] for call in shop.calls()] == ["DELETE", "DELETE"]
    assert shop.type("push").code == 0
    assert shop.calls() == []


def test_questions_without_a_name_are_refused(shop: Desk) -> None:
    assert shop.type("forget").code == 2
    assert shop.type("log").code == 2
    assert shop.type("log", "--entity", "orders").code == 2
