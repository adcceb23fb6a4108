from __future__ import annotations

from .conftest import Desk, customer, order


def test_document_is_followed_from_row_to_request_without_content(shop: Desk) -> None:
    told = shop.type("explain", "orders", "1001", "--json")
    assert told.code == 0
    found = told.json
    (row,) = found["staged"]
    assert (row["table"], row["children"], row["filtered"]) == ("orders", 1, False)
    assert row["loaded"].endswith("UTC")
    assert "email" in row["columns"]
    assert found["document"]["verdict"] == "unchanged"
    assert found["accepted"]["counted"] is True
    assert found["accepted"]["run"]
    assert found["conclusion"] == ["Replenit has it as it is today."]
    assert "example.com" not in told.out
    assert "1001" not in told.out

    hidden = shop.type("explain", "customers", "PERSON1@example.com")
    assert "person1" not in hidden.out.lower()
    shown = shop.type("explain", "customers", "PERSON1@example.com", "--show")
    assert '"Email": "person1@example.com"' in shown.out
    by_id = shop.type("explain", "customers", "1", "--json").json
    assert by_id["key_hash"] in hidden.out

    sql = shop.type("explain", "orders", "--sql")
    assert sql.code == 0
    assert "SELECT" in sql.out
    assert "OrderId" in sql.out
    misspelt = shop.type("explain", "order", "1001")
    assert misspelt.code == 2
    assert "did you mean `orders`?" in misspelt.err


def test_why_a_document_is_not_there(shop: Desk) -> None:
    """One of each: rejected, filtered, unknown, changed and not sent yet, gone."""
    shop.load(orders=[order(1004, currency="EURO"), order(1005, test=True)])
    rejected = shop.type("explain", "orders", "1004", "--json")
    assert rejected.code == 1
    assert rejected.json["refused"]["field"] == "Currency"
    assert rejected.json["refused"]["attempts"] == 1
    assert "breaks a rule" in rejected.json["conclusion"][0]

    filtered = shop.type("explain", "orders", "1005", "--json").json
    assert filtered["staged"][0]["filtered"] is True
    assert "`where`" in filtered["conclusion"][0]

    unknown = shop.type("explain", "orders", "9999", "--json").json
    assert unknown["staged"] == []
    assert "No row of the source" in unknown["conclusion"][0]

    shop.set("deliver", "manual")
    shop.load(orders=[order(1001, total=77)], customers=[customer(3)])
    changed = shop.type("explain", "orders", "1001", "--json").json
    assert changed["conclusion"] == ["Replenit has an older version; the next push sends today's."]
    fresh = shop.type("explain", "customers", "person3@example.com", "--json").json
    assert fresh["conclusion"] == ["It was not sent yet; the next push sends it."]
    assert fresh["accepted"] is None
