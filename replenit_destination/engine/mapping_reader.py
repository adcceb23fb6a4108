"""Reads the nested dict of a mapping file and collects every fault of form on the way."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.mapping import (
    ChildMapping,
    EntityMapping,
    LookupMapping,
    merged,
    read_toml,
)
from replenit_destination.engine.sql import nearest
from replenit_destination.exceptions import MappingError, MappingFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from replenit_destination.engine.mapping import Mapping
    from replenit_destination.engine.target import EntitySpec, FieldSpec

__all__ = ["MappingReader"]

_TOP = ("preset", "timezone", "amounts")
_AMOUNTS = ("gross", "net")
_ROOT_KEYS = ("table", "query", "id", "order", "where", "destroyed_when", "lookups", "fields")
_CHILD_KEYS = ("table", "column", "on", "id", "order", "where", "lookups", "fields")
_LOOKUP_KEYS = ("table", "on", "order")


class MappingReader:
    """Reads one mapping for one target.

    Args:
        mapping: As written.
        specs: What the target takes.
        presets: The folder of the target's shipped mappings.
    """

    def __init__(self, mapping: Mapping, specs: Sequence[EntitySpec], presets: Path | None) -> None:
        self.mapping = mapping
        self.specs = sorted(specs, key=lambda spec: spec.stage)
        self.presets = presets
        self.faults: list[MappingFault] = []
        self.amounts: str | None = None

    def read(self) -> dict[str, EntityMapping]:
        """Return the checked mapping per entity.

        Raises:
            MappingError: Lists every fault.
        """
        tables = self._tables()
        names = [spec.name for spec in self.specs]
        self._refuse_unknown("", tables, (*_TOP, *names))
        amounts = self._text("amounts", tables.get("amounts"))
        if amounts and amounts not in _AMOUNTS:
            near = nearest(amounts, _AMOUNTS)
            self._fault("amounts", f"write one of {', '.join(_AMOUNTS)}", near)
        self.amounts = amounts
        timezone = self._text("timezone", tables.get("timezone"))
        found = {
            spec.name: self._entity(spec, tables[spec.name], timezone)
            for spec in self.specs
            if spec.name in tables
        }
        if not found:
            self._fault("mapping", f"maps nothing; write one of [{'], ['.join(names)}]")
        self._stop_at_faults()
        return found

    def _stop_at_faults(self) -> None:
        if self.faults:
            raise MappingError(self.faults, source=self.mapping.name)

    def _tables(self) -> MappingOf[str, Any]:
        """Return what is written, over the preset it starts from."""
        tables = self._with_preset(self.mapping.tables)
        for entity, fields in self.mapping.additions.items():
            if isinstance(tables.get(entity), MappingOf):
                tables = merged(tables, {entity: {"fields": fields}})
        return _without_blanks(tables)

    def _with_preset(self, tables: MappingOf[str, Any]) -> MappingOf[str, Any]:
        preset = tables.get("preset")
        if preset in (None, ""):
            return tables
        shipped = sorted(path.stem for path in self.presets.glob("*.toml")) if self.presets else []
        if preset not in shipped or self.presets is None:
            cause = f"no preset `{preset}`; shipped are {', '.join(shipped) or 'none'}"
            self._fault("preset", cause, nearest(str(preset), shipped))
            self._stop_at_faults()  # what it would have held cannot be judged
        assert self.presets is not None  # noqa: S101 - for the type checker
        base = read_toml(self.presets / f"{preset}.toml")
        return merged(self._with_preset(base), {k: v for k, v in tables.items() if k != "preset"})

    def _entity(self, spec: EntitySpec, raw: Any, timezone: str | None) -> EntityMapping:
        place = spec.name
        raw = self._table(place, raw)
        block = spec.child.block if spec.child else None
        self._refuse_unknown(place, raw, (*_ROOT_KEYS, *([block] if block else [])))
        if ("table" in raw) == ("query" in raw):
            self._fault(place, "needs either `table` or `query`")
        child = None
        if spec.child and block not in raw:
            self._fault(f"{place}.{block}", "is missing; say where the rows come from")
        elif spec.child:
            child = self._child(f"{place}.{block}", raw[block], spec.child.block, spec.child.fields)
        rules: dict[str, str] = {}
        return EntityMapping(
            entity=spec.name,
            fields=self._fields(place, raw, spec.fields, spec, rules),
            child=child,
            timezone=timezone,
            lookups=self._lookups(place, raw),
            rules=rules,
            **{
                key: self._text(f"{place}.{key}", raw.get(key))
                for key in ("table", "query", "id", "order", "where", "destroyed_when")
            },
        )

    def _child(self, place: str, raw: Any, block: str, specs: Sequence[FieldSpec]) -> ChildMapping:
        raw = self._table(place, raw)
        self._refuse_unknown(place, raw, _CHILD_KEYS)
        if ("table" in raw) == ("column" in raw):
            self._fault(place, "needs either `table` or `column`")
        if "column" in raw and "on" in raw:
            self._fault(f"{place}.on", "goes with `table`, a column's rows are in the parent")
        return ChildMapping(
            block=block,
            fields=self._fields(place, raw, specs),
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
            table = self._table(here, body)
            self._refuse_unknown(here, table, _LOOKUP_KEYS)
            source = self._text(f"{here}.table", table.get("table"))
            if "table" not in table:
                self._fault(here, "needs `table`")
            order = self._text(f"{here}.order", table.get("order"))
            found.append(LookupMapping(name, source or name, self._on(here, table), order))
        return tuple(found)

    # -- fields -----------------------------------------------------------------------------------

    def _fields(
        self,
        place: str,
        raw: MappingOf[str, Any],
        specs: Sequence[FieldSpec],
        entity: EntitySpec | None = None,
        rules: dict[str, str] | None = None,
    ) -> dict[str, str]:
        """Return field → expression; what follows from other fields goes into `rules`."""
        written = self._table(f"{place}.fields", raw.get("fields", {}))
        known = {spec.name for spec in specs}
        fields: dict[str, str] = {}
        for name, value in written.items():
            here = f"{place}.fields.{name}"
            if name not in known:
                self._fault(here, "the target has no such field", nearest(name, known))
            elif isinstance(value, MappingOf) and "rule" in value:
                ruled = self._rule(here, value, entity.derived.get(name, {}) if entity else {})
                if ruled is not None and rules is not None:
                    rules[name] = ruled
            elif (text := self._expression(here, value)) is not None:
                fields[name] = text
        questions = entity.choices if entity else {}
        for spec in specs:
            if spec.name not in written and spec.name in questions:
                self._fault(f"{place}.fields.{spec.name}", questions[spec.name])
            elif spec.name not in written and spec.required:
                near = next((one for one in written if one.lower() == spec.name.lower()), None)
                self._fault(f"{place}.fields.{spec.name}", "is required and not mapped", near)
        return fields

    def _expression(self, place: str, value: Any) -> str | None:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, MappingOf) and value and set(value) <= set(_AMOUNTS):
            if self.amounts is None:
                self._fault("amounts", f'say "gross" or "net"; `{place}` depends on it')
                return None
            if self.amounts not in value:
                self._fault(place, f'has no expression for amounts = "{self.amounts}"')
                return None
            return self._expression(f"{place}.{self.amounts}", value[self.amounts])
        forms = "write a column, an SQL expression, { rule = … } or { gross = …, net = … }"
        self._fault(place, forms)
        return None

    def _rule(
        self, place: str, value: MappingOf[str, Any], rules: MappingOf[str, str]
    ) -> str | None:
        self._refuse_unknown(place, value, ("rule",))
        chosen = value["rule"]
        if chosen in rules:
            return rules[chosen]
        known = ", ".join(sorted(rules)) or "none for this field"
        self._fault(place, f"no rule `{chosen}`; there are {known}", nearest(str(chosen), rules))
        return None

    # -- values -----------------------------------------------------------------------------------

    def _on(self, place: str, raw: MappingOf[str, Any]) -> dict[str, str]:
        pairs = self._table(f"{place}.on", raw.get("on", {}))
        if "on" in raw and not pairs:
            self._fault(f"{place}.on", "say which columns join: { their_column = our_column }")
        return {key: self._text(f"{place}.on.{key}", pairs[key]) or "" for key in pairs}

    def _text(self, place: str, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, str) and value.strip():
            return value.strip()
        self._fault(place, "write a text")
        return None

    def _table(self, place: str, raw: Any) -> MappingOf[str, Any]:
        if isinstance(raw, MappingOf):
            return raw
        self._fault(place, f"write a table, [{place}]")
        return {}

    def _refuse_unknown(self, place: str, raw: MappingOf[str, Any], allowed: Sequence[str]) -> None:
        for key in raw:
            if key not in allowed:
                here = f"{place}.{key}" if place else key
                self._fault(here, "is not a setting of a mapping", nearest(key, allowed))

    def _fault(self, place: str, cause: str, near: str | None = None) -> None:
        fault = MappingFault(place, cause, near)
        if fault not in self.faults:
            self.faults.append(fault)


def _without_blanks(tables: MappingOf[str, Any]) -> dict[str, Any]:
    """Return the tables without what is mapped to an empty text: it takes out a preset's entry."""
    kept: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, MappingOf) and key != "on":
            kept[key] = _without_blanks(value)
        elif not (isinstance(value, str) and not value.strip()):
            kept[key] = value
    return kept
