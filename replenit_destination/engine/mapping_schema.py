"""The form of a mapping's TOML file as a JSON Schema, for editors.

It knows what `Mapping.entities` accepts: every key, every field of the vendor, every rule by name.
Whether tables and columns exist, and what an expression means, only the database can tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from replenit_destination.engine.target import EntitySpec, FieldSpec

__all__ = ["mapping_schema"]

_DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest one that TOML editors read

_WORDS = {
    "table": "The table the rows come from.",
    "query": "SQL that makes the rows, instead of a table; every run then compares everything.",
    "column": "The parent's JSON or LIST column that holds the rows, instead of a table.",
    "id": "What identifies a row at the source, whatever its key becomes.",
    "order": "Which row wins where several have one key, for instance `updated_at DESC`.",
    "where": "Rows for which this is not true are left out; that is no deletion.",
    "destroyed_when": "Rows for which this is true are deleted at the vendor.",
    "preset": "The shipped mapping this one starts from; write only what differs.",
    "timezone": "The zone of times that name none, for instance `Europe/Berlin`.",
    "amounts": "Whether prices and totals are with tax (gross) or without (net).",
    "on": "How the rows join: their column = our column. Without it: dlt's own keys.",
    "lookups": "Joined tables, of which each row sees one row, as `name.column`.",
    "fields": "Field of the vendor = column, SQL expression or constant (`\"'EUR'\"`).",
}
_TEXT = {"type": "string"}


def mapping_schema(
    variants: Sequence[Sequence[EntitySpec]], *, presets: Iterable[str], title: str
) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of mapping files.

    Args:
        variants: The target's entities under every setting the file may be used with; what only
            some of them require is not required.
        presets: Names of the shipped mappings.
        title: What editors call it.
    """
    specs = variants[0]
    required = [_required(one) for one in variants]
    needed = {
        place: set.intersection(*(found.get(place, set()) for found in required))
        for place in required[0]
    }
    return {
        "$schema": _DIALECT,
        "title": title,
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "preset": {**_told("preset"), "enum": [*presets, ""]},
            "timezone": _text("timezone"),
            "amounts": {**_told("amounts"), "enum": ["gross", "net", ""]},
            **{spec.name: _entity(spec) for spec in specs},
        },
        "definitions": {"value": _value(), "on": _on(), "lookups": _lookups()},
        # Over a preset one writes only what differs.
        "if": {"properties": {"preset": {"const": ""}}},
        "then": {"properties": {spec.name: _whole(spec, needed) for spec in specs}},
    }


def _required(specs: Sequence[EntitySpec]) -> dict[str, set[str]]:
    """Return place → fields without which it cannot be; a setting may answer for the others."""
    found = {}
    for spec in specs:
        found[spec.name] = {f.name for f in spec.fields if f.required} - set(spec.choices)
        if spec.child:
            found[f"{spec.name}.{spec.child.block}"] = {
                field.name for field in spec.child.fields if field.required
            }
    return found


def _told(key: str) -> dict[str, Any]:
    return {"description": _WORDS[key]}


def _text(key: str) -> dict[str, Any]:
    return {**_TEXT, **_told(key)}


def _entity(spec: EntitySpec) -> dict[str, Any]:
    keys = ("table", "query", "id", "order", "where", "destroyed_when")
    properties: dict[str, Any] = {key: _text(key) for key in keys}
    properties["lookups"] = {"$ref": "#/definitions/lookups"}
    properties["fields"] = _fields(spec.fields, spec.derived)
    if spec.child:
        inner = {key: _text(key) for key in ("table", "column", "id", "order", "where")}
        properties[spec.child.block] = {
            "type": "object",
            "description": f"Where the {spec.child.property} of each document come from.",
            "additionalProperties": False,
            "properties": {
                **inner,
                "on": {"$ref": "#/definitions/on"},
                "lookups": {"$ref": "#/definitions/lookups"},
                "fields": _fields(spec.child.fields, {}),
            },
            "not": {"required": ["table", "column"]},
        }
    return {
        "type": "object",
        "description": f"How {spec.name} are made.",
        "additionalProperties": False,
        "properties": properties,
        "not": {"required": ["table", "query"]},
    }


def _fields(specs: Iterable[FieldSpec], derived: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    properties = {}
    for spec in specs:
        words = f"{spec.kind.value}{', required' if spec.required else ''}"
        forms: list[dict[str, Any]] = [{"$ref": "#/definitions/value"}]
        if spec.name in derived:
            forms.append(_rule(derived[spec.name]))
        properties[spec.name] = {"description": words, "anyOf": forms}
    return {
        "type": "object",
        **_told("fields"),
        "additionalProperties": False,
        "properties": properties,
    }


def _rule(rules: Collection[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A rule by name, instead of an expression.",
        "additionalProperties": False,
        "properties": {"rule": {"enum": list(rules)}},
        "required": ["rule"],
    }


def _value() -> dict[str, Any]:
    plain = {"type": ["string", "number", "boolean"]}
    return {
        "anyOf": [
            plain,
            {
                "type": "object",
                "description": "One expression for gross amounts, another for net ones.",
                "additionalProperties": False,
                "properties": {"gross": plain, "net": plain},
                "minProperties": 1,
            },
        ]
    }


def _on() -> dict[str, Any]:
    return {"type": "object", **_told("on"), "additionalProperties": _TEXT, "minProperties": 1}


def _lookups() -> dict[str, Any]:
    return {
        "type": "object",
        **_told("lookups"),
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "table": _text("table"),
                "on": {"$ref": "#/definitions/on"},
                "order": _text("order"),
            },
        },
    }


def _whole(spec: EntitySpec, needed: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return what an entity must have that no preset gives."""
    properties: dict[str, Any] = {"fields": {"required": sorted(needed[spec.name])}}
    required = ["fields"]
    if spec.child:
        block = spec.child.block
        fields = sorted(needed[f"{spec.name}.{block}"])
        properties[block] = {
            "required": ["fields"],
            "properties": {"fields": {"required": fields}},
            "anyOf": [{"required": ["table"]}, {"required": ["column"]}],
        }
        required.append(block)
    return {
        "required": required,
        "properties": properties,
        "anyOf": [{"required": ["table"]}, {"required": ["query"]}],
    }
