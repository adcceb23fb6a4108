"""What the user says: which tables and expressions make which documents.

A mapping comes from a TOML file, a Python dict or a preset's name, and is checked as a whole:
`Mapping.entities` reports every fault of form at once, `binding.bind` every fault against the
tables at hand.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replenit_destination.exceptions import MappingError, MappingFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replenit_destination.engine.target import EntitySpec

__all__ = ["ChildMapping", "EntityMapping", "LookupMapping", "Mapping", "merged", "read_toml"]

_SOURCES = ("table", "query", "column")


@dataclass(frozen=True, slots=True)
class LookupMapping:
    """A joined table of which each row sees at most one row, as `name.column`.

    `on` is joined column → column of the table that looks up; empty means a dlt child table, joined
    by dlt's keys.
    """

    name: str
    table: str
    on: MappingOf[str, str] = field(default_factory=dict)
    order: str | None = None


@dataclass(frozen=True, slots=True)
class ChildMapping:
    """Where children come from: a table, or a JSON or LIST column of the parent."""

    block: str
    fields: MappingOf[str, str]
    table: str | None = None
    column: str | None = None
    on: MappingOf[str, str] = field(default_factory=dict)
    id: str | None = None
    order: str | None = None
    where: str | None = None
    lookups: tuple[LookupMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityMapping:
    """How one entity's documents are made: a root table or query, and SQL per vendor field.

    `rules` are fields that follow from others: field → SQL over the names of the others.
    """

    entity: str
    fields: MappingOf[str, str]
    table: str | None = None
    query: str | None = None
    id: str | None = None
    order: str | None = None
    where: str | None = None
    destroyed_when: str | None = None
    lookups: tuple[LookupMapping, ...] = ()
    child: ChildMapping | None = None
    timezone: str | None = None
    rules: MappingOf[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mapping:
    """A mapping as written, not yet checked.

    Args:
        tables: The nested dict a TOML mapping file holds.
        name: What messages call it, for instance the file's name.
        additions: Entity → field → value, for entities that the mapping has.
    """

    tables: MappingOf[str, Any]
    name: str = "the mapping"
    additions: MappingOf[str, MappingOf[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, source: Mapping | str | Path | MappingOf[str, Any]) -> Mapping:
        """Return the mapping from a TOML file's path, a preset's name, a dict, or a mapping itself.

        A text that ends in `.toml` or holds a path separator is a file; any other text is a preset.

        Raises:
            MappingError: The file is not there or is no TOML.
        """
        if isinstance(source, Mapping):
            return source
        if isinstance(source, MappingOf):
            return cls(source)
        text = str(source)
        is_path = text.endswith(".toml") or "/" in text or os.sep in text
        if isinstance(source, str) and not is_path:
            return cls({"preset": text}, name=f"preset `{text}`")
        return cls(read_toml(Path(source)), name=Path(source).name)

    def with_field(self, entity: str, name: str, value: str | MappingOf[str, str]) -> Mapping:
        """Return a copy in which one field of an entity is mapped to `value`.

        It changes nothing where the mapping does not have the entity.
        """
        additions = {**self.additions, entity: {**self.additions.get(entity, {}), name: value}}
        return Mapping(self.tables, self.name, additions)

    def entities(
        self, specs: Sequence[EntitySpec], *, presets: Path | None = None
    ) -> dict[str, EntityMapping]:
        """Return the checked mapping per entity, in the target's order of stages.

        Args:
            specs: What the target takes.
            presets: The folder of the target's shipped mappings, `<name>.toml` each.

        Raises:
            MappingError: Lists every unknown name, missing field and wrong type of value.
        """
        from replenit_destination.engine.mapping_reader import MappingReader

        return MappingReader(self, specs, presets).read()


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a mapping file; editors of Windows begin it with a byte order mark.

    Raises:
        MappingError: The file is not there or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        cause = "no such file; give the path of a TOML file"
    except OSError as error:
        cause = f"cannot be read: {error.strerror}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        cause = f"is not valid TOML: {error}"
    raise MappingError([MappingFault(path.name, cause)], source="the mapping") from None


def merged(base: MappingOf[str, Any], changes: MappingOf[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` written over it, table by table.

    A new source (`table`, `query` or `column`) displaces the old one together with its `on`; `on`
    and what a field is mapped to are replaced whole.
    """
    result = dict(base)
    if any(source in changes for source in _SOURCES):
        for displaced in (*_SOURCES, "on"):
            result.pop(displaced, None)
    for key, value in changes.items():
        before = result.get(key)
        both = isinstance(value, MappingOf) and isinstance(before, MappingOf)
        if both and key == "fields":
            result[key] = {**before, **value}  # type: ignore[dict-item]
        elif both and key != "on":
            result[key] = merged(before, value)  # type: ignore[arg-type]
        else:
            result[key] = value
    return result
