"""The documents Replenit takes, field by field: the single source of every limit the client keeps.

Each field names the vendor page it rests on: [R] API Reference, [C] GitBook Customers, [G:orders]
and [G:products] GitBook, [D:…] docs v1.1. K numbers name a conflict between these pages;
`docs/replenit-contract.md` tells each with the choice made. Rules marked (ours) are stated nowhere
and lean to the safe side.

    Customer            one person
    Order               one purchase
      └ OrderItem       one line of it, addressed by ProductId and Sku
    Product             one product
      └ ProductVariant  one variant of it, addressed by VariantId

Property names are PascalCase on the wire and must match exactly [G:err].
"""

from __future__ import annotations

from decimal import Decimal  # noqa: TC003  # pydantic reads annotations when the class is made
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from replenit_destination.targets.replenit import formats

__all__ = [
    "CONTRACT_VERSION",
    "Contract",
    "Customer",
    "Order",
    "OrderItem",
    "Product",
    "ProductVariant",
]

CONTRACT_VERSION = 1
"""Raised when a judgement would render a document differently than before."""


class Contract(BaseModel):
    """Base of the vendor's documents: unknown properties are not sent (Q20)."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class Customer(Contract):
    """A person; CustomerId or Email, and always the one the tenant matches by (K1)."""

    CustomerId: Annotated[str | None, formats.Identifier(100)] = None
    """100 [C][R]."""
    Email: Annotated[str | None, formats.Email(255)] = None
    """255 [C]; valid syntax [R]."""
    Name: Annotated[str | None, formats.Text(100)] = None
    """First name, 100 [C]."""
    Surname: Annotated[str | None, formats.Text(300, agreed=100)] = None
    """300 in [C]'s table, 100 in [C]'s summary (K3): from 101 on alone."""
    Phone: Annotated[str | None, formats.Phone(20)] = None
    """E.164 [R]; 20 [C] (K4)."""
    Language: Annotated[str | None, formats.Language(10)] = None
    """BCP 47, 10 [C] (K5)."""
    Username: Annotated[str | None, formats.Text(500)] = None
    """500 [C]."""
    EmailOptin: Annotated[bool | None, formats.Consent()] = None
    """Explicit whenever the source knows it (K6)."""
    SmsOptin: Annotated[bool | None, formats.Consent()] = None
    """As EmailOptin."""
    WhatsappOptin: Annotated[bool | None, formats.Consent()] = None
    """As EmailOptin."""
    AppPushOptin: Annotated[bool | None, formats.Consent()] = None
    """As EmailOptin."""
    GdprOptin: Annotated[bool, formats.Consent()]
    """Always sent: absent means false to the vendor [C][R], so silence must be a decision (K7)."""
    IsExcluded: Annotated[bool | None, formats.Flag()] = None
    """Takes the person out of decisions [R]."""


class OrderItem(Contract):
    """A line. Lengths are stated nowhere (K15): ProductId as in Product, others alone above 100."""

    ProductId: Annotated[str | None, formats.Identifier(100)] = None
    """Required [R]; [D:ord] takes what there is (K13): without it the order travels alone."""
    Sku: Annotated[str | None, formats.Identifier(agreed=100)] = None
    """Required [R], case-sensitive; unknown to [G] (K13): without it the order travels alone."""
    Quantity: Annotated[int, formats.Whole(1)]
    """Units [R]; zero, negative and fractional ones are no sale (K16)."""
    Price: Annotated[Decimal, formats.Money()]
    """Per unit, after discounts [R]; at least 0 (K16)."""
    OriginalPrice: Annotated[Decimal | None, formats.Money()] = None
    """Before discounts [R]."""
    Size: Annotated[str | None, formats.Text(agreed=100)] = None
    """Free text [R]."""
    Color: Annotated[str | None, formats.Text(agreed=100)] = None
    """Free text [R]."""
    Brand: Annotated[str | None, formats.Text(agreed=100)] = None
    """Free text [R]."""
    IsGift: Annotated[bool | None, formats.Flag()] = None
    """False when absent [R]."""


class Order(Contract):
    """A purchase; its customer is named by the priority identifier, better by both (K8)."""

    OrderId: Annotated[str, formats.Identifier(100)]
    """Key; 100 [G:orders]."""
    CustomerId: Annotated[str | None, formats.Identifier(100)] = None
    """100 as in Customer."""
    Email: Annotated[str | None, formats.Email(255)] = None
    """255 as in Customer."""
    OrderDate: Annotated[str, formats.Moment()]
    """UTC [R]. The vendor would fill in "now" (K10), so it is never left out."""
    TotalRevenue: Annotated[Decimal, formats.Money()]
    """Required [R]; the vendor would fill in 1 (K11). At least 0 (ours)."""
    Currency: Annotated[str, formats.Currency()]
    """ISO 4217, required (K12)."""
    TotalQuantity: Annotated[int | None, formats.Whole(0)] = None
    """The vendor would fill in 1 (K11), so it is computed when the source has none."""
    UniqueQuantity: Annotated[int | None, formats.Whole(0)] = None
    """Distinct SKUs [R]; computed like TotalQuantity."""
    IsOrderCancelled: Annotated[bool | None, formats.Flag()] = None
    """Cancelled orders leave the timing models [R]."""
    OrderItems: Annotated[list[OrderItem], Field(min_length=1)]
    """At least one [R]; [G] shows an empty list (K9)."""


class ProductVariant(Contract):
    """A variant. Lengths are stated nowhere (K21): above these the product travels alone."""

    VariantId: Annotated[str, formats.Identifier(agreed=100)]
    """Key within the product [R]."""
    Sku: Annotated[str, formats.Identifier(agreed=100)]
    """Equals the line's Sku, case-sensitive [R]."""
    Name: Annotated[str, formats.Text(agreed=200)]
    """Display name [R]."""
    OriginalPrice: Annotated[Decimal, formats.Money()]
    """Full price [R]."""
    Currency: Annotated[str, formats.Currency()]
    """ISO 4217, for both prices [R]."""
    IsAvailable: Annotated[bool, formats.Flag()]
    """Whether it can be bought online [R]."""
    Image: Annotated[str | None, formats.HttpsAddress()] = None
    """Public HTTPS [R]."""
    Size: Annotated[str | None, formats.Text()] = None
    """Free text with unit [R]."""
    Stock: Annotated[int | None, formats.Whole()] = None
    """May be below 0 where a shop oversells (ours)."""
    SalePrice: Annotated[Decimal | None, formats.Money()] = None
    """When below OriginalPrice the saving is shown [R]."""
    Language: Annotated[str | None, formats.Language(agreed=10)] = None
    """BCP 47 [R]."""
    BrandName: Annotated[str | None, formats.Text()] = None
    """Free text [R]."""


class Product(Contract):
    """A product with all its variants."""

    ProductId: Annotated[str, formats.Identifier(100)]
    """Key; 100 [G:products]."""
    ProductName: Annotated[str, formats.Text(200)]
    """Required [R], 200 [G:products] (K18)."""
    Taxonomy: Annotated[list[str] | None, formats.Texts()] = None
    """Categories, broadest first [R]."""
    IsOfflineExclusive: Annotated[bool | None, formats.Flag()] = None
    """Sold in stores only [R]."""
    ProductVariants: Annotated[list[ProductVariant], Field(min_length=1)]
    """At least one [R]; [G:products] allows none (K19)."""
