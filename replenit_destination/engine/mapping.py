"""What the user says: which tables and expressions make which documents.

A mapping comes from a TOML file, a Python dict or a preset's name, and is checked as a whole:
`Mapping.entities` reports every fault of form at once, `binding.bind` every fault against the
tables at hand.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.sql import nearest
from replenit_destination.exceptions import MappingError, MappingFault

if TYPE_CHECKING:
    from replenit_destination.engine.target import EntitySpec, FieldSpec

__all__ = ["ChildMapping", "EntityMapping", "LookupMapping", "Mapping"]

_TOP = ("preset", "timezone", "amounts")
_AMOUNTS = ("gross", "net")
_ROOT_KEYS = ("table", "query", "id", "order", "where", "destroyed_when", "lookups", "fields")
_CHILD_KEYS = ("table", "column", "on", "id", "order", "where", "lookups", "fields")
_LOOKUP_KEYS = ("table", "on", "order")
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
    """Where the child documents of an entity come from: a table, or a JSON or LIST column of the
    parent.
    """

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
    """How one entity's documents are made: a root table or query, and an SQL expression per vendor
    field.
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


@dataclass(frozen=True)
class Mapping:
    """A mapping as written, not yet checked.

    Args:
        tables: The nested dict a TOML mapping file holds.
        name: What messages call it, for instance the file's name.
    """

    tables: MappingOf[str, Any]
    name: str = "the mapping"

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
        if isinstance(source, str) and not text.endswith(".toml") and "/" not in text:
            return cls({"preset": text}, name=f"preset `{text}`")
        return cls(_read_toml(Path(source)), name=Path(source).name)

    def with_field(self, entity: str, name: str, value: str | MappingOf[str, str]) -> Mapping:
        """Return a copy in which one field of an entity is mapped to `value`."""
        changed = _merge(self.tables, {entity: {"fields": {name: value}}})
        return Mapping(changed, name=self.name)

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
        return _Reader(self, specs, presets).read()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fault = MappingFault(path.name, "no such file; give the path of a TOML file")
        raise MappingError([fault], source="the mapping") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fault = MappingFault(path.name, f"is not valid TOML: {error}")
        raise MappingError([fault], source="the mapping") from None


def _merge(base: MappingOf[str, Any], changes: MappingOf[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` written over it, table by table.

    A new source (`table`, `query` or `column`) displaces the old one together with its `on`; a
    field that is mapped anew is replaced whole.
    """
    merged = dict(base)
    if any(source in changes for source in _SOURCES):
        for old in (*_SOURCES, "on"):
            merged.pop(old, None)
    for key, value in changes.items():
        old = merged.get(key)
        if key == "fields" and isinstance(value, MappingOf) and isinstance(old, MappingOf):
            merged[key] = {**old, **value}
        elif isinstance(value, MappingOf) and isinstance(old, MappingOf):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


class _Reader:
    """Reads the nested dict into mappings and collects every fault on the way."""

    def __init__(self, mapping: Mapping, specs: Sequence[EntitySpec], presets: Path | None) -> None:
        self.mapping = mapping
        self.specs = sorted(specs, key=lambda spec: spec.stage)
        self.presets = presets
        self.faults: list[MappingFault] = []
        self.questions: dict[str, str] = {}
        self.amounts: str | None = None

    def read(self) -> dict[str, EntityMapping]:
        tables = self._with_preset(self.mapping.tables)
        names = [spec.name for spec in self.specs]
        self._refuse_unknown("", tables, (*_TOP, *names))
        self.amounts = self._choice(tables, "amounts", _AMOUNTS)
        timezone = self._text("timezone", tables.get("timezone"))
        found = {
            spec.name: self._entity(spec, tables[spec.name], timezone)
            for spec in self.specs
            if isinstance(self._table(spec.name, tables.get(spec.name, {})), dict)
            and spec.name in tables
        }
        if not found and not self.faults:
            self._fault("mapping", f"maps nothing; write one of [{'], ['.join(names)}]")
        if self.faults:
            raise MappingError(self.faults, source=self.mapping.name)
        return found

    def _with_preset(self, tables: MappingOf[str, Any]) -> MappingOf[str, Any]:
        preset = tables.get("preset")
        if preset is None:
            return tables
        shipped = sorted(path.stem for path in self.presets.glob("*.toml")) if self.presets else []
        if preset not in shipped or self.presets is None:
            cause = f"no preset `{preset}`; shipped are {', '.join(shipped) or 'none'}"
            self._fault("preset", cause, nearest(str(preset), shipped))
            return tables
        base = _read_toml(self.presets / f"{preset}.toml")
        return _merge(self._with_preset(base), {k: v for k, v in tables.items() if k != "preset"})

    def _entity(self, spec: EntitySpec, raw: Any, timezone: str | None) -> EntityMapping:
        place = spec.name
        raw = self._table(place, raw)
        block = spec.child.block if spec.child else None
        self._refuse_unknown(place, raw, (*_ROOT_KEYS, *([block] if block else [])))
        if ("table" in raw) == ("query" in raw):
            self._fault(place, "needs either `table` or `query`")
        fields = self._fields(place, raw, spec.fields, spec)
        child = None
        if spec.child:
            if block not in raw:
                self._fault(f"{place}.{block}", "is missing; say where the rows come from")
            else:
                child = self._child(f"{place}.{block}", raw[block], spec)
        return EntityMapping(
            entity=spec.name,
            fields=fields,
            child=child,
            timezone=timezone,
            lookups=self._lookups(place, raw),
            **{
                key: self._text(f"{place}.{key}", raw.get(key))
                for key in ("table", "query", "id", "order", "where", "destroyed_when")
            },
        )

    def _child(self, place: str, raw: Any, spec: EntitySpec) -> ChildMapping:
        raw = self._table(place, raw)
        assert spec.child is not None  # noqa: S101 - for the type checker
        self._refuse_unknown(place, raw, _CHILD_KEYS)
        if ("table" in raw) == ("column" in raw):
            self._fault(place, "needs either `table` or `column`")
        if "column" in raw and "on" in raw:
            self._fault(f"{place}.on", "goes with `table`, a column's rows are in the parent")
        return ChildMapping(
            block=spec.child.block,
            fields=self._fields(place, raw, spec.child.fields, None),
            on=self._on(place, raw),
            lookups=self._lookups(place, raw),
            **{
                key: self._text(f"{place}.{key}", raw.get(key))
                for key in ("table", "column", "id", "order", "where")
            },
        )

    def _lookups(self, place: str, raw: MappingOf[str, Any]) -> tuple[LookupMapping, ...]:
        found = []
        for name, body in self._table(f"{place}.lookups", raw.get("lookups", {})).items():
            here = f"{place}.lookups.{name}"
            body = self._table(here, body)
            self._refuse_unknown(here, body, _LOOKUP_KEYS)
            table = self._text(f"{here}.table", body.get("table"))
            if table is None:
                self._fault(here, "needs `table`")
            order = self._text(f"{here}.order", body.get("order"))
            found.append(LookupMapping(name, table or name, self._on(here, body), order))
        return tuple(found)

    def _fields(
        self,
        place: str,
        raw: MappingOf[str, Any],
        specs: Sequence[FieldSpec],
        entity: EntitySpec | None,
    ) -> dict[str, str]:
        written = self._table(f"{place}.fields", raw.get("fields", {}))
        known = {spec.name for spec in specs}
        fields: dict[str, str] = {}
        for name, value in written.items():
            here = f"{place}.fields.{name}"
            if name not in known:
                self._fault(here, "the target has no such field", nearest(name, known))
            elif (text := self._expression(here, name, value, written, entity)) is not None:
                fields[name] = text
        for spec in specs:
            if spec.required and spec.name not in written:
                self._fault(f"{place}.fields.{spec.name}", "is required and not mapped")
        for name, question in (entity.choices if entity else {}).items():
            if name not in written:
                self._fault(f"{place}.fields.{name}", question)
        return fields

    def _expression(
        self,
        place: str,
        name: str,
        value: Any,
        written: MappingOf[str, Any],
        entity: EntitySpec | None,
    ) -> str | None:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, str):
            return value.strip() or None  # an empty text takes a preset's field out
        if isinstance(value, MappingOf) and set(value) == {"rule"}:
            return self._rule(place, name, value["rule"], written, entity)
        if isinstance(value, MappingOf) and set(value) == set(_AMOUNTS):
            if self.amounts is None:
                self._fault("amounts", f'say "gross" or "net"; `{place}` depends on it')
                return None
            return self._text(place, value[self.amounts])
        self._fault(
            place, "write a column, an SQL expression, { rule = … } or { gross = …, net = … }"
        )
        return None

    def _rule(
        self,
        place: str,
        name: str,
        rule: Any,
        written: MappingOf[str, Any],
        entity: EntitySpec | None,
    ) -> str | None:
        rules = dict(entity.derived.get(name, {})) if entity else {}
        if rule not in rules:
            cause = (
                f"no rule `{rule}`; there are {', '.join(sorted(rules)) or 'none for this field'}"
            )
            self._fault(place, cause, nearest(str(rule), rules))
            return None
        return _substitute(rules[rule], written)

    def _on(self, place: str, raw: MappingOf[str, Any]) -> dict[str, str]:
        pairs = self._table(f"{place}.on", raw.get("on", {}))
        return {key: self._text(f"{place}.on.{key}", pairs[key]) or "" for key in pairs}

    def _text(self, place: str, value: Any) -> str | None:
        if value is None or (isinstance(value, str) and value.strip()):
            return value.strip() if value else None
        self._fault(place, "write a text")
        return None

    def _choice(self, raw: MappingOf[str, Any], key: str, allowed: Sequence[str]) -> str | None:
        value = raw.get(key)
        if value is not None and value not in allowed:
            self._fault(key, f"write one of {', '.join(allowed)}", nearest(str(value), allowed))
            return None
        return value

    def _table(self, place: str, raw: Any) -> MappingOf[str, Any]:
        if isinstance(raw, MappingOf):
            return raw
        self._fault(place, "write a table, [" + place + "]")
        return {}

    def _refuse_unknown(self, place: str, raw: MappingOf[str, Any], allowed: Sequence[str]) -> None:
        for key in raw:
            if key not in allowed:
                here = f"{place}.{key}" if place else key
                self._fault(here, "is not a setting of a mapping", nearest(key, allowed))

    def _fault(self, place: str, cause: str, near: str | None = None) -> None:
        self.faults.append(MappingFault(place, cause, near))


def _substitute(rule: str, written: MappingOf[str, Any]) -> str:
    """Return the rule with each field name replaced by that field's own expression, NULL when
    unmapped.
    """
    words = rule.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split()
    return " ".join(
        f"({written[word]})"
        if word in written
        else ("NULL" if word[:1].isupper() and word not in _SQL_WORDS else word)
        for word in words
    )


_SQL_WORDS = frozenset(
    {"OR", "AND", "NOT", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END", "IS", "TRUE", "FALSE"}
)
