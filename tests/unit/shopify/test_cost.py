"""Costs as recorded, and the bucket that pays them.

The formula is fitted, not published: these recordings it meets exactly, others by a point or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, parse

from replenit_destination.sandbox.shopify.cost import CostBucket, QueryCost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDED = (
    "orders/2026-04__harry-test-heelo__order-edit-money-math.json",
    "bulk/2026-04__harry-test-heelo__bulk-operations-read-arg-validation.json",
    "bulk/2026-04__search_index_lag_probes.json",
)


def reads(content: Any) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every recorded read with its query, its variables and its answer."""
    if isinstance(content, dict):
        answer = content.get("response") or {}
        body = answer.get("payload") or answer.get("body") or answer
        text = content.get("query")
        if isinstance(text, str) and not text.lstrip().startswith("mutation") and body.get("data"):
            yield text, content.get("variables") or {}, body
        for value in content.values():
            yield from reads(value)
    elif isinstance(content, list):
        for value in content:
            yield from reads(value)


@pytest.mark.parametrize("name", RECORDED)
def test_costs_equal_the_recorded_ones(
    name: str,
    published_schema: Callable[[str], GraphQLSchema],
    recorded: Callable[[str], Any],
) -> None:
    seen = 0
    for text, variables, body in reads(recorded(name)):
        document = parse(text)
        operation = document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        cost = QueryCost(published_schema("2026-07"), document, variables)
        expected = body["extensions"]["cost"]
        assert cost.requested(operation.selection_set) == expected["requestedQueryCost"]
        assert cost.actual(operation.selection_set, body["data"]) == expected["actualQueryCost"]
        seen += 1
    assert seen


def test_bucket_refills_at_its_rate_up_to_its_size() -> None:
    now = [0.0]
    bucket = CostBucket(lambda: now[0])
    bucket.spend(1500)
    assert bucket.available() == 500
    now[0] = 4.0
    assert bucket.available() == 900
    now[0] = 100.0
    assert bucket.block(10, 6) == {
        "requestedQueryCost": 10,
        "actualQueryCost": 6,
        "throttleStatus": {
            "maximumAvailable": 2000,
            "currentlyAvailable": 2000,
            "restoreRate": 100,
        },
    }
