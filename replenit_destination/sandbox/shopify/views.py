"""Records as GraphQL objects: every field of `admin.graphql`, with totals computed from the lines.

Plain dictionaries by GraphQL name. Connections are lists here; `resolvers` pages them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox.shopify.money import cents, decimal_text
from replenit_destination.sandbox.shopify.totals import Totals, unit_price

if TYPE_CHECKING:
    from replenit_destination.sandbox.shopify.store import Record, ShopStore

__all__ = ["customer_view", "event_view", "order_view", "product_view", "shop_view"]

View = dict[str, Any]


def gid(kind: str, number: int) -> str:
    """Return Shopify's global id."""
    return f"gid://shopify/{kind}/{number}"


def shop_view(shop: ShopStore) -> View:
    """Return the `Shop`."""
    offset = shop.clock().utcoffset()
    return {
        "id": gid("Shop", 1),
        "name": shop.name,
        "myshopifyDomain": f"{shop.name}.myshopify.com",
        "primaryDomain": {"id": gid("Domain", 1), "host": f"{shop.name}.example.com"},
        "currencyCode": shop.currency,
        "enabledPresentmentCurrencies": sorted(
            {shop.currency, *(order["presentment"] for order in shop.orders.values())}
        ),
        "ianaTimezone": shop.timezone,
        "timezoneOffsetMinutes": int(offset.total_seconds() // 60) if offset else 0,
        "taxesIncluded": shop.taxes_included,
        "plan": {"publicDisplayName": "Basic", "shopifyPlus": False, "partnerDevelopment": True},
    }


def customer_view(shop: ShopStore, record: Record) -> View:
    """Return a `Customer`; what needs a look at all orders is worked out only when asked for."""

    def orders() -> list[Record]:
        return [o for o in shop.orders.values() if o["customerId"] == record["id"]]

    def spent() -> View:
        amount = sum((Totals(shop, order).current_total for order in orders()), Decimal(0))
        return {"amount": decimal_text(cents(amount)), "currencyCode": shop.currency}

    def last_order() -> View | None:
        last = max(orders(), key=lambda o: (o["processedAt"], o["id"]), default=None)
        return order_view(shop, last, deep=False) if last else None

    name = " ".join(part for part in (record["firstName"], record["lastName"]) if part)
    return {
        "__typename": "Customer",
        "id": gid("Customer", record["id"]),
        "legacyResourceId": str(record["id"]),
        "firstName": record["firstName"],
        "lastName": record["lastName"],
        "displayName": name or record["email"] or record["phone"] or "",
        "locale": record["locale"],
        "state": "DISABLED",
        "verifiedEmail": bool(record["email"]),
        "dataSaleOptOut": record["dataSaleOptOut"],
        "tags": record["tags"],
        "note": None,
        "createdAt": record["createdAt"],
        "updatedAt": record["updatedAt"],
        "numberOfOrders": lambda: str(len(orders())),
        "amountSpent": spent,
        "lastOrder": last_order,
        "defaultEmailAddress": _email_address(record),
        "defaultPhoneNumber": _phone_number(record),
        "defaultAddress": {
            "id": gid("MailingAddress", record["id"]),
            "countryCodeV2": record["country"],
            "phone": None,
        },
    }


def _email_address(record: Record) -> View | None:
    if not record["email"]:
        return None
    return {
        "emailAddress": record["email"],
        "validFormat": "@" in record["email"],
        "marketingState": record["emailState"],
        "marketingOptInLevel": "SINGLE_OPT_IN" if record["emailState"] == "SUBSCRIBED" else None,
        "marketingUpdatedAt": record["emailUpdatedAt"],
    }


def _phone_number(record: Record) -> View | None:
    if not record["phone"]:
        return None
    state, level = (
        record["smsState"],
        "SINGLE_OPT_IN" if record["smsState"] == "SUBSCRIBED" else None,
    )
    # The newer consent object says NEVER_SUBSCRIBED where the older field says NOT_SUBSCRIBED.
    newer = "NEVER_SUBSCRIBED" if state == "NOT_SUBSCRIBED" else state
    return {
        "phoneNumber": record["phone"],
        "marketingState": state,
        "marketingOptInLevel": level,
        "marketingUpdatedAt": record["smsUpdatedAt"],
        "marketingCollectedFrom": "SHOPIFY",
        "smsMarketingConsent": {
            "state": newer,
            "optInLevel": level,
            "updatedAt": record["smsUpdatedAt"],
            "collectedFrom": "SHOPIFY",
        },
    }


def order_view(shop: ShopStore, record: Record, *, deep: bool = True) -> View:
    """Return an `Order`; `deep=False` leaves out its customer, whose view holds an order again."""
    totals = Totals(shop, record)
    customer = shop.customers.get(record["customerId"] or 0) if deep else None
    quantity = sum(line["quantity"] for line in record["lines"] if line["productId"])
    current = sum(line["currentQuantity"] for line in record["lines"] if line["productId"])
    return {
        "__typename": "Order",
        "id": gid("Order", record["id"]),
        "legacyResourceId": str(record["id"]),
        "name": record["name"],
        "email": record["email"],
        "phone": record["phone"],
        "customer": (lambda: customer_view(shop, customer)) if customer else None,
        "customerLocale": record["locale"],
        "customerAcceptsMarketing": bool(customer and customer["emailState"] == "SUBSCRIBED"),
        "test": record["test"],
        "confirmed": True,
        "edited": record["edited"],
        "createdAt": record["createdAt"],
        "processedAt": record["processedAt"],
        "updatedAt": record["updatedAt"],
        "closedAt": None,
        "cancelledAt": record["cancelledAt"],
        "cancelReason": record["cancelReason"],
        "displayFinancialStatus": _financial_status(record, totals),
        "displayFulfillmentStatus": "UNFULFILLED" if record["cancelledAt"] else "FULFILLED",
        "returnStatus": "NO_RETURN",
        "currencyCode": shop.currency,
        "presentmentCurrencyCode": record["presentment"],
        "taxesIncluded": record["taxesIncluded"],
        "sourceName": record["source"],
        "tags": record["tags"],
        "discountCodes": [record["discountCode"]] if record["discountCode"] else [],
        "customAttributes": _attributes(record["attributes"]),
        "subtotalLineItemsQuantity": quantity,
        "currentSubtotalLineItemsQuantity": current,
        "originalTotalPriceSet": totals.bag(totals.total),
        "totalPriceSet": totals.bag(totals.total),
        "currentTotalPriceSet": totals.bag(totals.current_total),
        "subtotalPriceSet": totals.bag(totals.subtotal),
        "currentSubtotalPriceSet": totals.bag(totals.current_subtotal),
        "totalShippingPriceSet": totals.bag(totals.shipping),
        "currentShippingPriceSet": totals.bag(totals.current_shipping),
        "totalTaxSet": totals.bag(totals.tax),
        "currentTotalTaxSet": totals.bag(totals.current_tax),
        "totalDiscountsSet": totals.bag(totals.listed - totals.subtotal),
        "totalRefundedSet": totals.bag(totals.refunded),
        "netPaymentSet": totals.bag(max(Decimal(0), totals.total - totals.refunded)),
        "refunds": [_refund(record, totals, refund, shop) for refund in record["refunds"]],
        "lineItems": [_line(shop, totals, line) for line in record["lines"]],
        "shippingLine": next(iter(_shipping_lines(record, totals)), None),
        "shippingLines": _shipping_lines(record, totals),
    }


def _financial_status(record: Record, totals: Totals) -> str:
    if record["voided"]:
        return "VOIDED"
    if not totals.refunded:
        return "PAID"
    return "REFUNDED" if totals.refunded >= totals.total else "PARTIALLY_REFUNDED"


def _attributes(pairs: dict[str, str]) -> list[View]:
    return [{"key": key, "value": value} for key, value in pairs.items()]


def _tax_lines(totals: Totals, amount: Decimal) -> list[View]:
    if not totals.tax_rate:
        return []
    return [
        {
            "title": "VAT",
            "rate": float(totals.tax_rate),
            "priceSet": totals.bag(totals.tax_of(amount)),
        }
    ]


def _shipping_lines(record: Record, totals: Totals) -> list[View]:
    if not totals.shipping:
        return []
    return [
        {
            "id": gid("ShippingLine", record["id"] + 1),
            "title": "Standard",
            "originalPriceSet": totals.bag(totals.shipping),
            "discountedPriceSet": totals.bag(totals.shipping),
            "taxLines": _tax_lines(totals, totals.shipping),
        }
    ]


def _refund(order: Record, totals: Totals, refund: Record, shop: ShopStore) -> View:
    lines = {line["id"]: line for line in order["lines"]}
    return {
        "id": gid("Refund", refund["id"]),
        "createdAt": refund["createdAt"],
        "processedAt": refund["createdAt"],
        "updatedAt": refund["createdAt"],
        "note": None,
        "totalRefundedSet": totals.bag(totals.refund_amount(order, refund)),
        "refundLineItems": [
            {
                "id": gid("RefundLineItem", row["id"]),
                "quantity": row["quantity"],
                "restockType": "RETURN",
                "subtotalSet": totals.bag(unit_price(lines[row["lineId"]]) * row["quantity"]),
                "lineItem": _line(shop, totals, lines[row["lineId"]]),
            }
            for row in refund["lines"]
        ],
    }


def _line(shop: ShopStore, totals: Totals, line: Record) -> View:
    found = shop.find(line["productId"], line["variantId"])
    product = shop.products.get(line["productId"] or 0)
    price, listed = unit_price(line), Decimal(line["price"])
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", line["id"]),
        "title": line["title"],
        "name": " - ".join(part for part in (line["title"], line["variantTitle"]) if part),
        "quantity": line["quantity"],
        "currentQuantity": line["currentQuantity"],
        "refundableQuantity": line["currentQuantity"],
        "sku": line["sku"],
        "variantTitle": line["variantTitle"],
        "vendor": line["vendor"],
        "isGiftCard": line["isGiftCard"],
        "requiresShipping": not line["isGiftCard"] and line["productId"] is not None,
        "customAttributes": _attributes(line["attributes"]),
        "product": (lambda: product_view(shop, product)) if product else None,
        "variant": (lambda: _variant(shop, *found)) if found else None,
        "originalUnitPriceSet": totals.bag(listed),
        "discountedUnitPriceSet": totals.bag(price),
        "discountedUnitPriceAfterAllDiscountsSet": totals.bag(price),
        "discountedTotalSet": totals.bag(price * line["quantity"]),
        "totalDiscountSet": totals.bag((listed - price) * line["quantity"]),
        "taxLines": _tax_lines(totals, price * line["quantity"]),
    }


def product_view(shop: ShopStore, record: Record) -> View:
    """Return a `Product`."""
    path = (record["category"] or "").split(" > ")
    single = [v["values"] for v in record["variants"]] == [["Default Title"]]
    return {
        "__typename": "Product",
        "id": gid("Product", record["id"]),
        "legacyResourceId": str(record["id"]),
        "title": record["title"],
        "handle": "-".join(record["title"].lower().split()),
        "status": record["status"],
        "vendor": record["vendor"],
        "productType": record["productType"],
        "tags": record["tags"],
        "isGiftCard": record["isGiftCard"],
        "publishedAt": record["publishedAt"],
        "onlineStoreUrl": None,
        "createdAt": record["createdAt"],
        "updatedAt": record["updatedAt"],
        "totalInventory": sum(v["stock"] for v in record["variants"] if v["tracked"]),
        "hasOnlyDefaultVariant": single,
        "category": record["category"]
        and {
            "id": gid("TaxonomyCategory", len(record["category"])),
            "name": path[-1],
            "fullName": record["category"],
            "level": len(path),
            "isLeaf": True,
            "ancestorIds": [],
        },
        "options": _options(record),
        "featuredMedia": _media(record["id"]),
        "collections": [],
        "variants": [_variant(shop, record, variant) for variant in record["variants"]],
    }


def _options(record: Record) -> list[View]:
    return [
        {
            "id": gid("ProductOption", record["id"] + position),
            "name": name,
            "position": position,
            "values": sorted({variant["values"][position - 1] for variant in record["variants"]}),
        }
        for position, name in enumerate(record["options"], start=1)
    ]


def _media(number: int) -> View:
    url = f"https://cdn.example.com/files/{number}.jpg"
    return {
        "__typename": "MediaImage",
        "id": gid("MediaImage", number),
        "alt": None,
        "mediaContentType": "IMAGE",
        "preview": {"image": {"url": url, "width": 1200, "height": 1200}},
    }


def _variant(shop: ShopStore, product: Record, variant: Record) -> View:
    title = " / ".join(variant["values"])
    name = product["title"] if title == "Default Title" else f"{product['title']} - {title}"
    in_stock = not variant["tracked"] or variant["stock"] > 0
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", variant["id"]),
        "legacyResourceId": str(variant["id"]),
        "sku": variant["sku"],
        "barcode": None,
        "title": title,
        "displayName": name,
        "position": product["variants"].index(variant) + 1,
        "price": f"{Decimal(variant['price']):.2f}",
        "compareAtPrice": variant["compareAtPrice"],
        "availableForSale": in_stock,
        "inventoryQuantity": variant["stock"],
        "inventoryPolicy": "DENY",
        "sellableOnlineQuantity": max(0, variant["stock"]),
        "inventoryItem": {
            "id": gid("InventoryItem", variant["id"] + 1),
            "tracked": variant["tracked"],
        },
        "selectedOptions": [
            {"name": name, "value": value}
            for name, value in zip(product["options"], variant["values"], strict=True)
        ],
        "media": [_media(variant["id"])] if variant["image"] else [],
        "createdAt": variant["createdAt"],
        "updatedAt": variant["updatedAt"],
    }


def event_view(record: Record) -> View:
    """Return a `BasicEvent`."""
    kind = record["subjectType"].title()
    return {
        "__typename": "BasicEvent",
        "id": gid("BasicEvent", record["id"]),
        "action": record["action"],
        "author": "sample",
        "message": "",
        "createdAt": record["createdAt"],
        "subjectId": gid(kind, record["subject"]),
        "subjectType": record["subjectType"],
    }
