"""The double's schema is a part of the one that Shopify publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
)

from replenit_destination.sandbox.shopify.schema import VERSIONS, versioned_schema

if TYPE_CHECKING:
    from collections.abc import Callable


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


@pytest.mark.parametrize("version", VERSIONS)
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
