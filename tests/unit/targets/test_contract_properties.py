"""What a judged document always satisfies, restated plainly and without our contracts."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import SchemaValidator, ValidationError

from replenit_destination.engine.canonical import canonical
from replenit_destination.engine.documents import Lane
from replenit_destination.targets.replenit import formats
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

TARGETS = [
    ReplenitTarget(
        ReplenitSettings(
            api_key="key",
            tenant_id="3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            customer_identifier_priority=priority,
            guests=guests,
            optional_invalid=optional,
            uncertain=uncertain,
            duplicate_lines=lines,
        ),
        clock=lambda: 1_760_000_000.0,
    )
    for priority, guests in (("email", "solo"), ("customerid", "derive"), ("customerid", "drop"))
    for optional in ("omit", "reject")
    for uncertain in ("solo", "reject")
    for lines in ("combine", "keep")
]

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
IDS = (
    st.sampled_from(["a", "b", "A", "1", "x" * 100, "x" * 101, "😀" * 60, " a", "a\tb", ""]) | WORDS
)
EMAILS = st.sampled_from(["a@example.com", "b@example.com", "broken", ""]) | st.emails() | WORDS
NUMBERS = (
    st.sampled_from(["0", "1", "2", "-1", "1.5", "19.990000000", "1e3", "NaN", "x", "2147483648"])
    | st.integers(-5, 50).map(str)
    | st.decimals(0, 1000, places=3).map(str)
)
FLAGS = st.booleans() | st.sampled_from(["true", "no"])
DATES = st.sampled_from(["2025-08-22T21:00:00.000Z", "2025-02-30T21:00:00.000Z", "22.8.2025"])
CODES = st.sampled_from(["EUR", "usd", "€", "EURO"])
TAGS = st.sampled_from(["de", "de_AT", "zh-hant-tw", "zho-Hant-TW", "german"]) | WORDS
LONG = st.sampled_from(["x" * n for n in (99, 100, 101, 200, 201, 300, 301, 501)]) | WORDS


def rows(required, optional):
    return st.fixed_dictionaries(
        dict(required),
        optional={name: st.none() | values for name, values in optional.items()},
    )


CUSTOMERS = rows(
    {"CustomerId": IDS, "Email": EMAILS},
    {
        "Name": LONG,
        "Surname": LONG,
        "Phone": st.sampled_from(["+14155550123", "030"]),
        "Language": TAGS,
        "Username": LONG,
        "EmailOptin": FLAGS,
        "SmsOptin": FLAGS,
        "GdprOptin": FLAGS,
        "IsExcluded": FLAGS,
    },
)
LINES = rows(
    {"ProductId": IDS, "Sku": IDS, "Quantity": NUMBERS, "Price": NUMBERS},
    {
        "OriginalPrice": NUMBERS,
        "Size": LONG,
        "Color": LONG,
        "Brand": LONG,
        "IsGift": FLAGS,
        "_line": WORDS,
    },
)
ORDERS = rows(
    {
        "OrderId": IDS,
        "Email": EMAILS,
        "OrderDate": DATES,
        "TotalRevenue": NUMBERS,
        "Currency": CODES,
        "OrderItems": st.lists(LINES, max_size=4),
    },
    {
        "CustomerId": IDS,
        "TotalQuantity": NUMBERS,
        "UniqueQuantity": NUMBERS,
        "IsOrderCancelled": FLAGS,
    },
)
VARIANTS = rows(
    {
        "VariantId": IDS,
        "Sku": IDS,
        "Name": LONG,
        "OriginalPrice": NUMBERS,
        "Currency": CODES,
        "IsAvailable": FLAGS,
    },
    {
        "Image": st.sampled_from(["https://cdn.example.com/a.jpg", "a.jpg"]),
        "Size": LONG,
        "Stock": NUMBERS,
        "SalePrice": NUMBERS,
        "Language": TAGS,
        "BrandName": LONG,
    },
)
PRODUCTS = rows(
    {"ProductId": IDS, "ProductName": LONG, "ProductVariants": st.lists(VARIANTS, max_size=3)},
    {"Taxonomy": st.lists(st.none() | WORDS, max_size=3), "IsOfflineExclusive": FLAGS},
)
# Mostly legal rows, so that accepted documents are seen often.
SOUND_LINE = {"ProductId": "p", "Sku": "s", "Quantity": "2", "Price": "9.990000000"}
SOUND = {
    "customers": {"CustomerId": "c", "Email": "a@example.com", "GdprOptin": True},
    "orders": {
        "OrderId": "o",
        "CustomerId": "c",
        "Email": "a@example.com",
        "OrderDate": "2025-08-22T21:00:00.000Z",
        "TotalRevenue": "19.980000000",
        "Currency": "EUR",
        "OrderItems": [SOUND_LINE],
    },
    "products": {
        "ProductId": "p",
        "ProductName": "Soap",
        "ProductVariants": [
            {
                "VariantId": "v",
                "Sku": "s",
                "Name": "Soap",
                "OriginalPrice": "9.99",
                "Currency": "EUR",
                "IsAvailable": True,
            }
        ],
    },
}


@st.composite
def cases(draw):
    entity = draw(st.sampled_from(sorted(SOUND)))
    wild = draw({"customers": CUSTOMERS, "orders": ORDERS, "products": PRODUCTS}[entity])
    spoiled = draw(st.sets(st.sampled_from(sorted(wild)), max_size=3))
    row = {**SOUND[entity], **{name: wild[name] for name in spoiled}}
    return draw(st.sampled_from(TARGETS)), entity, row


def units(text):
    return len(text.encode("utf-16-le")) // 2


def most(document, **limits):
    for name, limit in limits.items():
        assert units(document.get(name, "")) <= limit, name


def identifiers(document, *names):
    for name in names:
        value = document.get(name, "x")
        assert value
        assert value == value.strip()
        assert value.isprintable()


def amounts(document, *names):
    assert all(document.get(name, 0) >= 0 for name in names)


def flags(document):
    for name, value in document.items():
        if name.startswith("Is") or name.endswith("Optin"):
            assert isinstance(value, bool), name


def check_customer(target, document, *, sure):
    assert document[target.settings.customer_key]
    assert isinstance(document["GdprOptin"], bool)
    most(document, CustomerId=100, Email=255, Name=100, Phone=20, Language=10, Username=500)
    most(document, Surname=100 if sure else 300)
    identifiers(document, "CustomerId", "Email")
    assert re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", document.get("Email", "a@b.c"))
    assert re.fullmatch(r"\+[1-9]\d{1,14}", document.get("Phone", "+10"))
    assert re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", document.get("Language", "de"))
    flags(document)


def check_order(target, document, *, sure):
    assert document[target.settings.customer_key]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["OrderDate"])
    assert re.fullmatch(r"[A-Z]{3}", document["Currency"])
    most(document, OrderId=100, CustomerId=100, Email=255)
    identifiers(document, "OrderId", "CustomerId", "Email")
    amounts(document, "TotalRevenue", "TotalQuantity", "UniqueQuantity")
    flags(document)
    lines = document["OrderItems"]
    assert lines
    pairs = [(line.get("ProductId"), line.get("Sku")) for line in lines]
    assert (None, None) not in pairs
    assert len(set(pairs)) == len(pairs) or target.settings.duplicate_lines == "keep"
    for line in lines:
        most(line, ProductId=100)
        identifiers(line, "ProductId", "Sku")
        assert isinstance(line["Quantity"], int)
        assert line["Quantity"] >= 1
        amounts(line, "Price", "OriginalPrice")
        flags(line)
        assert "_line" not in line
    if sure:
        assert {"CustomerId", "Email"} <= document.keys()
        for line in lines:
            assert {"ProductId", "Sku"} <= line.keys()
            most(line, Sku=100, Size=100, Color=100, Brand=100)


def check_product(target, document, *, sure):
    most(document, ProductId=100, ProductName=200)
    identifiers(document, "ProductId")
    flags(document)
    assert all(document.get("Taxonomy", ["x"]))
    variants = document["ProductVariants"]
    assert variants
    assert len({one["VariantId"] for one in variants}) == len(variants)
    for one in variants:
        assert {"Sku", "Name", "OriginalPrice", "Currency", "IsAvailable"} <= one.keys()
        identifiers(one, "VariantId", "Sku")
        amounts(one, "OriginalPrice", "SalePrice")
        assert re.fullmatch(r"[A-Z]{3}", one["Currency"])
        assert one.get("Image", "https://x").startswith("https://")
        flags(one)
        if sure:
            most(one, VariantId=100, Sku=100, Name=200, Language=10)


CHECKS = {"customers": check_customer, "orders": check_order, "products": check_product}


@given(cases())
def test_judged_documents_always_keep_the_vendors_limits(case):
    target, entity, row = case
    verdict = target.judge(entity, row)
    left_at_home = verdict.rejected or verdict.skipped is not None
    assert left_at_home == (verdict.payload == {})
    if left_at_home:
        return
    assert (verdict.lane is Lane.SOLO) == bool(verdict.solo_class)
    document = json.loads(canonical(verdict.payload), parse_float=Decimal)
    assert "null" not in canonical(verdict.payload).decode() or "null" in str(row)
    CHECKS[entity](target, document, sure=verdict.lane is Lane.BATCH)


@given(cases())
def test_judging_is_repeatable_and_canonical_json_is_exact(case):
    target, entity, row = case
    first, second = target.judge(entity, row), target.judge(entity, row)
    assert first == second
    read = json.loads(canonical(first.payload), parse_float=Decimal, parse_int=Decimal)
    assert read == first.payload


RULES = [
    formats.Text(),
    formats.Text(300, agreed=100),
    formats.Text(20, truncate=True),
    formats.Identifier(100),
    formats.Identifier(agreed=100),
    formats.Email(255),
    formats.Phone(20),
    formats.Language(10),
    formats.Language(10, fallback=True),
    formats.Language(3, fallback=True),
    formats.Currency(),
    formats.Moment(),
    formats.HttpsAddress(),
    formats.Texts(),
]


def close_to(rule):
    """Texts that a rule takes, nearly takes, or takes for another rule's."""
    shapes = [st.text(max_size=120), EMAILS, TAGS, CODES, DATES, IDS, LONG]
    if pattern := getattr(rule, "_plain", ""):
        without_classes = pattern.replace(r"\p{L}\p{N}", "a-z")
        shapes += [st.from_regex(without_classes), st.from_regex(without_classes, fullmatch=True)]
    texts = st.one_of(shapes)
    return st.lists(texts, max_size=3) if isinstance(rule, formats.Texts) else texts


@given(st.sampled_from(RULES).flatmap(lambda rule: st.tuples(st.just(rule), close_to(rule))))
def test_what_a_plain_rule_takes_the_rule_takes_and_leaves_as_it_is(case):
    rule, value = case
    try:
        plain = SchemaValidator(rule.plain()).validate_python(value)
    except ValidationError:
        return
    assert plain == value
    assert SchemaValidator(rule.schema()).validate_python(value) == value
    if isinstance(rule, formats.Text) and rule.sure is not None:
        assert units(value) <= rule.sure


@given(cases())
def test_no_note_repeats_a_value(case):
    target, entity, row = case
    marked = json.loads(json.dumps(row).replace('"broken"', '"zqzqzq"'))
    verdict = target.judge(entity, marked)
    notes = (verdict.refusals, verdict.omitted, verdict.dropped, verdict.warnings)
    assert "zqzqzq" not in repr(notes)
