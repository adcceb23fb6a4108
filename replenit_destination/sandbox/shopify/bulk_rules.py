"""What Shopify refuses to run in bulk, in the words it was recorded to use.

shopify.dev, "Perform bulk operations with the GraphQL Admin API": at least one connection and at
most five, no deeper than two below the root, contents by `edges > node`, parents with their `id`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    validate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import DocumentNode

__all__ = ["bulk_faults"]

MAX_CONNECTIONS = 5
MAX_DEPTH = 2
MAX_BYTES = 65_535


def bulk_faults(schema: GraphQLSchema, text: str) -> list[str]:
    """Return why a query cannot run in bulk, one sentence each; empty when it can."""
    try:
        document = parse(text, no_location=True)
    except GraphQLError as error:
        ended = not text.strip() or "<EOF>" in error.message
        reason = "unexpected end of file" if ended else error.message
        return [f"Invalid bulk query: syntax error, {reason}"]
    if len(text.encode()) > MAX_BYTES:
        return [f"Bulk queries cannot be larger than {MAX_BYTES} bytes."]
    operation = next(d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    if operation.operation is not OperationType.QUERY:
        return ["Invalid operation type. Only `query` operations are supported."]
    invalid = [fault.message for fault in validate(schema, document)]
    if invalid:
        return [f"Invalid bulk query: {message}" for message in invalid]
    walk = _Walk(schema, document)
    walk.selections(operation.selection_set, schema.type_map["QueryRoot"], 0, in_list=False)
    return walk.faults()


@dataclass
class _Walk:
    """Counts a query's connections and notes what is wrong with them."""

    schema: GraphQLSchema
    document: DocumentNode
    connections: int = 0
    depth: int = 0
    in_list: bool = False
    top_level_nodes: list[str] = field(default_factory=list)
    by_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)

    @property
    def _fragments(self) -> dict[str, FragmentDefinitionNode]:
        return {
            d.name.value: d
            for d in self.document.definitions
            if isinstance(d, FragmentDefinitionNode)
        }

    def faults(self) -> list[str]:
        said = [
            f"Bulk queries cannot contain a top level `{name}` field."
            for name in self.top_level_nodes
        ]
        if self.by_nodes:
            said.append(
                "All connection fields in a bulk query must select their contents using 'edges' > "
                f"'node', e.g: '{self.by_nodes[0]} {{ edges {{ node {{'. Selecting via 'nodes' is "
                f"not supported. Invalid connection fields: '{', '.join(self.by_nodes)}'."
            )
            return said
        if not self.connections:
            said.append("Bulk queries must contain at least one connection.")
        if self.connections > MAX_CONNECTIONS:
            said.append(f"Bulk queries cannot contain more than {MAX_CONNECTIONS} connections.")
        if self.depth > MAX_DEPTH:
            said.append(
                "Bulk queries cannot contain connections with a nesting depth greater than "
                f"{MAX_DEPTH}."
            )
        if self.in_list:
            said.append(
                "Queries that contain a connection field within a list field are not currently "
                "supported."
            )
        if self.without_id:
            said.append(
                "The parent 'node' field for a nested connection must select the 'id' field "
                "without an alias and must be of 'ID' return type. Connection fields without "
                f"'id': {', '.join(self.without_id)}."
            )
        return said

    def selections(
        self, chosen: SelectionSetNode, parent: GraphQLNamedType, depth: int, *, in_list: bool
    ) -> None:
        for node, kind in self._fields(chosen, parent):
            name = node.name.value
            if parent.name == "QueryRoot" and name in ("node", "nodes"):
                self.top_level_nodes.append(name)
            inner = node.selection_set
            if inner is None:
                continue
            named = cast("GraphQLNamedType", get_named_type(kind))
            if named.name.endswith("Connection"):
                self._connection(node, inner, named, depth, in_list=in_list)
            else:
                listed = in_list or is_list_type(get_nullable_type(kind))
                self.selections(inner, named, depth, in_list=listed)

    def _connection(
        self,
        node: FieldNode,
        inner: SelectionSetNode,
        kind: GraphQLNamedType,
        depth: int,
        *,
        in_list: bool,
    ) -> None:
        self.connections += 1
        self.depth = max(self.depth, depth)
        self.in_list = self.in_list or in_list
        before = self.connections
        for part, edge_type in self._fields(inner, kind):
            if part.name.value == "nodes":
                self.by_nodes.append(node.name.value)
            if part.name.value != "edges" or part.selection_set is None:
                continue
            edge = cast("GraphQLNamedType", get_named_type(edge_type))
            for item, item_type in self._fields(part.selection_set, edge):
                if item.selection_set is None:
                    continue
                named = cast("GraphQLNamedType", get_named_type(item_type))
                self.selections(item.selection_set, named, depth + 1, in_list=False)
                chosen = self._fields(item.selection_set, named)
                has_id = any(one.name.value == "id" and not one.alias for one, _ in chosen)
                if self.connections > before and not has_id:
                    self.without_id.append(node.name.value)

    def _fields(
        self, chosen: SelectionSetNode, parent: GraphQLNamedType
    ) -> Iterator[tuple[FieldNode, Any]]:
        """Yield the chosen fields with their types, fragments opened."""
        for node in chosen.selections:
            if isinstance(node, FieldNode):
                if not node.name.value.startswith("__"):
                    yield node, parent.fields[node.name.value].type  # type: ignore[attr-defined]
                continue
            part: Any = node
            if isinstance(node, FragmentSpreadNode):
                part = self._fragments[node.name.value]
            condition = part.type_condition
            kind = self.schema.type_map[condition.name.value] if condition else parent
            yield from self._fields(part.selection_set, kind)
