import json

import pytest

OTHER = "5a11d0b0-0000-4000-8000-000000000002"
UNKNOWN = "5a11d0b0-0000-4000-8000-00000000ffff"


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        ("customers", "Customers saved."),
        ("orders", "Orders saved."),
        ("products", "Products saved."),
    ],
)
def test_post_saves_the_documents_and_answers_with_the_envelope(vendor, entity, message):
    api = vendor()
    make = {"customers": api.customer, "orders": api.order, "products": api.product}[entity]

    reply = api.post(entity, make(1), make(2))

    assert reply.status == 200
    assert reply.json == {
        "success": True,
        "message": message,
        "data": {"count": 2, "processedAt": "2026-06-01T12:00:00.000Z"},
    }
    assert len(api.stored(entity)) == 2


def test_state_holds_the_fields_with_defaults_and_the_children_in_key_order(vendor):
    api = vendor()
    api.post("orders", api.order(1, OrderItems=[api.line(2, IsGift=True), api.line(1)]))

    assert api.service.state() == {
        "customers": {},
        "orders": {
            "o1": {
                "OrderId": "o1",
                "CustomerId": "c1",
                "Email": "p1@example.com",
                "OrderDate": "2026-05-01T10:00:00.000Z",
                "TotalRevenue": 9.99,
                "Currency": "EUR",
                "IsOrderCancelled": False,
                "OrderItems": [
                    {
                        "ProductId": "p1",
                        "Sku": "s1",
                        "Quantity": 1,
                        "Price": 9.99,
                        "IsGift": False,
                    },
                    {"ProductId": "p2", "Sku": "s2", "Quantity": 1, "Price": 9.99, "IsGift": True},
                ],
            }
        },
        "products": {},
    }


def test_customer_defaults_are_false_for_every_flag(vendor):
    api = vendor()
    api.post("customers", api.customer())

    assert api.stored("customers")["p1@example.com"] == {
        "CustomerId": "c1",
        "Email": "p1@example.com",
        "EmailOptin": False,
        "SmsOptin": False,
        "WhatsappOptin": False,
        "AppPushOptin": False,
        "GdprOptin": False,
        "IsExcluded": False,
    }


@pytest.mark.parametrize("query", [{"customerId": "c1"}, {"email": "p1@example.com"}])
def test_customer_is_deleted_by_query(vendor, query):
    api = vendor()
    api.post("customers", api.customer(1), api.customer(2))

    reply = api.delete("customers", **query)

    assert reply.status == 200
    assert reply.json["data"] == query
    assert list(api.stored("customers")) == ["p2@example.com"]


def test_customer_is_deleted_by_path(vendor):
    api = vendor()
    api.post("customers", api.customer(1), api.customer(2))

    assert api.delete("customers", "/c1").status == 200
    assert list(api.stored("customers")) == ["p2@example.com"]


def test_customer_delete_without_identifier_is_refused(vendor):
    reply = vendor().delete("customers")

    assert (reply.status, reply.json["message"]) == (400, "Customer ID is required.")


def test_customer_delete_takes_everyone_who_holds_the_identifier(vendor):
    """Under e-mail priority a changed address makes a second customer (§7.2): both carry the id."""
    api = vendor()
    api.post("customers", api.customer(1), api.customer(1, Email="new@example.com"))

    api.delete("customers", customerId="c1")

    assert api.stored("customers") == {}


def test_plus_in_an_email_query_must_be_encoded(vendor):
    api = vendor()
    api.post("customers", api.customer(1, Email="a+b@example.com"))

    api.call("DELETE", f"/customers/{api.tenant}", "email=a+b@example.com")
    assert len(api.stored("customers")) == 1
    api.call("DELETE", f"/customers/{api.tenant}", "email=a%2Bb@example.com")
    assert api.stored("customers") == {}


def test_order_is_deleted(vendor):
    api = vendor()
    api.post("orders", api.order(1), api.order(2))

    assert api.delete("orders", "/o1").json["data"] == {"orderId": "o1"}
    assert list(api.stored("orders")) == ["o2"]


def test_order_line_is_deleted_by_product_and_sku(vendor):
    api = vendor()
    api.post("orders", api.order(1, OrderItems=[api.line(1), api.line(2)]))

    assert api.delete("orders", "/o1/items", productId="p1", sku="s1").status == 200
    assert [each["Sku"] for each in api.stored("orders")["o1"]["OrderItems"]] == ["s2"]


@pytest.mark.parametrize("query", [{}, {"productId": "p1"}, {"sku": "s1"}])
def test_order_line_delete_needs_both_identifiers(vendor, query):
    api = vendor()
    api.post("orders", api.order(1))

    assert api.delete("orders", "/o1/items", **query).status == 400


def test_product_is_deleted_with_its_variants(vendor):
    api = vendor()
    api.post("products", api.product(1), api.product(2, ProductVariants=[api.variant(2)]))

    assert api.delete("products", "/p1").status == 200
    assert list(api.stored("products")) == ["p2"]


def test_variant_is_deleted(vendor):
    api = vendor()
    api.post("products", api.product(1, ProductVariants=[api.variant(1), api.variant(2)]))

    assert api.delete("products", "/p1/variants/v1").status == 200
    assert [each["VariantId"] for each in api.stored("products")["p1"]["ProductVariants"]] == ["v2"]


@pytest.mark.parametrize(
    ("entity", "rest", "query", "message"),
    [
        ("orders", "/nope", {}, "Order not found."),
        ("orders", "/nope/items", {"productId": "p", "sku": "s"}, "Order not found."),
        ("orders", "/o1/items", {"productId": "p", "sku": "s"}, "Order item not found."),
        ("products", "/nope", {}, "Product not found."),
        ("products", "/nope/variants/v", {}, "Product not found."),
        ("products", "/p1/variants/v", {}, "Variant not found."),
    ],
)
def test_deleting_what_does_not_exist_is_404(vendor, entity, rest, query, message):
    api = vendor()
    api.post("orders", api.order(1))
    api.post("products", api.product(1))

    reply = api.delete(entity, rest, **query)

    assert (reply.status, reply.json["message"]) == (404, message)


def test_ids_are_percent_decoded_after_the_path_is_split(vendor):
    api = vendor()
    api.post("orders", api.order(1, OrderId="a/b ?#%"))

    assert api.delete("orders", "/a%2Fb%20%3F%23%25").status == 200
    assert api.stored("orders") == {}


@pytest.mark.parametrize("key", ["", "wrong", " c2FuZGJveC1rZXk=", "C2FUZGJVEC1RZXK="])
def test_unknown_key_is_401_whatever_else_is_wrong(vendor, key):
    reply = vendor().call("POST", "/customers/not-a-guid", key=key)

    assert (reply.status, reply.json) == (
        401,
        {"success": False, "message": "Unauthorized.", "data": {}},
    )


def test_authentication_comes_before_permission_and_permission_before_the_body(vendor):
    mine = "5a11d0b0-0000-4000-8000-000000000001"
    api = vendor(tenants={"one": [mine], "two": [OTHER]})

    assert api.call("POST", f"/customers/{OTHER}", body=b"rubbish").status == 403
    assert api.call("POST", f"/customers/{UNKNOWN}", body=b"rubbish").status == 404
    assert api.call("POST", "/customers/not-a-guid", body=b"rubbish").status == 400
    assert api.call("POST", f"/customers/{mine}", body=b"rubbish").status == 400


def test_one_key_opens_several_tenants_that_do_not_share_documents(vendor):
    mine = "5a11d0b0-0000-4000-8000-000000000001"
    api = vendor(tenants={"one": [mine, OTHER]})
    api.post("customers", api.customer(1))
    body = json.dumps([api.customer(2)]).encode()

    assert api.call("POST", f"/customers/{OTHER.upper()}", body=body).status == 200
    assert list(api.service.state(mine)["customers"]) == ["p1@example.com"]
    assert list(api.service.state(OTHER)["customers"]) == ["p2@example.com"]


def test_unknown_tenant_says_so(vendor):
    reply = vendor().call("DELETE", f"/orders/{UNKNOWN}/o1")

    assert (reply.status, reply.json["message"]) == (404, "Tenant not found.")


@pytest.mark.parametrize("path", ["/", "/customers", "/people/{t}", "/orders/{t}/o1/lines"])
def test_path_that_no_page_names_is_a_bare_404(vendor, path):
    api = vendor()

    reply = api.call("POST", path.format(t=api.tenant))

    assert (reply.status, reply.text) == (404, "")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_nothing_can_be_read_or_put(vendor, method):
    api = vendor()

    reply = api.call(method, f"/customers/{api.tenant}")

    assert (reply.status, reply.headers["allow"]) == (405, "POST, DELETE")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "The body must be a JSON array."),
        (b"[", "The body is not valid JSON."),
        (b"\xff", "The body is not valid JSON."),
        (b"", "The body is not valid JSON."),
    ],
)
def test_body_that_is_no_array_is_400(vendor, body, message):
    api = vendor()

    reply = api.call("POST", f"/orders/{api.tenant}", body=body)

    assert (reply.status, reply.errors) == (400, {"$": [message]})


def test_element_that_is_no_object_is_named_by_its_place(vendor):
    api = vendor()

    reply = api.post("orders", api.order(1), 7)

    assert reply.errors == {"[1]": ["The value must be an object."]}


def test_empty_array_is_accepted(vendor):
    assert vendor().post("orders").count == 0
