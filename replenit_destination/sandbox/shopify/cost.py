"""What a query costs, and the bucket that pays for it.

Shopify does not publish its formula. This one was fitted to recorded answers: a connection costs
`2 + max(1, floor(2 ln first)) × (1 + one node's objects)`, an object 1, scalars, `MoneyBag`, `MoneyV2` and
addresses nothing. The actual cost is the same sum over what really came back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graphql import DocumentNode

__all__ = ["MAX_QUERY_COST", "CostBucket", "QueryCost"]

MAX_QUERY_COST = 1000  # one query may ask for no more, whatever the plan
FREE = frozenset({"MoneyBag", "MoneyV2", "MailingAddress"})


def growth(count: int) -> int:
    """Return how many times a connection of `count` nodes is charged: pages get cheaper as they grow."""
    return max(1, math.floor(2 * math.log(count))) if count else 1


class QueryCost:
    """Counts the requested and the actual cost of one operation."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]
    ) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def requested(self, selections: SelectionSetNode) -> int:
        """Return the cost charged before execution, from the page sizes asked for."""
        root = self.schema.query_type
        assert root is not None
        return self._sum(selections, root, None, actual=False)

    def actual(self, selections: SelectionSetNode, result: Mapping[str, Any] | None) -> int:
        """Return the cost of what came back."""
        root = self.schema.query_type
        assert root is not None
        return self._sum(selections, root, result or {}, actual=True)

    def _fields(
        self, selections: SelectionSetNode, parent: GraphQLNamedType
    ) -> Iterator[tuple[FieldNode, GraphQLNamedType]]:
        for node in selections.selections:
            if isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                condition = self.schema.type_map[fragment.type_condition.name.value]
                yield from self._fields(fragment.selection_set, condition)
            elif isinstance(node, InlineFragmentNode):
                condition = (
                    self.schema.type_map[node.type_condition.name.value]
                    if node.type_condition
                    else parent
                )
                yield from self._fields(node.selection_set, condition)
            elif isinstance(node, FieldNode) and node.selection_set:
                yield node, parent

    def _sum(
        self, selections: SelectionSetNode, parent: GraphQLNamedType, value: Any, *, actual: bool
    ) -> int:
        total = 0
        for node, holder in self._fields(selections, parent):
            kind = get_named_type(holder.fields[node.name.value].type)  # type: ignore[attr-defined]
            key = node.alias.value if node.alias else node.name.value
            child = value.get(key) if isinstance(value, dict) else None
            assert node.selection_set is not None
            if kind.name.endswith("Connection"):
                total += self._connection(node, kind, child, actual=actual)
            else:
                total += 0 if kind.name in FREE else 1
                sample = child[0] if isinstance(child, list) and child else child
                if not actual or isinstance(sample, dict):
                    total += self._sum(node.selection_set, kind, sample, actual=actual)
        return total

    def _connection(
        self, node: FieldNode, kind: GraphQLNamedType, value: Any, *, actual: bool
    ) -> int:
        assert node.selection_set is not None
        inner: list[int] = []
        for part, _ in self._fields(node.selection_set, kind):
            if part.name.value not in ("nodes", "edges"):
                continue
            rows = (value or {}).get(part.name.value) or []
            for selection, row_type, pick in self._node_selections(part, kind):
                chosen = [pick(row) for row in rows] if actual else [None]
                inner += [self._sum(selection, row_type, row, actual=actual) for row in chosen]
        count = len(inner) if actual else self._page(node)
        dearest = max(inner, default=0)
        return 2 + growth(count) * (1 + dearest if inner or not actual else 1)

    def _node_selections(
        self, part: FieldNode, connection: GraphQLNamedType
    ) -> Iterator[tuple[SelectionSetNode, GraphQLNamedType, Callable[[Any], Any]]]:
        inner = get_named_type(connection.fields[part.name.value].type)  # type: ignore[attr-defined]
        assert part.selection_set is not None
        if part.name.value == "nodes":
            yield part.selection_set, inner, lambda row: row
            return
        for node, _ in self._fields(part.selection_set, inner):
            if node.name.value == "node" and node.selection_set:
                key = node.alias.value if node.alias else "node"
                row_type = get_named_type(inner.fields["node"].type)
                yield node.selection_set, row_type, lambda row, key=key: row.get(key)

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments:
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, VariableNode):
                    return int(self.variables.get(argument.value.name.value) or 1)
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
        return 1


@dataclass
class CostBucket:
    """A leaky bucket of points: one per app and shop. Standard plan: 2,000 points, 100 back per second."""

    clock: Callable[[], float]
    maximum: float = 2000.0
    restore_rate: float = 100.0
    _available: float = field(init=False)
    _seen: float = field(init=False)

    def __post_init__(self) -> None:
        self._available = self.maximum
        self._seen = self.clock()

    def available(self) -> int:
        """Return the points that can be spent now."""
        now = self.clock()
        refill = max(0.0, now - self._seen) * self.restore_rate
        self._available = min(self.maximum, self._available + refill)
        self._seen = now
        return int(self._available)

    def spend(self, points: float) -> None:
        """Take points; the unused part of what was requested is never taken."""
        self.available()
        self._available -= points

    def drain(self, *, leave: float = 0) -> None:
        """Leave only so many points, as another client of the same app would."""
        self.available()
        self._available = min(self._available, leave)

    def block(self, requested: int | None, actual: int | None) -> dict[str, Any]:
        """Return the `extensions.cost` of an answer."""
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": {
                "maximumAvailable": int(self.maximum),
                "currentlyAvailable": self.available(),
                "restoreRate": int(self.restore_rate),
            },
        }
