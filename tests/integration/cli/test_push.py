"""`push` of named documents, `retry`, `pause` and `resume`, on one shop after the other."""

from __future__ import annotations

from .conftest import Desk, order


def test_named_documents_are_sent_again(shop: Desk) -> None:
    assert shop.type("push", "--entity", "orders", "--key", "1002", "--force").code == 0
    assert shop.sent() == [("POST", "orders", ["1002"])]
    assert shop.type("push", "--since", "1h", "--entity", "orders", "--force").code == 0
    assert shop.sent() == [("POST", "orders", ["1001", "1002", "1003"])]

    assert "name the entity too" in shop.type("push", "--key", "1002").err
    assert "did you mean `orders`?" in shop.type("push", "--entity", "order").err
    assert "no moment" in shop.type("push", "--since", "yesterday").err
    assert shop.sent() == []

    shop.load(orders=[order(1004, currency="EURO")])
    shop.map((shop.here / "mapping.toml").read_text().replace('"currency"', '"left(currency, 3)"'))
    assert shop.type("retry", "--entity", "orders").code == 0
    assert shop.sent() == [("POST", "orders", ["1004"])]


def test_pause_holds_until_it_is_resumed(shop: Desk) -> None:
    told = shop.type("pause", "--until", "2h", "--reason", "stock-taking")
    assert told.code == 0
    assert told.out.startswith("Delivery is paused until ")
    shop.load(orders=[order(1001, total=99)])
    pushed = shop.type("push", "--json")
    assert pushed.code == 3
    assert pushed.json["halted"] == "paused"
    assert shop.sent() == []
    assert "stock-taking" in shop.type("status").out

    assert shop.type("resume").out == "Delivery goes on.\n"
    assert shop.type("push").code == 0
    assert shop.sent() == [("POST", "orders", ["1001"])]
    assert shop.type("resume", "--json").json == {"was_paused": False}
    assert shop.type("pause", "--until", "2020-01-01").code == 2
