"""The shipped mapping over the staged sample shop, against a reading of the records by hand.

The expectation is computed from the shop's own records in Python, never from the tables.
"""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest
from shopify import shopify

import replenit_destination.targets.replenit as replenit_target
from replenit_destination.engine.assembly import Assembly
from replenit_destination.engine.binding import Tables, bind
from replenit_destination.engine.mapping import Mapping
from replenit_destination.exceptions import MappingError
from replenit_destination.sandbox.shopify import Shop, ShopifySandbox, sample_shop
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replenit_destination.sandbox.shopify.store import Record

PRESETS = Path(replenit_target.__file__).with_name("presets")
CONSENT = {"customers": {"fields": {"GdprOptin": {"rule": "email_or_sms_optin"}}}}
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def target() -> ReplenitTarget:
    return ReplenitTarget(
        ReplenitSettings(
            api_key="a2V5",
            tenant_id="5a11d0b0-0000-4000-8000-000000000001",
            customer_identifier_priority="email",
        )
    )


@pytest.fixture(scope="module")
def shop() -> Shop:
    return sample_shop()


@pytest.fixture(scope="module")
def staged(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The sample shop, staged by the source."""
    folder = tmp_path_factory.mktemp("staged")
    with ShopifySandbox(shop) as sandbox:
        pipeline = dlt.pipeline(
            "preset_test",
            pipelines_dir=str(folder / "pipelines"),
            destination=dlt.destinations.duckdb(str(folder / "staged.duckdb")),
            dataset_name="shopify",
        )
        source = shopify(shop=sandbox.url, access_token=sandbox.access_token)
        pipeline.run(source, loader_file_format="parquet")
    with duckdb.connect(str(folder / "staged.duckdb")) as connection:
        yield connection


def documents(
    connection: Any, target: ReplenitTarget, **changes: Any
) -> dict[str, dict[str, dict[str, Any]]]:
    mapping = Mapping({"preset": "shopify", **CONSENT, **changes})
    entities = mapping.entities(target.entities, presets=PRESETS)
    tables = Tables(connection, "staged", "shopify")
    bound = bind(connection, entities, target.entities, tables)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, entity in bound.items():
        assert entity.notices == ()
        rows = connection.execute(Assembly(entity).documents()).fetchall()
        found[name] = {row[2]: json.loads(row[-1]) for row in rows}
    return found


@pytest.fixture(scope="module")
def gross(staged: Any, target: ReplenitTarget) -> dict[str, dict[str, dict[str, Any]]]:
    return documents(staged, target)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def decimals(document: dict[str, Any], *names: str) -> dict[str, Decimal | None]:
    return {name: Decimal(document[name]) if document[name] else None for name in names}


def wholly_cancelled(order: Record) -> bool:
    return bool(order["cancelledAt"]) or not any(ln["currentQuantity"] for ln in order["lines"])


def test_without_a_consent_rule_the_mapping_asks(target: ReplenitTarget) -> None:
    with pytest.raises(MappingError, match="GdprOptin"):
        Mapping({"preset": "shopify"}).entities(target.entities, presets=PRESETS)


def test_customers_carry_their_present_facts(gross: Any, shop: Shop) -> None:
    assert gross["customers"].keys() == {str(number) for number in shop.customers}
    for number, record in shop.customers.items():
        email = bool(record["email"]) and record["emailState"] == "SUBSCRIBED"
        sms = bool(record["phone"]) and record["smsState"] == "SUBSCRIBED"
        said = [record[f"{way}UpdatedAt"] for way in ("email", "sms") if record[f"{way}UpdatedAt"]]
        assert gross["customers"][str(number)] == {
            "CustomerId": str(number),
            "Email": record["email"],
            "Name": record["firstName"],
            "Surname": record["lastName"],
            "Phone": record["phone"],
            "Language": record["locale"].split("-")[0],
            "EmailOptin": email,
            "SmsOptin": sms,
            "GdprOptin": email or sms,
            "_consent_at": f"{max(said)[:19]}.000Z" if said else None,
        }


def test_orders_leave_out_tests_and_keep_everyone_else(gross: Any, shop: Shop) -> None:
    expected = {str(number) for number, record in shop.orders.items() if not record["test"]}
    assert gross["orders"].keys() == expected


def test_known_customers_get_their_present_address_guests_keep_theirs(
    gross: Any, shop: Shop
) -> None:
    moved = 0
    for number, document in gross["orders"].items():
        record = shop.orders[int(number)]
        customer = shop.customers.get(record["customerId"] or 0)
        present = (customer["email"] if customer else None) or record["email"]
        assert document["Email"] == (present.lower() if present else None)
        moved += bool(customer and customer["email"] and present != record["email"])
    assert moved, "the sample has customers whose address changed since"


def test_orders_hold_goods_without_shipping_in_shop_currency(gross: Any, shop: Shop) -> None:
    kinds = set()
    for number, document in gross["orders"].items():
        record = shop.orders[int(number)]
        cancelled = wholly_cancelled(record)
        count = "quantity" if cancelled else "currentQuantity"
        goods = sum(price(line) * line[count] for line in record["lines"])
        if not record["taxesIncluded"]:
            goods += cents(goods * Decimal(record["taxRate"]))
        if not cancelled:
            goods -= Decimal(record["adjustment"])
        assert Decimal(document["TotalRevenue"]) == max(goods, Decimal(0)), number
        assert document["IsOrderCancelled"] is cancelled
        assert document["Currency"] == "EUR"
        kinds.add((cancelled, record["taxesIncluded"], bool(record["refunds"])))
    assert len(kinds) >= 6


def price(line: Record) -> Decimal:
    return cents(Decimal(line["price"]) * (1 - Decimal(line["discount"])))


def test_lines_hold_what_is_left_or_for_a_cancelled_order_what_was(gross: Any, shop: Shop) -> None:
    for number, document in gross["orders"].items():
        record = shop.orders[int(number)]
        cancelled = wholly_cancelled(record)
        count = "quantity" if cancelled else "currentQuantity"
        kept = [line for line in record["lines"] if line[count] > 0]
        assert [item["_line"] for item in document["OrderItems"]] == [str(ln["id"]) for ln in kept]
        for item, line in zip(document["OrderItems"], kept, strict=True):
            product = line["productId"] if line["productId"] in shop.products else None
            assert item["ProductId"] == (str(product) if product else None)
            assert item["Sku"] == line["sku"]
            assert item["Quantity"] == str(line[count])
            assert item["Brand"] == line["vendor"]
            assert item["IsGift"] is bool(line["attributes"])
            if record["taxesIncluded"]:
                seen = decimals(item, "Price", "OriginalPrice")
                assert seen == {"Price": price(line), "OriginalPrice": Decimal(line["price"])}


def test_sizes_and_colours_are_found_in_every_language(gross: Any, shop: Shop) -> None:
    sizes: set[str] = set()
    colours: set[str | None] = set()
    for number, document in gross["products"].items():
        record = shop.products[int(number)]
        for variant, facts in zip(document["ProductVariants"], record["variants"], strict=True):
            expected = None if record["options"] == ["Title"] else facts["values"][0]
            assert variant["Size"] == expected, record["title"]
            sizes.update(record["options"][:1])
    for document in gross["orders"].values():
        colours.update(item["Color"] for item in document["OrderItems"])
    assert sizes >= {"Größe", "Grösse", "Taille", "Size", "Beden", "Talla"}
    assert colours >= {"Schwarz", "Weiß"}


def test_variants_are_priced_stocked_and_on_sale_as_listed(gross: Any, shop: Shop) -> None:
    for number, record in shop.products.items():
        document = gross["products"][str(number)]
        category = record["category"] or record["productType"]
        assert document["Taxonomy"] == (category.split(" > ") if category else None)
        for variant, facts in zip(document["ProductVariants"], record["variants"], strict=True):
            listed = Decimal(facts["compareAtPrice"] or facts["price"])
            assert decimals(variant, "SalePrice", "OriginalPrice") == {
                "SalePrice": Decimal(facts["price"]),
                "OriginalPrice": max(listed, Decimal(facts["price"])),
            }
            in_stock = not facts["tracked"] or facts["stock"] > 0
            assert variant["IsAvailable"] is (in_stock and record["status"] == "ACTIVE")
            assert variant["Stock"] == (str(facts["stock"]) if facts["tracked"] else None)
            assert variant["Sku"] == facts["sku"]
            assert variant["Currency"] == "EUR"
            assert variant["Image"].startswith("https://")
            if facts["values"] == ["Default Title"]:
                assert variant["Name"] == record["title"]
    statuses = {record["status"] for record in shop.products.values()}
    assert statuses >= {"ACTIVE", "DRAFT"}
    assert len(statuses) >= 3


def test_net_amounts_are_the_gross_ones_without_tax(
    gross: Any, staged: Any, target: ReplenitTarget, shop: Shop
) -> None:
    net = documents(staged, target, amounts="net")["orders"]
    for number, document in gross["orders"].items():
        record = shop.orders[int(number)]
        if record["adjustment"] != "0.0" or not record["lines"]:
            continue  # money given back has no tax share of its own
        rate = 1 + Decimal(record["taxRate"])
        expected = Decimal(document["TotalRevenue"]) / rate
        difference = abs(Decimal(net[number]["TotalRevenue"]) - expected)
        assert difference <= Decimal("0.02"), number
        for item, bare in zip(document["OrderItems"], net[number]["OrderItems"], strict=True):
            share = abs(Decimal(bare["Price"]) - Decimal(item["Price"]) / rate)
            assert share <= Decimal("0.01"), number


def test_nearly_everything_is_accepted_and_the_rest_has_a_reason(
    gross: Any, target: ReplenitTarget
) -> None:
    reasons: set[tuple[str, str]] = set()
    for entity, found in gross.items():
        skipped = 0
        for document in found.values():
            if entity == "customers" and document["Email"] is None:
                continue  # has no key; the engine skips it before it is judged
            judgement = target.judge(entity, document)
            assert not judgement.rejected
            assert judgement.omitted == ()
            skipped += judgement.skipped is not None
            reasons.update([judgement.skipped] if judgement.skipped else [])
        assert skipped < len(found) / 10
    assert reasons == {("Email", "is empty: the order belongs to nobody known")}
