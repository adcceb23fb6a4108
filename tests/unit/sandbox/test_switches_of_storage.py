"""Switches that decide what is stored."""

import pytest


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


@pytest.mark.parametrize(("unknown", "stored"), [("accept", ["o1", "o2"]), ("ignore", ["o1"])])
def test_unknown_customer(switched, unknown, stored):
    api = switched(unknown_customer=unknown)
    api.post("customers", api.customer(1))

    reply = api.post("orders", api.order(1), api.order(2, Email="nobody@example.com"))

    assert reply.count == len(stored)
    assert list(api.stored("orders")) == stored


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


def test_switches_change_while_documents_stay(vendor):
    api = vendor()
    api.post("customers", api.customer(1))

    api.service.configure(switches={"customer_priority": "customerid"}, profile="gitbook")
    api.post("customers", api.customer(1, Email="new@example.com"))

    assert list(api.stored("customers")) == ["c1"]
    assert api.service.profile == "gitbook"
