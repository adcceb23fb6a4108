"""Editors see in a mapping what reading it would refuse."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

import replenit_destination.targets.replenit as replenit_target
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.mapping_schema import replenit_mapping_schema

PRESETS = sorted(Path(replenit_target.__file__).with_name("presets").glob("*.toml"))
SCHEMA = replenit_mapping_schema()


def faults(mapping: dict[str, Any], schema: dict[str, Any] = SCHEMA) -> list[str]:
    return [error.message for error in Draft7Validator(schema).iter_errors(mapping)]


def preset(name: str) -> dict[str, Any]:
    (path,) = [path for path in PRESETS if path.stem == name]
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_shipped_mapping_fits(path: Path) -> None:
    assert faults(preset(path.stem)) == []


def test_changes_over_a_preset_fit() -> None:
    rule = {"GdprOptin": {"rule": "email_or_sms_optin"}, "Phone": ""}
    assert faults({"preset": "shopify", "customers": {"fields": rule}}) == []


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("customers.fields.Emial", "email", "'Emial' was unexpected"),
        ("orders.itmes", {}, "'itmes' was unexpected"),
        ("orders.items.on", {}, ""),
        ("orders.query", "SELECT 1", ""),
        ("customers.fields.GdprOptin", {"rule": "email_or_sms"}, ""),
        ("amounts", "gros", "is not one of"),
        ("preset", "shopfy", "is not one of"),
        ("orders.lookups.person", {"tabel": "x"}, "'tabel' was unexpected"),
        ("timezone", 1, "is not of type 'string'"),
    ],
)
def test_typo_is_caught(place: str, value: Any, told: str) -> None:
    mapping = copy.deepcopy(preset("relational"))
    *above, name = place.split(".")
    table = mapping
    for key in above:
        table = table.setdefault(key, {})
    table[name] = value
    found = faults(mapping)
    assert found
    assert any(told in one for one in found)


def test_missing_field_is_caught_where_no_preset_gives_it() -> None:
    mapping = preset("relational")
    del mapping["orders"]["fields"]["OrderDate"]
    assert faults(mapping) == ["'OrderDate' is a required property"]


def test_tenants_own_fields_are_known() -> None:
    settings = ReplenitSettings(
        api_key="a2V5",
        tenant_id="5a11d0b0-0000-4000-8000-000000000001",
        customer_identifier_priority="email",
        extra_fields={"customers.Nickname": "text"},
    )
    mapping = {"preset": "relational", "customers": {"fields": {"Nickname": "nick"}}}
    assert faults(mapping) != []
    assert faults(mapping, replenit_mapping_schema(settings)) == []
