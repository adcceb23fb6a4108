"""Every query fits every supported version of Shopify, and bulk ones keep the rules for bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from graphql import OperationDefinitionNode, get_operation_ast, parse, validate
from graphql.validation import NoDeprecatedCustomRule
from shopify.client import ShopifyClient
from shopify.documents import LISTINGS, QUERIES, bulk_query, document
from shopify.marker import Marker
from shopify.pager import Pager
from shopify.settings import Settings

from replenit_destination.sandbox.shopify.bulk_rules import bulk_faults
from replenit_destination.sandbox.shopify.cost import MAX_QUERY_COST, QueryCost
from replenit_destination.sandbox.shopify.schema import VERSIONS, versioned_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLSchema

# Deprecated since the object in its stead came with 2026-10; it does not exist before.
ALLOWED_DEPRECATED = "CustomerPhoneNumber.marketing"
FILTER = "updated_at:>='2026-05-01T00:00:00Z' AND updated_at:<'2026-06-01T00:00:00Z'"


def pager(version: str) -> Pager:
    return Pager(ShopifyClient(Settings("https://x.myshopify.com", "t", version=version)))


def documents(version: str) -> dict[str, str]:
    """Every document that is sent, by the name of its operation."""
    return {
        **pager(version).documents,
        "ShopInfo": document("shop"),
        "ShopLocales": document("locales"),
        "PersonalData": document("personal"),
        "Exists": document("exists"),
        **{f"Bulk{n.title()}": document(f"bulk_{n}", "operation") for n in BULK_CONTROL},
        **{
            f"{one.name.title()}{what}": document(f"{one.name}_probe")
            for one in LISTINGS
            for what in ("Count", "Oldest")
        },
    }


BULK_CONTROL = ("run", "poll", "list", "cancel")


def bulk_documents(version: str) -> dict[str, str]:
    return {one.name: bulk_query(one, version, FILTER) for one in LISTINGS} | {
        f"{one.name} ids": document(f"{one.name}_ids_bulk") for one in LISTINGS
    }


def test_no_query_file_is_left_out() -> None:
    sent = [documents("2026-10"), documents("2026-01"), bulk_documents("2026-10")]
    written = "\n".join(text for one in sent for text in one.values())
    for file in QUERIES.glob("*.graphql"):
        text = file.read_text(encoding="utf-8")
        if "FILTER" not in text:
            assert text in written, file.name


@pytest.mark.parametrize("version", VERSIONS)
def test_queries_fit_the_double(version: str) -> None:
    for name, text in (documents(version) | bulk_documents(version)).items():
        assert not validate(versioned_schema(version), parse(text)), name


@pytest.mark.parametrize("version", VERSIONS)
def test_queries_fit_what_shopify_publishes(
    version: str, published_schema: Callable[[str], GraphQLSchema]
) -> None:
    schema = published_schema(version)
    for name, text in documents(version).items():
        parsed = parse(text)
        assert get_operation_ast(parsed, name), name
        assert not validate(schema, parsed), name
    for name, text in bulk_documents(version).items():
        assert bulk_faults(schema, text) == [], name


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_deprecated_is_asked_for(
    version: str, published_schema: Callable[[str], GraphQLSchema]
) -> None:
    schema = published_schema(version)
    for name, text in (documents(version) | bulk_documents(version)).items():
        for fault in validate(schema, parse(text), [NoDeprecatedCustomRule]):
            said = fault.message.replace("The field ", "")
            assert version < "2026-10", f"{name}: {fault.message}"
            assert said.startswith(ALLOWED_DEPRECATED), f"{name}: {fault.message}"


@pytest.mark.parametrize("version", VERSIONS)
def test_pages_cost_no_more_than_one_query_may(
    version: str, published_schema: Callable[[str], GraphQLSchema]
) -> None:
    """By the fitted formula; a page that costs more all the same is halved."""
    made = pager(version)
    sizes = made._sizes
    for name, text in made.documents.items():
        parsed = parse(text)
        operation = get_operation_ast(parsed, name)
        assert isinstance(operation, OperationDefinitionNode)
        variables = {"first": 100, **sizes.get(name, {})}
        cost = QueryCost(published_schema(version), parsed, variables)
        assert cost.requested(operation.selection_set) <= MAX_QUERY_COST, name


def test_marker_and_filter_survive_in_a_bulk_query() -> None:
    text = bulk_query(LISTINGS[1], "2026-10", FILTER)
    marker = Marker("my_shop", "orders", None, None, "0123456789ab")
    query = f"{marker.comment()}\n{text}"
    assert f'orders(query: "{FILTER}")' in query
    assert "..." not in query
    assert Marker.of(query) == marker
    assert Marker.of("# dlt other\n" + text) is None
    assert len(query.encode()) < 65_535


def test_consent_object_is_unknown_before_its_version() -> None:
    newer = documents("2026-10")["CustomersPage"]
    assert "smsMarketingConsent" in newer
    assert validate(versioned_schema("2026-07"), parse(newer))
