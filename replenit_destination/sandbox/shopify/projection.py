"""Executes a bulk query: every selected object of a root connection becomes a line of JSON.

No paging, no cost: `first`, cursors and `pageInfo` are ignored, nested connections become lines of
their own that name their parent in `__parentId` (shopify.dev, "Perform bulk operations"; slashes
are escaped as recorded). Tests hold these lines against the same objects read page by page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    get_named_type,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Projection", "line_of", "to_the_second"]

View = dict[str, Any]


def to_the_second(value: str | None) -> str | None:
    """Show a timestamp: stored ones are finer than shown ones."""
    if value is None:
        return None
    return datetime.fromisoformat(value).strftime("%Y-%m-%dT%H:%M:%SZ")


def line_of(content: View) -> str:
    """Write an object as a line of a result file."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("/", "\\/") + "\n"


@dataclass
class _Choice:
    """What is chosen of one type: plain values, times, objects, and connections below it."""

    plain: list[tuple[str, str]] = field(default_factory=list)
    times: list[tuple[str, str]] = field(default_factory=list)
    objects: list[tuple[str, str, _Choice]] = field(default_factory=list)
    connections: list[tuple[str, _Choice]] = field(default_factory=list)
    narrowed: list[tuple[str, _Choice]] = field(default_factory=list)


class Projection:
    """One bulk query, ready to be applied to views.

    `root` is the root connection's name and `filter` its `query` argument.
    """

    def __init__(self, schema: GraphQLSchema, text: str) -> None:
        self.schema = schema
        document = parse(text, no_location=True)
        self._fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        operation = next(d for d in document.definitions if isinstance(d, OperationDefinitionNode))
        root = next(f for f in operation.selection_set.selections if isinstance(f, FieldNode))
        self.root = root.name.value
        self.filter = next(
            (
                argument.value.value
                for argument in root.arguments or ()
                if argument.name.value == "query" and isinstance(argument.value, StringValueNode)
            ),
            None,
        )
        chosen = self._chosen(operation.selection_set, schema.type_map["QueryRoot"])
        self._choice = chosen.connections[0][1]

    def lines(self, view: View) -> Iterator[tuple[int, View]]:
        """Yield the lines of one root object, parents first, each with its depth below the root."""
        yield from _lines(self._choice, view, None, 0)

    def _chosen(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> _Choice:
        choice = _Choice()
        self._collect(selections, parent, choice)
        return choice

    def _collect(
        self, selections: SelectionSetNode, parent: GraphQLNamedType, choice: _Choice
    ) -> None:
        for node in selections.selections:
            if isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                self._collect(fragment.selection_set, parent, choice)
            elif isinstance(node, InlineFragmentNode):
                assert node.type_condition is not None  # noqa: S101
                name = node.type_condition.name.value
                inner = self._chosen(node.selection_set, self.schema.type_map[name])
                choice.narrowed.append((name, inner))
            elif isinstance(node, FieldNode):
                self._field(node, parent, choice)

    def _field(self, node: FieldNode, parent: GraphQLNamedType, choice: _Choice) -> None:
        name = node.name.value
        key = node.alias.value if node.alias else name
        if name == "__typename":
            choice.plain.append((key, name))
            return
        kind = cast("GraphQLNamedType", get_named_type(parent.fields[name].type))  # type: ignore[attr-defined]
        if node.selection_set is None:
            (choice.times if kind.name == "DateTime" else choice.plain).append((key, name))
        elif kind.name.endswith("Connection"):
            choice.connections.append((name, self._node_choice(node.selection_set, kind)))
        else:
            choice.objects.append((key, name, self._chosen(node.selection_set, kind)))

    def _node_choice(self, selections: SelectionSetNode, kind: GraphQLNamedType) -> _Choice:
        edges = next(f for f in selections.selections if isinstance(f, FieldNode))
        edge: Any = get_named_type(kind.fields["edges"].type)  # type: ignore[attr-defined]
        assert edges.selection_set is not None  # noqa: S101 - the bulk rules saw to it
        node = next(f for f in edges.selection_set.selections if isinstance(f, FieldNode))
        assert node.selection_set is not None  # noqa: S101
        held = cast("GraphQLNamedType", get_named_type(edge.fields["node"].type))
        return self._chosen(node.selection_set, held)


def _lines(
    choice: _Choice, view: Mapping[str, Any], parent: str | None, depth: int
) -> Iterator[tuple[int, View]]:
    content = _shown(choice, view)
    if parent is not None:
        content["__parentId"] = parent
    yield depth, content
    for name, inner in choice.connections:
        for child in _value(view, name) or ():
            yield from _lines(inner, child, view["id"], depth + 1)


def _shown(choice: _Choice, view: Mapping[str, Any]) -> View:
    content = {key: _value(view, name) for key, name in choice.plain}
    for key, name in choice.times:
        content[key] = to_the_second(_value(view, name))
    for key, name, inner in choice.objects:
        value = _value(view, name)
        if isinstance(value, list):
            content[key] = [_shown(inner, one) for one in value]
        else:
            content[key] = _shown(inner, value) if value else None
    for kind, inner in choice.narrowed:
        if view["__typename"] == kind:
            content |= _shown(inner, view)
    return content


def _value(view: Mapping[str, Any], name: str) -> Any:
    value = view.get(name)
    return value() if callable(value) else value
