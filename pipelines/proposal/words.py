"""Names by which shops call things, likeliest first.

A column matches by its whole name, or by the end of it where the word says enough on its own:
`customer_email` is an e-mail address, `customer_name` is not a first name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONSENT", "FIELDS", "KINDS", "ORDER_NUMBERS", "TABLES", "bare"]

TABLES: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer", "client", "shopper", "buyer", "kunde", "kunden", "member", "person"),
    "orders": ("order", "invoice", "purchase", "sale", "bestellung", "auftrag", "commande"),
    "items": (
        *("order_item", "order_line", "line_item", "invoice_line", "invoice_item", "sales_line"),
        *("order_detail", "order_position", "order_product", "bestellposition", "position"),
    ),
    "products": ("product", "article", "artikel", "item", "produkt", "track", "good"),
    "variants": ("product_variant", "variant", "sku", "product_sku", "product_option"),
}

# field → (whole names, names that also count at the end of a longer one)
FIELDS: Mapping[str, Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "customers": {
        "CustomerId": (("customer_id", "customer_key", "customer_number", "kundennummer"), ()),
        "Email": (("email", "email_address", "e_mail", "mail"), ("email", "email_address")),
        "Name": (("first_name", "firstname", "given_name", "forename", "vorname", "prenom"), ()),
        "Surname": (("last_name", "lastname", "surname", "family_name", "nachname", "nom"), ()),
        "Phone": (("phone", "phone_number", "mobile", "mobile_phone", "telefon"), ("phone",)),
        "Language": (("language", "locale", "lang", "language_code", "sprache"), ("locale",)),
        "Username": (("username", "user_name", "login"), ()),
    },
    "orders": {
        "OrderId": (("order_id", "order_number", "order_no", "invoice_id", "bestellnummer"), ()),
        "CustomerId": (
            (
                "customer_id",
                "customer_key",
                "customer_number",
                "client_id",
                "user_id",
                "kundennummer",
            ),
            ("customer_id",),
        ),
        "Email": (("email", "customer_email", "email_address", "contact_email"), ("email",)),
        "OrderDate": (
            (
                *("order_date", "ordered_at", "placed_at", "purchased_at", "invoice_date"),
                *("created_at", "paid_at", "date", "created", "bestelldatum"),
            ),
            ("order_date",),
        ),
        "TotalRevenue": (
            (
                *("total", "total_price", "grand_total", "total_amount", "amount", "order_total"),
                *("total_revenue", "subtotal", "summe", "gesamt"),
            ),
            ("total", "total_price"),
        ),
        "Currency": (("currency", "currency_code", "order_currency", "waehrung"), ("currency",)),
    },
    "items": {
        "ProductId": (("product_id", "product_key", "article_id", "track_id"), ("product_id",)),
        "Sku": (("sku", "product_sku", "variant_sku", "article_number", "artikelnummer"), ("sku",)),
        "Quantity": (
            ("quantity", "qty", "amount", "count", "order_quantity", "menge"),
            ("quantity", "qty"),
        ),
        "Price": (
            ("unit_price", "price", "item_price", "sale_price", "einzelpreis", "preis"),
            ("unit_price", "price"),
        ),
        "Size": (("size", "groesse"), ("size",)),
        "Color": (("color", "colour", "farbe"), ("color", "colour")),
    },
    "products": {
        "ProductId": (("product_id", "product_key", "article_id", "handle"), ()),
        "ProductName": (
            ("name", "product_name", "title", "product_title", "model_name", "bezeichnung"),
            (),
        ),
        "Taxonomy": (("category", "product_type", "category_name", "taxonomy", "kategorie"), ()),
    },
    "variants": {
        "VariantId": (("variant_id", "id"), ()),
        "Sku": (("sku", "product_sku", "variant_sku", "article_number", "artikelnummer"), ("sku",)),
        "Name": (("name", "variant_name", "product_name", "title", "bezeichnung"), ()),
        "OriginalPrice": (
            ("price", "original_price", "unit_price", "list_price", "product_price", "preis"),
            ("price",),
        ),
        "SalePrice": (("sale_price", "special_price", "discounted_price"), ()),
        "Currency": (("currency", "currency_code", "waehrung"), ("currency",)),
        "IsAvailable": (("is_available", "available", "active", "is_active", "enabled"), ()),
        "Image": (("image", "image_url", "image_src", "picture", "bild"), ("image_url",)),
        "Size": (("size", "groesse"), ("size",)),
        "Stock": (("stock", "quantity", "inventory", "stock_quantity", "bestand"), ("stock",)),
        "BrandName": (("brand", "brand_name", "manufacturer", "vendor", "marke"), ()),
    },
}

KINDS: Mapping[str, frozenset[str]] = {
    "OrderDate": frozenset({"time", "local time", "date", "text"}),
    "Quantity": frozenset({"number", "text"}),
    "Stock": frozenset({"number", "text"}),
    "IsAvailable": frozenset({"boolean", "number", "text"}),
    **dict.fromkeys(
        ("TotalRevenue", "Price", "OriginalPrice", "SalePrice"), frozenset({"number", "text"})
    ),
}
"""Field → what its column may be; any where it is not named."""

ORDER_NUMBERS = ("order_number", "order_id", "order_no", "invoice_id", "name", "bestellnummer")
"""What says which order a line belongs to, where there are lines only."""

CONSENT = ("opt_in", "optin", "consent", "newsletter", "marketing", "subscri", "gdpr", "permission")
"""Parts of names that speak of consent."""


def bare(name: str) -> str:
    """Return a table's name in the singular and without a usual prefix."""
    name = name.lower().rpartition("__")[2]
    for prefix in ("tbl_", "shop_", "t_", "dim_", "fact_"):
        name = name.removeprefix(prefix)
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
