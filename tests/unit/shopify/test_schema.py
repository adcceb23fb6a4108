"""The double's schema is a part of the published one, and the queries fit both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    parse,
    validate,
)
from graphql.validation import NoDeprecatedCustomRule
from shopify.client import ShopifyClient
from shopify.documents import document
from shopify.pager import Pager
from shopify.settings import Settings

from replenit_destination.sandbox.shopify.schema import VERSIONS, versioned_schema

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLISHED = ("2026-01", "2026-07", "2026-10")


def documents(version: str) -> dict[str, str]:
    pager = Pager(ShopifyClient(Settings("https://x.myshopify.com", "t", version=version)))
    return {
        **pager.documents,
        "ShopInfo": document("shop"),
        "ShopLocales": document("locales"),
    }


def described(schema: GraphQLSchema) -> dict[str, Any]:
    """Everything a query can lean on: fields, their arguments and types, enum values."""
    content: dict[str, Any] = {}
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLEnumType):
            content[name] = set(kind.values)
        elif isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)):
            for field, definition in kind.fields.items():
                arguments = {key: str(arg.type) for key, arg in definition.args.items()}
                content[f"{name}.{field}"] = (str(definition.type), arguments)
    return content


@pytest.mark.parametrize("version", PUBLISHED)
def test_every_line_of_the_doubles_schema_is_shopifys(
    version: str, published_schema: Callable[[str], GraphQLSchema]
) -> None:
    theirs = described(published_schema(version))
    for name, ours in described(versioned_schema(version)).items():
        # In versions before its consent object came, that type is left but cannot be reached.
        if name.startswith("__") or name not in theirs:
            unreachable = ("__", "CustomerSmsMarketingConsent", "CustomerMarketingConsentState")
            assert name.startswith(unreachable), f"{name} is unknown to Shopify"
        elif isinstance(ours, set):
            assert ours <= theirs[name] or version != "2026-10", name
        else:
            assert ours[0] == theirs[name][0], name
            assert ours[1].items() <= theirs[name][1].items(), name


@pytest.mark.parametrize("version", VERSIONS)
def test_queries_fit_the_double(version: str) -> None:
    for name, text in documents(version).items():
        assert not validate(versioned_schema(version), parse(text)), name


@pytest.mark.parametrize("version", PUBLISHED)
def test_queries_fit_the_published_schema(
    version: str, published_schema: Callable[[str], GraphQLSchema]
) -> None:
    for name, text in documents(version).items():
        assert not validate(published_schema(version), parse(text)), name


def test_newest_version_uses_nothing_deprecated(
    published_schema: Callable[[str], GraphQLSchema],
) -> None:
    for name, text in documents("2026-10").items():
        found = validate(published_schema("2026-10"), parse(text), [NoDeprecatedCustomRule])
        assert not found, name


def test_consent_object_is_unknown_before_its_version() -> None:
    newer = documents("2026-10")["CustomersPage"]
    assert "smsMarketingConsent" in newer
    assert validate(versioned_schema("2026-07"), parse(newer))
