"""Whose documents are whose: which entities are people, and which fields name one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replenit_destination.engine.target import EntitySpec

__all__ = ["People", "people_of"]


@dataclass(frozen=True, slots=True)
class People:
    """One kind of people, and what carries their identity.

    `fields` name a person: the key first, then other identifiers. `carriers` are the entities whose
    documents belong to a person, each with those of the fields that it has too.
    """

    spec: EntitySpec
    fields: tuple[str, ...]
    carriers: tuple[tuple[EntitySpec, tuple[str, ...]], ...]


def people_of(specs: Iterable[EntitySpec]) -> tuple[People, ...]:
    """Return the people a target knows: entities with consents, and those that link to them."""
    all_of = list(specs)
    found = []
    for spec in all_of:
        if not spec.consents:
            continue
        fields = (spec.key, *spec.identity)
        carriers = []
        for other in all_of:
            if spec.name in other.link.values():
                names = {one.name for one in other.fields}
                carriers.append((other, tuple(name for name in fields if name in names)))
        found.append(People(spec, fields, tuple(carriers)))
    return tuple(found)
