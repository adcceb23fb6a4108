"""GraphQL objects as rows: snake_case, decimals, no nesting but the lists that become child tables.

Money becomes two columns, `total_price` in the shop's currency and `total_price_presentment` as the
buyer saw it. `options` and `attributes` become JSON objects whose keys are folded (`Größe` →
`grosse`, `Gift?` → `gift`), so that SQL finds them whatever way a shop writes them.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "customer_row",
    "deleted_row",
    "fold",
    "in_buyers_currency",
    "order_row",
    "product_row",
]

Row = dict[str, Any]
UNIT_TAX = Decimal("0.000001")


def fold(name: str) -> str:
    """Return a name without case, accents and punctuation.

    `Größe` becomes `grosse`, `Shoe size` becomes `shoe_size`.
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    # The Turkish dotless i has no decomposition, and shops write it either way.
    letters = "".join(c for c in plain if not unicodedata.combining(c)).replace("\u0131", "i")
    return re.sub(r"\W+", "_", letters).strip("_")


def customer_row(node: Mapping[str, Any]) -> Row:
    """Return a customer's row."""
    email, phone = node["defaultEmailAddress"] or {}, node["defaultPhoneNumber"] or {}
    address = node["defaultAddress"] or {}
    sms = phone.get("smsMarketingConsent") or {
        "state": phone.get("marketingState"),
        "optInLevel": phone.get("marketingOptInLevel"),
        "updatedAt": phone.get("marketingUpdatedAt"),
    }
    return {
        "id": node["legacyResourceId"],
        "gid": node["id"],
        "first_name": node["firstName"],
        "last_name": node["lastName"],
        "email": email.get("emailAddress"),
        "email_valid_format": email.get("validFormat"),
        "email_marketing_state": email.get("marketingState"),
        "email_marketing_opt_in_level": email.get("marketingOptInLevel"),
        "email_marketing_updated_at": _moment(email.get("marketingUpdatedAt")),
        "phone": phone.get("phoneNumber"),
        "sms_marketing_state": sms["state"],
        "sms_marketing_opt_in_level": sms["optInLevel"],
        "sms_marketing_updated_at": _moment(sms["updatedAt"]),
        "locale": node["locale"],
        "tags": node["tags"],
        "data_sale_opt_out": node["dataSaleOptOut"],
        "city": address.get("city"),
        "country_code": address.get("countryCodeV2"),
        "address_phone": address.get("phone"),
        "created_at": _moment(node["createdAt"]),
        "updated_at": _moment(node["updatedAt"]),
        "deleted": False,
    }


def in_buyers_currency(order: Row) -> Row:
    """Return an order's row in which every amount, and the currency, is what the buyer saw.

    The shop's own amounts are then nowhere: two currencies in one document would be added up.
    """
    rows = [order, *order["line_items"], *order["refunds"]]
    for row in rows:
        for name in [name for name in row if name.endswith("_presentment")]:
            row[name.removesuffix("_presentment")] = row[name]
    order["currency"] = order["presentment_currency"]
    return order


def order_row(node: Mapping[str, Any]) -> Row:
    """Return an order's row with its `line_items` and `refunds`.

    `quantity` and `current_quantity` are sums over the lines. `shipping_price` and `shipping_tax`
    are what was charged; `current_shipping_price` is what is left of it after refunds.
    """
    lines = [_line_row(line) for line in node["lineItems"]["nodes"]]
    shipping = [node["shippingLine"]] if node["shippingLine"] else []
    customer = node["customer"] or {}
    return {
        "id": node["legacyResourceId"],
        "gid": node["id"],
        "name": node["name"],
        "customer_id": customer.get("legacyResourceId"),
        "email": node["email"],
        "phone": node["phone"],
        "customer_locale": node["customerLocale"],
        "test": node["test"],
        "edited": node["edited"],
        "created_at": _moment(node["createdAt"]),
        "processed_at": _moment(node["processedAt"]),
        "updated_at": _moment(node["updatedAt"]),
        "cancelled_at": _moment(node["cancelledAt"]),
        "cancel_reason": node["cancelReason"],
        "financial_status": node["displayFinancialStatus"],
        "return_status": node["returnStatus"],
        "currency": node["currencyCode"],
        "presentment_currency": node["presentmentCurrencyCode"],
        "taxes_included": node["taxesIncluded"],
        "source_name": node["sourceName"],
        "tags": node["tags"],
        "discount_codes": node["discountCodes"],
        "attributes": _attributes(node["customAttributes"]),
        "quantity": sum(line["quantity"] for line in lines),
        "current_quantity": sum(line["current_quantity"] for line in lines),
        **_money("total_price", [node["totalPriceSet"]]),
        **_money("current_total_price", [node["currentTotalPriceSet"]]),
        **_money("subtotal_price", [node["subtotalPriceSet"]]),
        **_money("current_subtotal_price", [node["currentSubtotalPriceSet"]]),
        **_money("shipping_price", [row["discountedPriceSet"] for row in shipping]),
        **_money("current_shipping_price", [node["currentShippingPriceSet"]]),
        **_money("shipping_tax", [t["priceSet"] for row in shipping for t in row["taxLines"]]),
        **_money("total_tax", [node["totalTaxSet"]]),
        **_money("current_total_tax", [node["currentTotalTaxSet"]]),
        **_money("total_refunded", [node["totalRefundedSet"]]),
        "line_items": lines,
        "refunds": [_refund_row(refund) for refund in node["refunds"]],
        "deleted": False,
    }


def _line_row(node: Mapping[str, Any]) -> Row:
    product, variant = node["product"] or {}, node["variant"] or {}
    tax = _money("unit_tax", [line["priceSet"] for line in node["taxLines"]])
    return {
        "id": _number(node["id"]),
        "title": node["title"],
        "quantity": node["quantity"],
        "current_quantity": node["currentQuantity"],
        "sku": node["sku"] or None,
        "variant_title": node["variantTitle"],
        "vendor": node["vendor"],
        "is_gift_card": node["isGiftCard"],
        "product_id": product.get("legacyResourceId"),
        "variant_id": variant.get("legacyResourceId"),
        "variant_sku": variant.get("sku") or None,
        "options": _options(variant["selectedOptions"]) if variant else _title_options(node),
        "attributes": _attributes(node["customAttributes"]),
        **_money("original_unit_price", [node["originalUnitPriceSet"]]),
        **_money("unit_price", [node["discountedUnitPriceAfterAllDiscountsSet"]]),
        # Tax lines are for the whole original quantity (recorded: quantity 2, tax 26.0, current tax
        # 13.0).
        **{key: _per_unit(amount, node["quantity"]) for key, amount in tax.items()},
    }


def _refund_row(node: Mapping[str, Any]) -> Row:
    return {
        "id": _number(node["id"]),
        "created_at": _moment(node["createdAt"]),
        "updated_at": _moment(node["updatedAt"]),
        **_money("total_refunded", [node["totalRefundedSet"]]),
    }


def product_row(node: Mapping[str, Any], *, currency: str, language: str | None) -> Row:
    """Return a product's row with its `variants`; prices are in the shop's `currency`."""
    return {
        "id": node["legacyResourceId"],
        "gid": node["id"],
        "title": node["title"],
        "handle": node["handle"],
        "status": node["status"],
        "vendor": node["vendor"],
        "product_type": node["productType"] or None,
        "category": _category(node["category"]),
        "tags": node["tags"],
        "is_gift_card": node["isGiftCard"],
        "published_at": _moment(node["publishedAt"]),
        "online_store_url": node["onlineStoreUrl"],
        "created_at": _moment(node["createdAt"]),
        "updated_at": _moment(node["updatedAt"]),
        "has_only_default_variant": node["hasOnlyDefaultVariant"],
        "image_url": _image(node["featuredMedia"]),
        "currency": currency,
        "language": language,
        "variants": [_variant_row(variant) for variant in node["variants"]["nodes"]],
        "deleted": False,
    }


def _variant_row(node: Mapping[str, Any]) -> Row:
    return {
        "id": node["legacyResourceId"],
        "gid": node["id"],
        "sku": node["sku"] or None,
        "title": node["title"],
        "display_name": node["displayName"],
        "position": node["position"],
        "price": _decimal(node["price"]),
        "compare_at_price": _decimal(node["compareAtPrice"]),
        "available_for_sale": node["availableForSale"],
        "inventory_quantity": node["inventoryQuantity"],
        "inventory_tracked": node["inventoryItem"]["tracked"],
        "options": _options(node["selectedOptions"]),
        "image_url": next((_image(media) for media in node["media"]["nodes"]), None),
        "updated_at": _moment(node["updatedAt"]),
    }


def deleted_row(event: Mapping[str, Any]) -> Row:
    """Return the row of something destroyed: its id, marked for a hard delete."""
    return {
        "id": _number(event["subjectId"]),
        "updated_at": _moment(event["createdAt"]),
        "deleted": True,
    }


def _category(node: Mapping[str, Any] | None) -> str | None:
    """Return a category's path; `Uncategorized` is what Shopify says of a product without one."""
    if not node or node["id"].endswith("/na"):
        return None
    return str(node["fullName"])


def _number(gid: str) -> str:
    return gid.rsplit("/", 1)[-1].split("?", 1)[0]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def _money(name: str, bags: Iterable[Mapping[str, Any] | None]) -> Row:
    """Return the sum of some `MoneyBag`s in both currencies; None where there is no bag at all."""
    known = [bag for bag in bags if bag]
    return {
        column: sum(Decimal(bag[side]["amount"]) for bag in known) if known else None
        for column, side in ((name, "shopMoney"), (f"{name}_presentment", "presentmentMoney"))
    }


def _per_unit(amount: Decimal | None, quantity: int) -> Decimal:
    return (amount / quantity).quantize(UNIT_TAX) if amount and quantity else Decimal(0)


def _options(pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {fold(pair["name"]): pair["value"] for pair in pairs}


def _title_options(line: Mapping[str, Any]) -> dict[str, str]:
    """Return what a deleted variant was, from its title as it was ordered (`Blue / M`)."""
    names = [option["name"] for option in (line["product"] or {}).get("options") or ()]
    values = (line["variantTitle"] or "").split(" / ")
    if len(names) != len(values):
        return {}
    return {fold(name): value for name, value in zip(names, values, strict=True)}


def _attributes(pairs: Iterable[Mapping[str, str | None]]) -> dict[str, str | None]:
    return {fold(pair["key"] or ""): pair["value"] for pair in pairs}


def _image(media: Mapping[str, Any] | None) -> str | None:
    image = ((media or {}).get("preview") or {}).get("image") or {}
    url = image.get("url")
    return str(url) if url else None
