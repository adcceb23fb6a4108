from __future__ import annotations

from decimal import Decimal

import pytest

from replenit_destination.engine.documents import Lane


def test_whole_product_travels(target, product, variant):
    row = product(
        variant(
            Image="https://cdn.example.com/a b.jpg".replace(" ", "%20"),
            Size="500ml",
            Stock="-3",
            SalePrice="9.990000",
            Language="DE-de",
            BrandName="Néo",
        ),
        Taxonomy=["Care", "", None, "Hair"],
        IsOfflineExclusive=False,
    )
    verdict = target().judge("products", row)
    assert verdict.payload == {
        "ProductId": "p-1",
        "ProductName": "Shampoo",
        "Taxonomy": ["Care", "Hair"],
        "IsOfflineExclusive": False,
        "ProductVariants": [
            {
                "VariantId": "v-1",
                "Sku": "sku-1",
                "Name": "Shampoo 500 ml",
                "OriginalPrice": Decimal("12.50"),
                "Currency": "EUR",
                "IsAvailable": True,
                "Image": "https://cdn.example.com/a%20b.jpg",
                "Size": "500ml",
                "Stock": -3,
                "SalePrice": Decimal("9.99"),
                "Language": "de-DE",
                "BrandName": "Néo",
            }
        ],
    }
    assert (verdict.lane, verdict.children) == (Lane.BATCH, ('["v-1"]',))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ProductId": None}, "ProductId"),
        ({"ProductId": "x" * 101}, "ProductId"),
        ({"ProductName": None}, "ProductName"),
        ({"ProductName": "x" * 201}, "ProductName"),
        ({"ProductName": "\u3000"}, "ProductName"),
        ({"ProductVariants": []}, "ProductVariants"),
        ({"ProductVariants": None}, "ProductVariants"),
    ],
)
def test_broken_required_field_refuses_the_product(target, product, changes, field):
    verdict = target().judge("products", product(**changes))
    assert [name for name, _ in verdict.refusals] == [field]


@pytest.mark.parametrize(
    "changes",
    [
        {"VariantId": None},
        {"Sku": ""},
        {"Name": None},
        {"OriginalPrice": None},
        {"OriginalPrice": "-1"},
        {"Currency": "euro"},
        {"IsAvailable": None},
        {"IsAvailable": "yes"},
        {"SalePrice": "cheap"},
        {"Sku": "a\u00a0b"},
    ],
)
def test_broken_variant_refuses_the_product(target, product, variant, changes):
    row = product(variant(VariantId="v-0", Sku="sku-0"), variant(**changes))
    verdict = target().judge("products", row)
    assert [name for name, _ in verdict.refusals] == [f"ProductVariants[1].{next(iter(changes))}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"Image": "http://cdn.example.com/a.jpg"},
        {"Image": "a.jpg"},
        {"Image": "https://cdn.example.com/a b.jpg"},
        {"Stock": "1.5"},
        {"Language": "german"},
    ],
)
def test_broken_optional_field_of_a_variant_is_left_out(target, product, variant, changes):
    verdict = target().judge("products", product(variant(**changes)))
    name = next(iter(changes))
    assert [field for field, _ in verdict.omitted] == [f"ProductVariants[0].{name}"]
    assert name not in verdict.payload["ProductVariants"][0]


def test_broken_taxonomy_is_left_out(target, product):
    verdict = target().judge("products", product(Taxonomy="Care > Hair"))
    assert [field for field, _ in verdict.omitted] == ["Taxonomy"]


def test_emptied_taxonomy_is_sent_empty(target, product):
    assert target().judge("products", product(Taxonomy=[])).payload["Taxonomy"] == []


@pytest.mark.parametrize(
    ("changes", "solo_class"),
    [
        ({"VariantId": "x" * 101}, "long VariantId"),
        ({"Sku": "x" * 101}, "long Sku"),
        ({"Name": "x" * 201}, "long Name"),
        ({"Language": "zho-Hant-TW"}, "long Language"),
    ],
)
def test_unknown_lengths_travel_alone(target, product, variant, changes, solo_class):
    verdict = target().judge("products", product(variant(**changes)))
    assert (verdict.lane, verdict.solo_class) == (Lane.SOLO, solo_class)


def test_name_can_be_cut(target, product):
    build = target(truncate=["products.ProductName"])
    verdict = build.judge("products", product(ProductName="x" * 300))
    assert verdict.payload["ProductName"] == "x" * 200
    assert verdict.warnings == (("ProductName", "was cut"),)


def test_variant_name_can_be_cut(target, product, variant):
    build = target(truncate=["products.variants.Name"])
    verdict = build.judge("products", product(variant(Name="x" * 300)))
    assert verdict.payload["ProductVariants"][0]["Name"] == "x" * 200
    assert verdict.warnings == (("ProductVariants[0].Name", "was cut"),)
    assert verdict.lane is Lane.BATCH


def test_repeated_variant_id_refuses(target, product, variant):
    verdict = target().judge("products", product(variant(), variant(Sku="sku-2")))
    assert verdict.refusals == (("ProductVariants[1].VariantId", "occurs twice in this product"),)


def test_repeated_sku_warns_or_refuses_by_priority(target, product, variant):
    row = product(variant(), variant(VariantId="v-2"))
    repeated = (("ProductVariants[1].Sku", "occurs twice in this product"),)
    assert target().judge("products", row).warnings == repeated
    build = target(product_identifier_priority="sku")
    assert build.judge("products", row).refusals == repeated


def test_blank_texts_in_any_script_are_no_texts(target, product, variant):
    row = product(variant(Size="\u2003", BrandName=" "), Taxonomy=["Care", "\u3000"])
    verdict = target().judge("products", row)
    assert verdict.payload["Taxonomy"] == ["Care"]
    assert not {"Size", "BrandName"} & verdict.payload["ProductVariants"][0].keys()
    assert dict(verdict.omitted) == {
        "ProductVariants[0].Size": "is blank",
        "ProductVariants[0].BrandName": "is blank",
    }


def test_text_cut_to_nothing_but_blanks_is_refused(target, product):
    shop = target(truncate=("products.ProductName",))
    verdict = shop.judge("products", product(ProductName="\u2003" * 200 + "Soap"))
    assert verdict.refusals == (("ProductName", "is blank"),)


def test_scheme_of_an_image_may_be_in_capitals(target, product, variant):
    row = product(variant(Image="HTTPS://cdn.example.com/a.jpg"))
    sent = target().judge("products", row).payload["ProductVariants"][0]
    assert sent["Image"] == "HTTPS://cdn.example.com/a.jpg"
