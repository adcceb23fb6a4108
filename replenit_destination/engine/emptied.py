"""Which values a document lost since it was last accepted.

Documents are sent whole and without nulls, so a vendor that keeps what an update omits still shows
a value that became empty. Nothing can clear it; the report lists the fields.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.documents import child_key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from replenit_destination.engine.target import ChildSpec, EntitySpec

__all__ = ["emptied", "field_names"]


def field_names(spec: EntitySpec, payload: Mapping[str, Any]) -> str:
    """Return the names of the properties a document has, a line each.

    A child's property reads `OrderItems.Size`; where only some children have it, their keys follow,
    each after a tab.
    """
    if spec.child is None:
        return _all_have("", tuple(payload), ())
    shapes = {tuple(child) for child in payload.get(spec.child.property, ())}
    if len(shapes) <= 1:  # nearly always: all children have the same properties
        return _all_have(spec.child.property, tuple(payload), shapes.pop() if shapes else ())
    lines = sorted(payload)
    children = _children(spec.child, payload)
    for name in sorted(set().union(*children.values())):
        holders = [key for key, names in children.items() if name in names]
        listed = holders if len(holders) < len(children) else []
        lines.append("\t".join([f"{spec.child.property}.{name}", *sorted(listed)]))
    return "\n".join(lines)


@lru_cache(maxsize=4096)
def _all_have(prefix: str, names: tuple[str, ...], of_children: tuple[str, ...]) -> str:
    return "\n".join([*sorted(names), *(f"{prefix}.{name}" for name in sorted(of_children))])


def emptied(
    spec: EntitySpec, before: str, children: Collection[str], payload: Mapping[str, Any]
) -> list[str]:
    """Return the names of the properties that had a value and have none now.

    Args:
        spec: The entity.
        before: What `field_names` said of the accepted document.
        children: The child keys the vendor holds; a new child cannot have lost anything.
        payload: The document of today.
    """
    if not before:
        return []
    now = _children(spec.child, payload) if spec.child else {}
    lost = []
    for line in before.splitlines():
        name, *holders = line.split("\t")
        _, is_child, field = name.partition(".")
        if not is_child:
            gone = name not in payload
        else:
            had = holders or children
            gone = any(key in had and field not in names for key, names in now.items())
        if gone:
            lost.append(name)
    return lost


def _children(spec: ChildSpec, payload: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return child key → the names of its properties."""
    found: dict[str, set[str]] = {}
    for child in payload.get(spec.property, ()):
        key = child_key(*[child.get(name, "") for name in spec.key])
        found.setdefault(key, set()).update(child)
    return found
