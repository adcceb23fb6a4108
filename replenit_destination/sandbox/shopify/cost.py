"""What a query costs, and the bucket that pays for it.

Shopify does not publish its formula. This one was fitted to recorded answers: a connection costs
`2 + max(1, floor(2 ln first)) * (1 + one node's objects)`, an object 1, scalars, `MoneyBag`,
`MoneyV2` and addresses nothing. The actual cost is the same sum over what really came back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graphql import DocumentNode

__all__ = ["MAX_QUERY_COST", "CostBucket", "QueryCost"]

MAX_QUERY_COST = 1000  # one query may ask for no more, whatever the plan
MUTATION_COST = 10  # starting and cancelling a bulk operation, as recorded
FREE = frozenset({"MoneyBag", "MoneyV2", "MailingAddress"})


def growth(count: int) -> int:
    """Return how often a node of a connection is charged: large pages are cheap."""
    return max(1, math.floor(2 * math.log(count))) if count else 1


class QueryCost:
    """Counts the requested and the actual cost of one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, Any],
        operation: OperationDefinitionNode | None = None,
    ) -> None:
        self.schema = schema
        self.mutates = bool(operation and operation.operation is OperationType.MUTATION)
        self.root: GraphQLNamedType = schema.type_map["QueryRoot"]
        self.variables = variables
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def requested(self, selections: SelectionSetNode) -> int:
        """Return the cost charged before execution, from the page sizes asked for."""
        if self.mutates:
            return MUTATION_COST
        return self._sum(selections, self.root, None, actual=False)

    def actual(self, selections: SelectionSetNode, result: Mapping[str, Any] | None) -> int:
        """Return the cost of what came back."""
        if self.mutates:
            return MUTATION_COST
        return self._sum(selections, self.root, result or {}, actual=True)

    def _fields(
        self, selections: SelectionSetNode, parent: GraphQLNamedType
    ) -> Iterator[tuple[FieldNode, SelectionSetNode, GraphQLNamedType]]:
        """Yield the fields that hold objects, fragments opened: node, its selections, its type."""
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
                field = parent.fields[node.name.value]  # type: ignore[attr-defined]
                kind = cast("GraphQLNamedType", get_named_type(field.type))
                yield node, node.selection_set, kind

    def _sum(
        self, selections: SelectionSetNode, parent: GraphQLNamedType, value: Any, *, actual: bool
    ) -> int:
        total = 0
        for node, inner, kind in self._fields(selections, parent):
            child = value.get(_key(node)) if isinstance(value, dict) else None
            if kind.name.endswith("Connection"):
                asked = None if actual else self._page(node)
                total += self._connection(inner, kind, child, asked)
            else:
                total += 0 if kind.name in FREE else 1
                sample = child[0] if isinstance(child, list) and child else child
                if not actual or isinstance(sample, dict):
                    total += self._sum(inner, kind, sample, actual=actual)
        return total

    def _connection(
        self, selections: SelectionSetNode, kind: GraphQLNamedType, value: Any, asked: int | None
    ) -> int:
        """Return a connection's cost: for `asked` nodes, or with None for those that came."""
        nodes: list[int] = []
        for part, inner, part_type in self._fields(selections, kind):
            rows = (value or {}).get(_key(part)) or [] if asked is None else [None]
            if part.name.value == "nodes":
                nodes += self._nodes(inner, part_type, rows, actual=asked is None)
            elif part.name.value == "edges":
                for node, deeper, node_type in self._fields(inner, part_type):
                    held = [row and row[_key(node)] for row in rows]
                    nodes += self._nodes(deeper, node_type, held, actual=asked is None)
        count = len(nodes) if asked is None else asked
        return 2 + growth(count) * (1 + max(nodes, default=0))

    def _nodes(
        self, selections: SelectionSetNode, kind: GraphQLNamedType, rows: list[Any], *, actual: bool
    ) -> list[int]:
        return [self._sum(selections, kind, row, actual=actual) for row in rows]

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, VariableNode):
                    return int(self.variables.get(argument.value.name.value) or 1)
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
        return 1


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


@dataclass
class CostBucket:
    """A leaky bucket of points, one per app and shop; the Standard plan's unless told."""

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
