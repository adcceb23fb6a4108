"""Replenit's three kinds of documents as the engine sees them, under one shop's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.target import ChildSpec, EntitySpec, FieldSpec, Folding, Kind
from replenit_destination.targets.replenit.judgement import CHILD_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replenit_destination.targets.replenit.configuration import ReplenitSettings
    from replenit_destination.targets.replenit.schemas import Schema

__all__ = ["CONSENT_RULES", "CONSENT_TIME", "entity_specs"]

_CONSENTS = ("EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "GdprOptin")

CONSENT_TIME = "_consent_at"
"""A customer's field that is never sent: when the consents of the row were given or withdrawn."""

CONSENT_RULES: Mapping[str, str] = {
    "email_optin": "coalesce(EmailOptin, false)",
    "sms_optin": "coalesce(SmsOptin, false)",
    "email_or_sms_optin": "coalesce(EmailOptin, false) OR coalesce(SmsOptin, false)",
    "any_optin": (
        "coalesce(EmailOptin, false) OR coalesce(SmsOptin, false) "
        "OR coalesce(WhatsappOptin, false) OR coalesce(AppPushOptin, false)"
    ),
    "always": "true",
    "never": "false",
}
"""How GdprOptin can follow from the channel consents, chosen by name (real-shops.md rule 3)."""

_GDPR_QUESTION = (
    "which people may Replenit process? Map `GdprOptin` to the column or expression that says "
    'so, or choose a rule, for instance GdprOptin = {{ rule = "email_or_sms_optin" }}; '
    "rules: {rules}. There is no default."
)

# The mapping must name them, although a row may still lack the value.
_MUST_BE_MAPPED = frozenset({"orders.items.ProductId", "orders.items.Sku"})


def entity_specs(
    settings: ReplenitSettings, schemas: Mapping[str, Schema]
) -> tuple[EntitySpec, ...]:
    """Return customers, products and orders.

    Customers and products travel first, side by side; orders, which point to both, wait for them
    (§7.11).
    """
    return (
        _customers(settings, schemas["customers"]),
        _products(settings, schemas["products"]),
        _orders(settings, schemas["orders"]),
    )


def _customers(settings: ReplenitSettings, schema: Schema) -> EntitySpec:
    other = "CustomerId" if settings.customer_key == "Email" else "Email"
    question = _GDPR_QUESTION.format(rules=", ".join(f"`{rule}`" for rule in CONSENT_RULES))
    return EntitySpec(
        name="customers",
        key=settings.customer_key,
        fields=(*_fields(settings, schema), FieldSpec(CONSENT_TIME, Kind.TIMESTAMP)),
        identity=(other,),
        consents=_CONSENTS,
        consent_time=CONSENT_TIME,
        gate="GdprOptin" if settings.gdpr_policy == "consented_only" else None,
        derived={"GdprOptin": CONSENT_RULES},
        choices={"GdprOptin": question},
    )


def _products(settings: ReplenitSettings, schema: Schema) -> EntitySpec:
    return EntitySpec(
        name="products",
        key="ProductId",
        fields=_fields(settings, schema),
        child=_child("variants", settings, schema),
        retire="IsAvailable" if settings.product_removal == "unavailable" else None,
        vanished_is_gone=True,
        enriched=True,  # every product upsert triggers enrichment [R]
    )


def _orders(settings: ReplenitSettings, schema: Schema) -> EntitySpec:
    return EntitySpec(
        name="orders",
        key="OrderId",
        fields=_fields(settings, schema),
        child=_child("items", settings, schema),
        stage=1,
        newest_first="OrderDate",
        link={settings.customer_key: "customers"},
        child_link={"ProductId": "products"},
    )


def _child(block: str, settings: ReplenitSettings, schema: Schema) -> ChildSpec:
    child = schema.child
    if child is None:
        message = f"{schema.path} has no children"
        raise AssertionError(message)
    return ChildSpec(block, schema.property, _fields(settings, child), CHILD_KEYS[schema.path])


def _fields(settings: ReplenitSettings, schema: Schema) -> tuple[FieldSpec, ...]:
    folding = Folding.LOWER if settings.email_case == "lower" else Folding.NONE
    return tuple(
        FieldSpec(
            one.name,
            one.rule.kind,
            required=one.required or f"{schema.path}.{one.name}" in _MUST_BE_MAPPED,
            folding=folding if one.name == "Email" else Folding.NONE,
        )
        for one in schema.fields.values()
    )
