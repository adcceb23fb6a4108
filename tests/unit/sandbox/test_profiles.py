"""The validation of every profile, one line per rule: which profiles refuse the change."""

from typing import Any

import pytest

from replenit_destination.sandbox import PROFILES

STRICT, REFERENCE, GITBOOK, DOCS = PROFILES
ALL = set(PROFILES)


def _child(entity: str, **changes: Any) -> dict[str, Any]:
    return {"entity": entity, **changes}


RULES: list[tuple[str, str, dict[str, Any], set[str]]] = [
    # rule, DTO, change (... leaves the field out), profiles that refuse
    ("customer without identifiers", "customers", {"CustomerId": ..., "Email": ...}, ALL),
    ("blank identifiers are missing", "customers", {"CustomerId": " ", "Email": ""}, ALL),
    ("CustomerId cap", "customers", {"CustomerId": "x" * 101}, ALL),
    ("Email cap", "customers", {"Email": "x" * 250 + "@e.com"}, {STRICT, GITBOOK, DOCS}),
    ("Email form", "customers", {"Email": "nobody"}, {STRICT, REFERENCE}),
    ("Name cap", "customers", {"Name": "x" * 101}, {STRICT, GITBOOK, DOCS}),
    ("K3 Surname 101", "customers", {"Surname": "x" * 101}, {STRICT}),
    ("K3 Surname 301", "customers", {"Surname": "x" * 301}, {STRICT, GITBOOK, DOCS}),
    ("K4 Phone form", "customers", {"Phone": "0123 456"}, {STRICT, REFERENCE}),
    ("K4 Phone cap", "customers", {"Phone": "1" * 21}, ALL),
    ("K5 Language cap", "customers", {"Language": "zh-Hant-TW1"}, ALL),
    ("K5 Language form", "customers", {"Language": "english_GB"}, {STRICT, DOCS}),
    ("Username cap", "customers", {"Username": "x" * 501}, {STRICT, GITBOOK, DOCS}),
    ("flag type", "customers", {"GdprOptin": "true"}, ALL),
    ("string type", "customers", {"Name": 7}, ALL),
    ("OrderId required", "orders", {"OrderId": ...}, ALL),
    ("OrderId blank", "orders", {"OrderId": " "}, ALL),
    ("OrderId cap", "orders", {"OrderId": "x" * 101}, {STRICT, GITBOOK, DOCS}),
    ("K8 CustomerId required", "orders", {"CustomerId": ...}, {STRICT, REFERENCE}),
    ("K8 Email required", "orders", {"Email": ...}, {STRICT, REFERENCE}),
    ("K9 no items", "orders", {"OrderItems": ...}, {STRICT, REFERENCE}),
    ("K9 empty items", "orders", {"OrderItems": []}, {STRICT, REFERENCE}),
    ("K10 OrderDate required", "orders", {"OrderDate": ...}, {STRICT, REFERENCE}),
    ("K11 TotalRevenue required", "orders", {"TotalRevenue": ...}, {STRICT, REFERENCE}),
    ("TotalRevenue type", "orders", {"TotalRevenue": "9.99"}, ALL),
    ("TotalQuantity type", "orders", {"TotalQuantity": 1.5}, ALL),
    ("K12 Currency required", "orders", {"Currency": ...}, ALL),
    ("K12 Currency form", "orders", {"Currency": "eur"}, ALL),
    ("K14 zero offset", "orders", {"OrderDate": "2026-05-01T10:00:00+00:00"}, {STRICT}),
    ("K14 offset", "orders", {"OrderDate": "2026-05-01T10:00:00+02:00"}, {STRICT, REFERENCE}),
    ("K14 no zone", "orders", {"OrderDate": "2026-05-01T10:00:00"}, {STRICT, REFERENCE}),
    ("Q26 fractions", "orders", {"OrderDate": "2026-05-01T10:00:00.1234567Z"}, {STRICT}),
    ("localised date", "orders", {"OrderDate": "01.05.2026"}, ALL),
    ("date that is none", "orders", {"OrderDate": "2026-02-30T10:00:00Z"}, ALL),
    ("ProductId required", "items", {"ProductId": ...}, {STRICT, REFERENCE}),
    ("Sku required", "items", {"Sku": ...}, {STRICT, REFERENCE}),
    ("K13 no identifier", "items", {"ProductId": ..., "Sku": ...}, ALL),
    ("K15 ProductId cap", "items", {"ProductId": "x" * 101}, ALL),
    ("K15 Sku cap", "items", {"Sku": "x" * 101}, ALL),
    ("Quantity required", "items", {"Quantity": ...}, {STRICT, REFERENCE}),
    ("Quantity type", "items", {"Quantity": 1.0}, ALL),
    ("K16 Quantity zero", "items", {"Quantity": 0}, {STRICT}),
    ("K16 Price negative", "items", {"Price": -1}, {STRICT}),
    ("Price type", "items", {"Price": "1"}, ALL),
    ("Price is no flag", "items", {"Price": True}, ALL),
    ("ProductId required", "products", {"ProductId": ...}, ALL),
    ("ProductId cap", "products", {"ProductId": "x" * 101}, {STRICT, GITBOOK, DOCS}),
    ("K18 ProductName required", "products", {"ProductName": ...}, {STRICT, REFERENCE}),
    ("K18 ProductName cap", "products", {"ProductName": "x" * 201}, {STRICT, GITBOOK, DOCS}),
    ("Taxonomy type", "products", {"Taxonomy": ["a", 1]}, ALL),
    ("K19 variants required", "products", {"ProductVariants": ...}, {STRICT, REFERENCE, GITBOOK}),
    ("K19 empty variants", "products", {"ProductVariants": []}, {STRICT, REFERENCE}),
    ("variants type", "products", {"ProductVariants": {}}, ALL),
    ("VariantId required", "variants", {"VariantId": ...}, ALL),
    ("K21 VariantId cap", "variants", {"VariantId": "x" * 101}, ALL),
    ("Sku required", "variants", {"Sku": ...}, {STRICT, REFERENCE}),
    ("Name required", "variants", {"Name": ...}, {STRICT, REFERENCE}),
    ("K21 Name cap", "variants", {"Name": "x" * 201}, ALL),
    ("OriginalPrice required", "variants", {"OriginalPrice": ...}, {STRICT, REFERENCE}),
    ("Currency required", "variants", {"Currency": ...}, {STRICT, REFERENCE}),
    ("Currency form", "variants", {"Currency": "€"}, ALL),
    ("IsAvailable required", "variants", {"IsAvailable": ...}, {STRICT, REFERENCE}),
    ("Image address", "variants", {"Image": "http://img.example.com/a.png"}, {STRICT}),
    ("K21 Language cap", "variants", {"Language": "x" * 11}, ALL),
    ("Stock type", "variants", {"Stock": 1.5}, ALL),
]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("dto", "change", "refusing"),
    [rule[1:] for rule in RULES],
    ids=[f"{rule[1]}: {rule[0]}" for rule in RULES],
)
def test_profile_refuses_what_its_pages_forbid(vendor, profile, dto, change, refusing):
    api = vendor(profile=profile)
    if dto == "items":
        entity, document = "orders", api.order(OrderItems=[api.line(**change)])
    elif dto == "variants":
        entity, document = "products", api.product(ProductVariants=[api.variant(**change)])
    else:
        make = {"customers": api.customer, "orders": api.order, "products": api.product}[dto]
        entity, document = dto, make(**change)

    reply = api.post(entity, document)

    assert reply.status == (400 if profile in refusing else 200), reply.text


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_accepts_complete_documents(vendor, profile):
    api = vendor(profile=profile)
    flags = ["EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "GdprOptin", "IsExcluded"]
    person = api.customer(
        1,
        Name="Åsa",
        Surname="Ö" * 100,
        Phone="+14155550123",
        Language="zh-Hant-TW",
        Username="x" * 500,
        **dict.fromkeys(flags, True),
    )
    line = api.line(1, OriginalPrice=12, Size="500ml", Color="red", Brand="b", IsGift=True)
    bought = api.order(1, TotalQuantity=1, UniqueQuantity=1, IsOrderCancelled=True)
    variant = api.variant(
        1, Image="https://img.example.com/a.png", Size="XL", Stock=0, SalePrice=1.5, Language="en"
    )
    sold = api.product(1, Taxonomy=["a", "b"], IsOfflineExclusive=True)

    assert api.post("customers", person).count == 1
    assert api.post("orders", {**bought, "OrderItems": [line]}).count == 1
    assert api.post("products", {**sold, "ProductVariants": [variant]}).count == 1
    assert api.stored("customers")["p1@example.com"] == person
    assert api.stored("orders")["o1"]["OrderItems"] == [line]
    assert api.stored("products")["p1"] == {**sold, "ProductVariants": [variant]}


def test_gitbook_fills_in_what_an_order_lacks_and_flags_the_date(vendor):
    api = vendor(profile="gitbook")

    api.post("orders", {"OrderId": "o1", "Currency": "USD", "OrderItems": []})

    assert api.stored("orders")["o1"] == {
        "OrderId": "o1",
        "Currency": "USD",
        "OrderDate": "2026-06-01T12:00:00.000Z",
        "TotalRevenue": 1,
        "TotalQuantity": 1,
        "UniqueQuantity": 1,
        "IsOrderCancelled": False,
        "OrderItems": [],
    }
    assert api.service.flags()["orders"] == {"o1": ["order_date_filled", "unlinked"]}


def test_docs_normalises_offsets_to_utc(vendor):
    api = vendor(profile="docs-1.1")

    api.post("orders", api.order(1, OrderDate="2026-05-01T01:00:00+02:00"))

    assert api.stored("orders")["o1"]["OrderDate"] == "2026-04-30T23:00:00Z"


def test_docs_skips_an_order_without_the_priority_identifier(vendor):
    """K8: docs v1.1 uses only the configured identifier; 200 with ignored records is [D:err]'s."""
    api = vendor(profile="docs-1.1")

    reply = api.post("orders", api.order(1, Email=...), api.order(2))

    assert (reply.status, reply.count) == (200, 1)
    assert list(api.stored("orders")) == ["o2"]


def test_every_fault_of_a_batch_is_named(vendor):
    api = vendor()
    lines = [api.line(1), api.line(2, Quantity="1", Price=...)]

    reply = api.post("orders", api.order(1), api.order(2, Currency="x", OrderItems=lines))

    assert reply.errors == {
        "[1].Currency": ["The currency must be a three-letter ISO 4217 code."],
        "[1].OrderItems[1].Price": ["The Price field is required."],
        "[1].OrderItems[1].Quantity": ["The value must be an integer."],
    }


def test_flags_name_unlinked_orders_and_unmatched_lines_until_the_others_arrive(vendor):
    api = vendor()
    api.post("orders", api.order(1, OrderItems=[api.line(1), api.line(2, Sku="S1")]))
    assert api.service.flags()["orders"] == {
        "o1": ["unlinked", "unmatched_line:S1", "unmatched_line:s1"]
    }

    api.post("customers", api.customer(1))
    api.post("products", api.product(1))

    assert api.service.flags()["orders"] == {"o1": ["unmatched_line:S1"]}
