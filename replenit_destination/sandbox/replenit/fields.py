"""The vendor's field tables, page by page, and the profiles made of them.

Each maximum and each "required" names the page it was read on:

    R  the API reference                      G  the GitBook site ([C], [G:orders], [G:products])
    D  docs v1.1 (its tables cannot be read)  A  no page: an assumption, marked so in
    docs/sandbox.md U  only the union: stated somewhere, contradicted or weakened elsewhere

`strict` is the union of all pages; every other profile is one page plus the assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENTITIES", "GITBOOK_ORDER_DEFAULTS", "PROFILE_PAGES", "Dto", "Entity", "Field"]

PROFILE_PAGES: dict[str, frozenset[str]] = {
    "strict": frozenset("RGDAU"),
    "reference": frozenset("RA"),
    "gitbook": frozenset("GA"),
    "docs-1.1": frozenset("DA"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One property: its JSON type, and on which pages it is required, capped and of a set form."""

    type: str  # text, number, integer, boolean, texts, timestamp, children
    required: str = ""
    caps: Mapping[str, int] = field(default_factory=dict)
    pattern: str = ""
    pattern_pages: str = ""
    default: Any = None  # what absence means on creation, on every page
    minimum: int | None = None  # K16: checked when `quantities` says so


@dataclass(frozen=True, slots=True)
class Dto:
    """One kind of document or child."""

    name: str
    fields: Mapping[str, Field]

    def defaults(self) -> dict[str, Any]:
        """Return the values of absent fields that every profile fills in."""
        return {
            name: each.default for name, each in self.fields.items() if each.default is not None
        }


def _text(required: str = "", **caps: int) -> Field:
    return Field("text", required, caps)


def _formed(pattern: str, pages: str, required: str = "", **caps: int) -> Field:
    return Field("text", required, caps, pattern, pages)


# [C] says false for all six; [R] repeats it for GdprOptin and IsExcluded and is silent on the
# channels (K6, K7).
_FLAG = Field("boolean", default=False)

CUSTOMER = Dto(
    "Customer",
    {
        # [C] [R]: at least one of the two; checked in rules.py (K1). Docs v1.1 refuses
        # "over-length" without readable tables, so it gets GitBook's maxima here and below
        # (assumption).
        "CustomerId": _text(G=100, R=100, D=100),
        "Email": _formed("email", "R", G=255, D=255),
        "Name": _text(G=100, D=100),
        # K3: 300 in [C]'s field table, 100 in its summary of limits. Strict takes the smaller.
        "Surname": Field("text", caps={"G": 300, "D": 300, "U": 100}),
        "Phone": _formed("e164", "R", G=20, D=20),  # K4
        "Language": _formed("language", "D", A=10),  # K5: [C]'s 10, in every profile
        "Username": _text(G=500, D=500),
        "EmailOptin": _FLAG,
        "SmsOptin": _FLAG,
        "WhatsappOptin": _FLAG,
        "AppPushOptin": _FLAG,
        "GdprOptin": _FLAG,
        "IsExcluded": _FLAG,
    },
)

ORDER_ITEM = Dto(
    "OrderItem",
    {
        # Only [R] can be read; elsewhere a line needs one of the two identifiers (K13, rules.py).
        "ProductId": _text("R", A=100),  # K15
        "Sku": _text("R", A=100),  # K15
        "Quantity": Field("integer", "R", minimum=1),  # K16
        "Price": Field("number", "R", minimum=0),  # K16
        "OriginalPrice": Field("number"),
        "Size": _text(),
        "Color": _text(),
        "Brand": _text(),
        "IsGift": Field("boolean", default=False),  # [R]
    },
)

ORDER = Dto(
    "Order",
    {
        "OrderId": _text("RGDA", G=100, D=100),
        # K8: [R] requires both, [G:orders] neither; docs v1.1 only the priority id (rules.py).
        "CustomerId": _text("R", G=100, D=100),
        "Email": _formed("email", "R", "R", G=255, D=255),
        "OrderDate": Field("timestamp", "R"),  # K10, K14
        "TotalRevenue": Field("number", "R"),  # K11
        "Currency": _formed("currency", "RGDA", "RGD"),  # K12
        "TotalQuantity": Field("integer"),
        "UniqueQuantity": Field("integer"),
        "IsOrderCancelled": Field("boolean", default=False),  # [R]
        "OrderItems": Field("children", "R"),  # K9
    },
)

PRODUCT_VARIANT = Dto(
    "ProductVariant",
    {
        # [R] only. As the upsert key within its product VariantId is required everywhere
        # (assumption).
        "VariantId": _text("RA", A=100),  # K21
        "Sku": _text("R", A=100),  # K21
        "Name": _text("R", A=200),  # K21
        "OriginalPrice": Field("number", "R"),
        "Currency": _formed("currency", "RGDA", "R"),
        "IsAvailable": Field("boolean", "R"),
        # "Public HTTPS" may be advice: only the union enforces it.
        "Image": _formed("https", "U"),
        "Size": _text(),
        "Stock": Field("integer"),
        "SalePrice": Field("number"),
        "Language": _formed("language", "D", A=10),  # K21
        "BrandName": _text(),
    },
)

PRODUCT = Dto(
    "Product",
    {
        "ProductId": _text("RGDA", G=100, D=100),
        "ProductName": _text("R", G=200, D=200),  # K18
        "Taxonomy": Field("texts"),
        "IsOfflineExclusive": Field("boolean", default=False),  # [R]
        # [R]: at least one; [G:products]: required, may be empty (K19).
        "ProductVariants": Field("children", "RG"),
    },
)


@dataclass(frozen=True, slots=True)
class Entity:
    """One vendor path with its document, and the children inside."""

    path: str
    dto: Dto
    child: Dto | None = None
    child_property: str = ""

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields that can identify a document."""
        return {
            "customers": ("CustomerId", "Email"),
            "orders": ("OrderId",),
            "products": ("ProductId",),
        }[self.path]


ENTITIES: dict[str, Entity] = {
    "customers": Entity("customers", CUSTOMER),
    "orders": Entity("orders", ORDER, ORDER_ITEM, "OrderItems"),
    "products": Entity("products", PRODUCT, PRODUCT_VARIANT, "ProductVariants"),
}

# [G:orders]: what GitBook fills in for absent order fields (K10, K11). OrderDate becomes the
# server's time.
GITBOOK_ORDER_DEFAULTS: dict[str, Any] = {
    "TotalRevenue": 1,
    "TotalQuantity": 1,
    "UniqueQuantity": 1,
}
