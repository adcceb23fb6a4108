"""Every switch, with a test in which its answers differ; the last test counts them."""

import json

import pytest

from replenit_destination.sandbox import SWITCHES, Clock, Limits, Switches
from replenit_destination.sandbox.replenit.switches import parse_switch

NAMELESS = "At least one of the following properties must have a value: CustomerId, Email"


def lines_of(api, order_id="o1"):
    return [each["Sku"] for each in api.stored("orders")[order_id]["OrderItems"]]


@pytest.mark.parametrize(
    ("priority", "keys", "count"),
    [
        ("email", ["new@example.com", "p1@example.com"], 2),
        ("customerid", ["c1"], 2),
        ("reference", ["c1", "only@example.com"], 3),
    ],
)
def test_customer_priority_decides_who_is_one_and_who_is_skipped(switched, priority, keys, count):
    api = switched(customer_priority=priority)
    someone = api.customer(1)
    moved = api.customer(1, Email="new@example.com")
    other = api.customer(1, CustomerId=..., Email="only@example.com")
    if priority == "email":
        other = api.customer(9, Email=...)

    reply = api.post("customers", someone, moved, other)

    assert reply.count == count
    assert list(api.stored("customers")) == keys


def test_customer_priority_reference_finds_an_address_that_a_known_customer_holds(switched):
    api = switched(customer_priority="reference")
    api.post("customers", api.customer(1))

    api.post("customers", api.customer(1, CustomerId=..., Name="Ada"))

    assert api.stored("customers")["c1"]["Name"] == "Ada"


@pytest.mark.parametrize(("priority", "keys"), [("productid", ["p1", "p2"]), ("sku", ["p2"])])
def test_product_priority_decides_whether_a_shared_sku_is_one_product(switched, priority, keys):
    api = switched(product_priority=priority)

    api.post("products", api.product(1))
    api.post("products", api.product(2, ProductName="Renamed"))

    assert list(api.stored("products")) == keys
    assert api.stored("products")["p2"]["ProductName"] == "Renamed"


def test_product_priority_sku_keeps_the_old_id_when_another_product_has_the_new_one(switched):
    api = switched(product_priority="sku")
    first, second = api.product(1), api.product(2, ProductVariants=[api.variant(2)])
    api.post("products", first, second)

    api.post("products", api.product(2, ProductVariants=[api.variant(1)]))

    assert list(api.stored("products")) == ["p1", "p2"]
    assert api.service.flags()["products"] == {"p1": ["product_id_kept"]}


@pytest.mark.parametrize(("omitted", "left"), [("reset", None), ("keep", "Ada")])
def test_omitted_fields_are_reset_or_kept(switched, omitted, left):
    api = switched(omitted=omitted)
    api.post("customers", api.customer(1, Name="Ada", GdprOptin=True))

    api.post("customers", api.customer(1))

    stored = api.stored("customers")["p1@example.com"]
    assert (stored.get("Name"), stored["GdprOptin"]) == (left, omitted == "keep")


@pytest.mark.parametrize(("children", "left"), [("merge", ["s1", "s2"]), ("replace", ["s2"])])
def test_children_are_merged_or_replaced(switched, children, left):
    api = switched(children=children)
    api.post("orders", api.order(1, OrderItems=[api.line(1)]))
    api.post("products", api.product(1, ProductVariants=[api.variant(1)]))

    api.post("orders", api.order(1, OrderItems=[api.line(2)]))
    api.post("products", api.product(1, ProductVariants=[api.variant(2)]))

    assert lines_of(api) == left
    variants = api.stored("products")["p1"]["ProductVariants"]
    assert [each["Sku"] for each in variants] == left


@pytest.mark.parametrize(
    ("children", "omitted", "size"),
    [
        ("merge", "reset", None),
        ("merge", "keep", "XL"),
        ("replace", "reset", None),
        ("replace", "keep", None),
    ],
)
def test_children_keep_omitted_fields_only_when_they_are_merged(switched, children, omitted, size):
    api = switched(children=children, omitted=omitted)
    api.post("orders", api.order(1, OrderItems=[api.line(1, Size="XL")]))

    api.post("orders", api.order(1, OrderItems=[api.line(1)]))

    assert api.stored("orders")["o1"]["OrderItems"][0].get("Size") == size


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


def test_delete_delay_queues_and_takes_a_recreated_record_too(switched):
    """Q27: what happens to a record that is created again while the queue drains."""
    api = switched(delete_async="on", delete_delay=60)
    api.post("orders", api.order(1), api.order(2))
    assert api.delete("orders", "/o1").json["message"] == "Order deletion queued."
    api.post("orders", api.order(1))
    api.service.clock.advance(59)
    assert list(api.stored("orders")) == ["o1", "o2"]

    api.service.clock.advance(1)

    assert list(api.stored("orders")) == ["o2"]


def test_delete_delay_ends_with_settle(switched):
    api = switched(delete_delay="3600")
    api.post("customers", api.customer(1))
    api.delete("customers", customerId="c1")
    assert len(api.stored("customers")) == 1

    api.service.settle()

    assert api.stored("customers") == {}


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


@pytest.mark.parametrize(("unknown", "stored"), [("accept", ["o1", "o2"]), ("ignore", ["o1"])])
def test_unknown_customer(switched, unknown, stored):
    api = switched(unknown_customer=unknown)
    api.post("customers", api.customer(1))

    reply = api.post("orders", api.order(1), api.order(2, Email="nobody@example.com"))

    assert reply.count == len(stored)
    assert list(api.stored("orders")) == stored


@pytest.mark.parametrize(("answer", "status"), [("400", 400), ("413", 413), ("accept", 200)])
def test_over_maximum(switched, answer, status):
    api = switched(over_maximum=answer)
    products = [api.product(number) for number in range(201)]

    reply = api.post("products", *products)

    assert reply.status == status
    assert len(api.stored("products")) == (201 if answer == "accept" else 0)
    assert api.post("products", *products[:200]).status == 200


@pytest.mark.parametrize(("limit", "status"), [(0, 200), (100, 413)])
def test_max_body_bytes(switched, limit, status):
    api = switched(max_body_bytes=limit)

    assert api.post("orders", api.order(1)).status == status


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
    ("unit", "statuses"),
    [("codepoints", (200, 200)), ("utf16", (200, 400)), ("bytes", (400, 400))],
)
def test_length_unit(switched, unit, statuses):
    api = switched(length_unit=unit)

    accented = api.post("customers", api.customer(1, Name="é" * 100))
    emoji = api.post("customers", api.customer(1, Name="🧼" * 51))

    assert (accented.status, emoji.status) == statuses


@pytest.mark.parametrize(("caps", "status"), [({}, 200), ({"OrderItem.Size": 3}, 400)])
def test_caps_override_the_table(switched, caps, status):
    api = switched(caps=caps)

    assert api.post("orders", api.order(1, OrderItems=[api.line(1, Size="500ml")])).status == status


def test_caps_of_zero_lift_a_maximum(switched):
    api = switched(caps="Order.OrderId:0")

    assert api.post("orders", api.order(1, OrderId="x" * 500)).status == 200


def test_required_fields_are_a_tenants_own(vendor):
    """Q17: a tenant may require Language or GdprOptin."""
    tenants = {
        "key": ["5a11d0b0-0000-4000-8000-000000000001", "5a11d0b0-0000-4000-8000-000000000002"]
    }
    demanding = tenants["key"][1]
    api = vendor(
        tenants=tenants,
        tenant_switches={demanding: {"required_fields": ["GdprOptin", "Order.TotalQuantity"]}},
    )
    assert api.post("customers", api.customer(1)).status == 200

    api.tenant = demanding

    assert list(api.post("customers", api.customer(1)).errors) == ["[0].GdprOptin"]
    assert list(api.post("orders", api.order(1)).errors) == ["[0].TotalQuantity"]
    assert api.post("customers", api.customer(1, GdprOptin=False)).status == 200


@pytest.mark.parametrize(("key", "prices"), [("product+sku", [2]), ("none", [1, 2])])
def test_line_key_decides_whether_twins_are_one_line(switched, key, prices):
    api = switched(line_key=key)

    api.post("orders", api.order(1, OrderItems=[api.line(1, Price=1), api.line(1, Price=2)]))

    assert [each["Price"] for each in api.stored("orders")["o1"]["OrderItems"]] == prices
    flags = api.service.flags()["orders"]["o1"]
    assert ("duplicate_child" in flags) == (key == "product+sku")


def test_line_key_none_deletes_every_twin(switched):
    api = switched(line_key="none")
    api.post("orders", api.order(1, OrderItems=[api.line(1), api.line(1), api.line(2)]))

    api.delete("orders", "/o1/items", productId="p1", sku="s1")

    assert lines_of(api) == ["s2"]


@pytest.mark.parametrize(("duplicates", "status"), [("last_wins", 200), ("refuse", 400)])
def test_duplicates_in_one_batch(switched, duplicates, status):
    api = switched(duplicates=duplicates)

    reply = api.post("orders", api.order(1), api.order(1, TotalRevenue=5))

    assert reply.status == status
    if status == 200:
        assert api.stored("orders")["o1"]["TotalRevenue"] == 5
    else:
        assert list(reply.errors) == ["[1].OrderId"]


@pytest.mark.parametrize(
    ("nulls", "status", "name"),
    [("absent", 200, "Ada"), ("refuse", 400, "Ada"), ("clear", 200, None)],
)
def test_nulls_are_absent_refused_or_clear(switched, nulls, status, name):
    api = switched(nulls=nulls, omitted="keep")
    api.post("customers", api.customer(1, Name="Ada", GdprOptin=True))

    reply = api.post("customers", api.customer(1, Name=None, GdprOptin=None))

    stored = api.stored("customers")["p1@example.com"]
    assert (reply.status, stored.get("Name")) == (status, name)
    assert stored["GdprOptin"] == (nulls != "clear")


@pytest.mark.parametrize(("unknown", "status"), [("ignore", 200), ("refuse", 400)])
def test_unknown_properties_are_recorded(switched, unknown, status):
    api = switched(unknown_properties=unknown)

    reply = api.post("products", api.product(1, Url="https://shop.example.com/1"))

    assert reply.status == status
    assert api.service.unknown_properties() == {"Product.Url": 1}
    assert all("Url" not in each for each in api.stored("products").values())


@pytest.mark.parametrize(("case", "status"), [("exact", 400), ("insensitive", 200)])
def test_property_case(switched, case, status):
    api = switched(property_case=case)

    reply = api.post("orders", api.order(1, OrderId=..., orderId="o1"))

    assert reply.status == status
    assert list(api.stored("orders")) == ([] if case == "exact" else ["o1"])


@pytest.mark.parametrize(("case", "customers"), [("ordinal", 2), ("insensitive", 1)])
def test_email_case(switched, case, customers):
    api = switched(email_case=case)

    api.post("customers", api.customer(1), api.customer(1, Email="P1@Example.com"))

    assert len(api.stored("customers")) == customers


@pytest.mark.parametrize(
    ("quantities", "profile", "status"),
    [
        ("profile", "strict", 400),
        ("profile", "gitbook", 200),
        ("strict", "gitbook", 400),
        ("accept", "strict", 200),
    ],
)
def test_quantities(vendor, quantities, profile, status):
    api = vendor(profile=profile, switches={"quantities": quantities})

    assert api.post("orders", api.order(1, OrderItems=[api.line(1, Quantity=-1)])).status == status


@pytest.mark.parametrize(
    ("timestamps", "profile", "status"),
    [
        ("profile", "strict", 400),
        ("profile", "gitbook", 200),
        ("strict", "gitbook", 400),
        ("lenient", "strict", 200),
    ],
)
def test_timestamps(vendor, timestamps, profile, status):
    api = vendor(profile=profile, switches={"timestamps": timestamps})

    reply = api.post("orders", api.order(1, OrderDate="2026-05-01T12:00:00+02:00"))

    assert reply.status == status
    if status == 200:
        assert api.stored("orders")["o1"]["OrderDate"] == "2026-05-01T10:00:00Z"


@pytest.mark.parametrize(
    ("shape", "shown"),
    [("milliseconds", "2026-06-01T12:00:00.000Z"), ("seconds", "2026-06-01T12:00:00Z")],
)
def test_processed_at(switched, shape, shown):
    api = switched(processed_at=shape)

    assert api.post("orders", api.order(1)).json["data"]["processedAt"] == shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"childs": "merge"}, "no switch 'childs'"),
        ({"children": "append"}, "children is one of merge, replace"),
    ],
)
def test_switch_that_does_not_exist_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Switches().but(changes)


def test_switch_is_read_from_the_command_line():
    texts = ["children=replace", "delete_delay=1.5", "caps=Order.OrderId:5,OrderItem.Sku:0"]
    texts.append("required_fields=Language,GdprOptin")

    switches = Switches().but(dict(parse_switch(text) for text in texts))

    assert switches.children == "replace"
    assert switches.delete_delay == 1.5
    assert switches.caps == {"Order.OrderId": 5, "OrderItem.Sku": 0}
    assert switches.required_fields == ("Language", "GdprOptin")
    with pytest.raises(ValueError, match="name=value"):
        parse_switch("children")


def test_switches_change_while_documents_stay(vendor):
    api = vendor()
    api.post("customers", api.customer(1))

    api.service.configure(switches={"customer_priority": "customerid"}, profile="gitbook")
    api.post("customers", api.customer(1, Email="new@example.com"))

    assert list(api.stored("customers")) == ["c1"]
    assert api.service.profile == "gitbook"


def test_every_switch_has_a_test_of_its_own():
    tests = [name for name in globals() if name.startswith("test_")]

    untested = [name for name in SWITCHES if not any(t.startswith(f"test_{name}") for t in tests)]

    assert untested == []


def test_switches_are_json(vendor):
    assert json.loads(json.dumps(vendor(clock=Clock()).service.switches.as_dict()))
