"""Every disagreement between our contracts and the sandbox's rules, and the reason for it.

The lists are exact: a disagreement that is not here fails the test, and so does an entry that no
generated row needs. K and Q numbers are those of `docs/replenit-contract.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DOUBTS", "MENDED", "OURS", "Doubt", "Explanation"]

STRICT = frozenset({"strict"})
REFERENCE = frozenset({"strict", "reference"})
ALL = frozenset({"strict", "reference", "gitbook", "docs-1.1"})


@dataclass(frozen=True)
class Doubt:
    """A class of documents that travel alone, and which profiles refuse them for what."""

    entity: str
    solo_class: str
    field: str
    complaint: str  # missing or long; empty: no profile refuses
    profiles: frozenset[str]
    why: str
    source: str


@dataclass(frozen=True)
class Explanation:
    """Fields on which both sides differ in the same way, for the same reason."""

    fields: frozenset[str]
    what: str
    why: str
    source: str


def _explained(fields: str, what: str, why: str, source: str) -> Explanation:
    return Explanation(frozenset(fields.split()), what, why, source)


_UNKNOWN_CAP = "the page states no length; 100 is a guess that a tenant may refute"
_UNCAPPED = "no page and no profile has a length; above 100 we do not risk a batch"

DOUBTS = (
    Doubt(
        *("customers", "long Surname", "customers.Surname", "long", STRICT),
        "300 in the field table, 100 in the summary of limits",
        "K3 [C]",
    ),
    Doubt(
        *("orders", "guest", "orders.CustomerId", "missing", REFERENCE),
        "[R] requires both identifiers, [G:orders] neither",
        "K8 [R]",
    ),
    Doubt(
        *("orders", "guest", "orders.Email", "missing", REFERENCE),
        "the same, where the tenant matches by CustomerId",
        "K8 [R]",
    ),
    Doubt(
        *("orders", "line without ProductId", "orders.OrderItems.ProductId", "missing", REFERENCE),
        "[R] requires both, [D:ord] takes what there is",
        "K13 [R]",
    ),
    Doubt(
        *("orders", "line without Sku", "orders.OrderItems.Sku", "missing", REFERENCE),
        "[R] requires both, [G:orders] knows ProductId only",
        "K13 [R]",
    ),
    Doubt(
        *("orders", "long Sku", "orders.OrderItems.Sku", "long", ALL),
        _UNKNOWN_CAP,
        "K15 (assumption)",
    ),
    *(
        Doubt(
            *("orders", f"long {name}", f"orders.OrderItems.{name}", "", frozenset()),
            _UNCAPPED,
            "K15",
        )
        for name in ("Size", "Color", "Brand")
    ),
    *(
        Doubt(
            *("products", f"long {name}", f"products.ProductVariants.{name}", "long", ALL),
            _UNKNOWN_CAP.replace("100", cap),
            "K21 (assumption)",
        )
        for name, cap in (("VariantId", "100"), ("Sku", "100"), ("Name", "200"), ("Language", "10"))
    ),
)

_IDENTIFIERS = """
    customers.CustomerId orders.OrderId orders.CustomerId
    orders.OrderItems.ProductId orders.OrderItems.Sku
    products.ProductId products.ProductVariants.VariantId products.ProductVariants.Sku
"""
_OPTIONAL_TEXTS = """
    customers.Name customers.Surname customers.Username
    orders.OrderItems.Size orders.OrderItems.Color orders.OrderItems.Brand
    products.ProductVariants.Size products.ProductVariants.BrandName
"""
_OTHER_TEXTS = "products.ProductName products.ProductVariants.Name"

OURS = (
    _explained(
        _IDENTIFIERS + _OPTIONAL_TEXTS + _OTHER_TEXTS,
        "contains a character that cannot be stored (U+0000)",
        "many databases refuse it, and one such text would fail its whole batch",
        "ours",
    ),
    _explained(
        _IDENTIFIERS,
        "contains an invisible character or an unusual space",
        "it would not match its twin in another document",
        "ours",
    ),
    _explained(
        _OPTIONAL_TEXTS,
        "is blank",
        "absent says the same and can offend nobody",
        "ours; [C] counts blank identifiers as missing",
    ),
    _explained(
        "customers.Email orders.Email",
        "is not a valid e-mail address",
        "[R] names no grammar; ours is that of addresses in use: no quotes, no bare host number, "
        "no doubled or outer dots",
        "ours, within [R]",
    ),
    _explained(
        "orders.TotalRevenue orders.OrderItems.Price orders.OrderItems.OriginalPrice "
        "products.ProductVariants.OriginalPrice products.ProductVariants.SalePrice",
        "must be an amount of at least 0 such as 19.99",
        "only Price has a documented minimum; from 10^15 on a double loses cents",
        "ours; K16 for Price",
    ),
    _explained(
        "orders.OrderItems.Quantity",
        "must be a whole number of at least 1",
        "what exceeds 32 bits; below 1 the strict profile refuses too",
        "ours",
    ),
    _explained(
        "orders.TotalQuantity orders.UniqueQuantity",
        "must be a whole number of at least 0",
        "a count is not negative and fits 32 bits; it is then computed",
        "ours",
    ),
    _explained(
        "products.ProductVariants.Stock",
        "must be a whole number",
        "what exceeds 32 bits",
        "ours",
    ),
    _explained(
        "orders.OrderItems.Size orders.OrderItems.Color orders.OrderItems.Brand",
        "is longer than 100 characters",
        f"{_UNCAPPED}; under uncertain = `reject`",
        "K15",
    ),
    _explained(
        "products.ProductVariants.VariantId",
        "occurs twice in this product",
        "one key twice: the second would silently replace the first",
        "ours; key by [R]",
    ),
    _explained(
        "products.ProductVariants.Sku",
        "occurs twice in this product",
        "as VariantId, where the tenant matches products by Sku",
        "ours; K20",
    ),
    _explained(
        "products.ProductVariants.Image",
        "is not a public https:// address",
        "a host without a dot is not public, which the sandbox does not look at",
        "[R]",
    ),
    _explained(
        "products.Taxonomy",
        "must be a list of texts",
        "a member holds U+0000",
        "ours",
    ),
)

_CONSENTS = ["EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "GdprOptin", "IsExcluded"]

MENDED = (
    _explained(
        " ".join(f"customers.{name}" for name in _CONSENTS)
        + " orders.IsOrderCancelled orders.OrderItems.IsGift products.IsOfflineExclusive"
        " orders.TotalRevenue orders.TotalQuantity orders.UniqueQuantity"
        " orders.OrderItems.OriginalPrice"
        " products.ProductVariants.Stock products.ProductVariants.SalePrice",
        "empty text",
        "an empty text is an absent field to us; required counts and totals are computed",
        "Q20, ours",
    ),
    _explained(
        "customers.Language products.ProductVariants.Language",
        "form",
        "`de_AT` is sent as `de-AT`",
        "K5 [D:bp]",
    ),
    _explained(
        "customers.Language products.ProductVariants.Language",
        "long",
        "under language_fallback the language alone is sent",
        "K5",
    ),
    _explained(
        "customers.Name customers.Surname customers.Username "
        "products.ProductName products.ProductVariants.Name",
        "long",
        "cut, where `truncate` names the field",
        "[G:err]",
    ),
    _explained(
        "orders.Currency products.ProductVariants.Currency",
        "form",
        "sent in upper case",
        "K12 [D:bp]",
    ),
    _explained(
        "orders.CustomerId",
        "missing",
        "derived from the e-mail address under guests = `derive`",
        "K8",
    ),
    _explained(
        "orders.CustomerId",
        "ignored",
        "the same, where the tenant's page would skip the order",
        "K8 [D:ord]",
    ),
    _explained(
        "orders.TotalRevenue",
        "missing",
        "the sum of the lines under compute_total_revenue",
        "K11",
    ),
    _explained(
        "orders.TotalRevenue orders.TotalQuantity orders.UniqueQuantity "
        "orders.OrderItems.Price orders.OrderItems.OriginalPrice orders.OrderItems.Quantity "
        "products.ProductVariants.OriginalPrice products.ProductVariants.SalePrice "
        "products.ProductVariants.Stock",
        "form",
        "text that is an exact number in other clothes (`1_000`, full-width digits)",
        "ours",
    ),
    _explained(
        "orders.TotalQuantity orders.UniqueQuantity orders.OrderItems.Quantity "
        "products.ProductVariants.Stock",
        "fraction of 0",
        "`2.0` is sent as 2; other fractions are refused",
        "[D:err]",
    ),
    _explained(
        "orders.TotalQuantity orders.UniqueQuantity orders.OrderItems.Quantity "
        "products.ProductVariants.Stock",
        "true for 1",
        "the assembly renders whole numbers as digits, so a boolean never arrives here",
        "ours",
    ),
    _explained(
        "orders.OrderItems.Quantity",
        "negative",
        "a return is taken off the line it returns",
        "K16, real-shops.md rule 15",
    ),
    _explained(
        "products.Taxonomy",
        "form",
        "empty members are taken out",
        "ours",
    ),
)
