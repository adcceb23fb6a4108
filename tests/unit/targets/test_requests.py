from __future__ import annotations

import pytest

from replenit_destination.engine.target import BatchLimits, Request, UnaddressableError

T = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


@pytest.mark.parametrize("entity", ["customers", "orders", "products"])
def test_upsert_posts_the_bodies_as_one_array(target, upserts, entity):
    batch = upserts(b'{"A":1}', b'{"A":2}', entity=entity)
    expected = Request("POST", f"/{entity}/{T}", (), b'[{"A":1},{"A":2}]')
    assert target().request(batch) == expected
    assert len(expected.body) == batch.size_bytes


@pytest.mark.parametrize(
    ("changes", "args", "expected"),
    [
        ({}, ("customers", "a+b@example.com"), ("", (("email", "a+b@example.com"),))),
        (
            {"customer_identifier_priority": "customerid", "guests": "drop"},
            ("customers", "c/1"),
            ("", (("customerId", "c/1"),)),
        ),
        (
            {
                "customer_identifier_priority": "customerid",
                "guests": "drop",
                "customer_delete_style": "path",
            },
            ("customers", "c/1"),
            ("/c%2F1", ()),
        ),
        ({}, ("orders", "a/b?c#d e%f+ü"), ("/a%2Fb%3Fc%23d%20e%25f%2B%C3%BC", ())),
        ({}, ("orders", ".."), ("/%2E%2E", ())),
        (
            {},
            ("orders", "o-1", '["p 1","s&1"]'),
            ("/o-1/items", (("productId", "p 1"), ("sku", "s&1"))),
        ),
        ({}, ("products", "p/1"), ("/p%2F1", ())),
        ({}, ("products", "p-1", '["v/1"]'), ("/p-1/variants/v%2F1", ())),
    ],
)
def test_removal_is_addressed_by_its_identifiers(target, removal, changes, args, expected):
    path, query = expected
    request = target(**changes).request(removal(*args))
    assert request == Request("DELETE", f"/{args[0]}/{T}{path}", query, b"")


def test_path_style_takes_the_customer_id_from_the_identifiers(target, removal):
    batch = removal("customers", "anna@example.com", CustomerId="c 1")
    request = target(customer_delete_style="path").request(batch)
    assert request == Request("DELETE", f"/customers/{T}/c%201")


def test_path_style_without_customer_id_cannot_be_addressed(target, removal):
    with pytest.raises(UnaddressableError) as caught:
        target(customer_delete_style="path").request(removal("customers", "anna@example.com"))
    assert caught.value.field == "CustomerId"
    assert "anna" not in str(caught.value)


@pytest.mark.parametrize(("child", "field"), [('["p-1",""]', "Sku"), ('["","s-1"]', "ProductId")])
def test_line_without_both_identifiers_cannot_be_addressed(target, removal, child, field):
    with pytest.raises(UnaddressableError) as caught:
        target().request(removal("orders", "o-1", child))
    assert caught.value.field == field


def test_limits_are_the_settings(target):
    build = target(orders_per_request=7, max_batch_bytes=2048)
    assert build.limits("orders") == BatchLimits(7, 2048)
    assert build.limits("customers") == BatchLimits(500, 2048)
