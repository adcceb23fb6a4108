"""The vendor's paths, read from the raw path so that `%2F` stays inside an id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from replenit_destination.sandbox.replenit.fields import ENTITIES

__all__ = ["Route", "find", "is_guid"]

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Route:
    """A path that exists: what it is about and which methods it takes.

    `shape` is collection (E1 to E4a), document (E4b, E5, E7), items (E6) or variant (E8).
    """

    entity: str
    tenant: str
    shape: str
    ids: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that some page documents for the path."""
        if self.shape != "collection":
            return ("DELETE",)
        return ("POST", "DELETE") if self.entity == "customers" else ("POST",)


def find(path: str) -> Route | None:
    """Return the route of a percent-encoded path, None where the vendor has no such path."""
    segments = path.split("/")[1:]
    if len(segments) < 2 or segments[0] not in ENTITIES or not all(segments):
        return None
    entity, tenant, *rest = segments[0], *map(unquote, segments[1:])
    if not rest:
        return Route(entity, tenant, "collection")
    if len(rest) == 1:
        return Route(entity, tenant, "document", (rest[0],))
    if entity == "orders" and len(rest) == 2 and rest[1] == "items":
        return Route(entity, tenant, "items", (rest[0],))
    if entity == "products" and len(rest) == 3 and rest[1] == "variants":
        return Route(entity, tenant, "variant", (rest[0], rest[2]))
    return None


def is_guid(tenant: str) -> bool:
    """Whether a tenant id has the documented form: a GUID of 36 characters [R] [G:root]."""
    return _GUID.fullmatch(tenant) is not None
