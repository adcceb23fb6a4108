"""Switches that decide how a request is answered."""

import pytest

from replenit_destination.sandbox import Limits

NAMELESS = "At least one of the following properties must have a value: CustomerId, Email"


@pytest.mark.parametrize(("atomic", "stored"), [("on", []), ("off", ["o1", "o3"])])
def test_atomic_400_decides_whether_good_documents_are_saved(switched, atomic, stored):
    api = switched(atomic_400=atomic)

    reply = api.post("orders", api.order(1), api.order(2, Currency="x"), api.order(3))

    assert (reply.status, list(reply.errors)) == (400, ["[1].Currency"])
    assert list(api.stored("orders")) == stored


TITLE = "One or more validation errors occurred."
CURRENCY = ["The currency must be a three-letter ISO 4217 code."]


@pytest.mark.parametrize(
    ("style", "body"),
    [
        (
            "problem",
            {
                "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
                "title": TITLE,
                "status": 400,
                "traceId": f"00-{1:032x}-{1:016x}-00",
                "errors": {"[0].Currency": CURRENCY},
            },
        ),
        (
            "envelope",
            {
                "success": False,
                "message": "Validation failed",
                "data": {},
                "errors": {"[0].Currency": CURRENCY},
            },
        ),
        ("minimal", {"status": 400, "errors": {"": CURRENCY}}),
        ("bare", {"title": TITLE, "status": 400, "errors": {"Currency": CURRENCY}}),
    ],
)
def test_error_style_is_one_of_the_four_documented_bodies(switched, style, body):
    api = switched(error_style=style)

    assert api.post("orders", api.order(1, Currency="x")).json == body


def test_error_style_mixed_takes_turns(switched):
    api = switched(error_style="mixed")

    replies = [api.post("orders", api.order(1, Currency="x")) for _ in range(5)]
    keys = [key for reply in replies for key in reply.errors]

    assert keys == ["[0].Currency", "[0].Currency", "", "Currency", "[0].Currency"]


@pytest.mark.parametrize(
    ("style", "errors"),
    [
        ("problem", {"": [NAMELESS]}),
        ("envelope", {"[1].CustomerId": [NAMELESS]}),
        ("minimal", {"": [NAMELESS]}),
        ("bare", {"CustomerId": [NAMELESS]}),
    ],
)
def test_error_style_for_missing_identifiers(switched, style, errors):
    api = switched(error_style=style)

    reply = api.post("customers", api.customer(1), {"Name": "Ada"})

    assert reply.errors == errors


@pytest.mark.parametrize(
    ("paths", "key"),
    [
        ("indexed", "[0].OrderItems[0].Quantity"),
        ("serializer", "$[0].OrderItems[0].Quantity"),
    ],
)
def test_error_paths_are_indexed_or_the_serializers(switched, paths, key):
    api = switched(error_paths=paths)

    reply = api.post("orders", api.order(1, OrderItems=[api.line(1, Quantity="1")]))

    assert list(reply.errors) == [key]


@pytest.mark.parametrize(("answer", "count"), [("excluded", 1), ("included", 2)])
def test_ignored_in_count(switched, answer, count):
    api = switched(ignored_in_count=answer)

    reply = api.post("customers", api.customer(1), api.customer(2, Email=...))

    assert (reply.count, len(api.stored("customers"))) == (count, 1)
    assert api.service.journal[-1].ignored == 1


@pytest.mark.parametrize(
    ("style", "statuses"), [("both", (200, 200)), ("query", (200, 405)), ("path", (405, 200))]
)
def test_customer_delete_style_serves_one_form_or_both(switched, style, statuses):
    api = switched(customer_delete_style=style)

    by_query = api.delete("customers", customerId="c1")
    by_path = api.delete("customers", "/c1")

    assert (by_query.status, by_path.status) == statuses


@pytest.mark.parametrize(("asynchronous", "status"), [("on", 200), ("off", 404)])
def test_customer_delete_async_cannot_know_what_is_missing(switched, asynchronous, status):
    api = switched(customer_delete_async=asynchronous)

    assert api.delete("customers", customerId="nobody").status == status


@pytest.mark.parametrize(("asynchronous", "status"), [("on", 200), ("off", 404)])
def test_delete_async_holds_for_orders_and_products(switched, asynchronous, status):
    api = switched(delete_async=asynchronous)

    assert api.delete("orders", "/nope").status == status
    assert api.delete("orders", "/nope/items", productId="p", sku="s").status == status
    assert api.delete("products", "/nope").status == status


@pytest.mark.parametrize(("missing", "status"), [("404", 404), ("200", 200)])
def test_delete_missing(switched, missing, status):
    api = switched(delete_missing=missing)

    assert api.delete("products", "/nope").status == status
    assert not api.service.journal[-1].committed


@pytest.mark.parametrize(
    ("shape", "status", "empty"),
    [("envelope", 200, False), ("empty", 200, True), ("204", 204, True)],
)
def test_delete_body(switched, shape, status, empty):
    api = switched(delete_body=shape)
    api.post("orders", api.order(1))

    reply = api.delete("orders", "/o1")

    assert (reply.status, reply.text == "") == (status, empty)


@pytest.mark.parametrize(("window", "status"), [("fixed", 200), ("sliding", 429)])
def test_window_decides_whether_a_new_minute_starts_afresh(vendor, window, status):
    api = vendor(switches={"window": window}, limits=Limits(per_minute=1))
    api.service.clock.advance(59)
    api.post("orders", api.order(1))

    api.service.clock.advance(2)

    assert api.post("orders", api.order(2)).status == status


@pytest.mark.parametrize(("headers", "shown"), [("on", True), ("off", False)])
def test_rate_headers(vendor, headers, shown):
    api = vendor(switches={"rate_headers": headers}, limits=Limits())

    assert ("x-ratelimit-limit" in api.post("orders", api.order(1)).headers) == shown


@pytest.mark.parametrize(("window", "limit"), [("minute", "100"), ("tightest", "50")])
def test_rate_header_window(vendor, window, limit):
    limits = Limits(per_minute=100, per_hour=50)
    api = vendor(switches={"rate_header_window": window}, limits=limits)

    assert api.post("orders", api.order(1)).headers["x-ratelimit-limit"] == limit


@pytest.mark.parametrize(
    ("shape", "data", "header"),
    [("f6", {"retryAfter": 60}, "60"), ("f5", {}, "60"), ("no_header", {}, None)],
)
def test_throttle_answer(vendor, shape, data, header):
    api = vendor(switches={"throttle_answer": shape}, limits=Limits(per_minute=1))
    api.post("orders", api.order(1))

    reply = api.post("orders", api.order(2))

    assert (reply.status, reply.json["data"], reply.headers.get("retry-after")) == (
        429,
        data,
        header,
    )


@pytest.mark.parametrize(("counted", "status"), [("off", 200), ("on", 429)])
def test_throttled_count_decides_whether_hammering_prolongs_the_wait(vendor, counted, status):
    switches = {"throttled_count": counted, "window": "sliding"}
    api = vendor(switches=switches, limits=Limits(per_minute=1))
    api.post("orders", api.order(1))
    api.service.clock.advance(30)
    api.post("orders", api.order(1))

    api.service.clock.advance(31)

    assert api.post("orders", api.order(1)).status == status


@pytest.mark.parametrize(
    ("shape", "shown"),
    [("milliseconds", "2026-06-01T12:00:00.000Z"), ("seconds", "2026-06-01T12:00:00Z")],
)
def test_processed_at(switched, shape, shown):
    api = switched(processed_at=shape)

    assert api.post("orders", api.order(1)).json["data"]["processedAt"] == shown
