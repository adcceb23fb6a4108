"""Every TOML block of the page on mappings is one, alone or over the plain shop's preset."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import replenit_destination.targets.replenit as replenit_target
from replenit_destination.engine.mapping import Mapping, merged
from replenit_destination.engine.mapping_reader import _CHILD_KEYS, _LOOKUP_KEYS, _ROOT_KEYS, _TOP
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.entities import CONSENT_RULES
from replenit_destination.targets.replenit.target import ReplenitTarget

PAGE = Path(__file__).parents[3] / "docs" / "mapping.md"
PRESETS = Path(replenit_target.__file__).with_name("presets")
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
BASE = {
    "preset": "relational",
    "amounts": "gross",
    "customers": {"fields": {"GdprOptin": {"rule": "never"}}},
}


@pytest.fixture(scope="module")
def target() -> ReplenitTarget:
    return ReplenitTarget(
        ReplenitSettings(
            api_key="a2V5",
            tenant_id="5a11d0b0-0000-4000-8000-000000000001",
            customer_identifier_priority="email",
        )
    )


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_toml_block_is_a_mapping_without_faults(block: str, target: ReplenitTarget) -> None:
    mapping = Mapping(merged(BASE, tomllib.loads(block)))
    assert mapping.entities(target.entities, presets=PRESETS)


def test_first_block_stands_alone(target: ReplenitTarget) -> None:
    mapping = Mapping(tomllib.loads(BLOCKS[0]))
    assert list(mapping.entities(target.entities)) == ["customers", "orders"]


@pytest.mark.parametrize("key", sorted({*_TOP, *_ROOT_KEYS, *_CHILD_KEYS, *_LOOKUP_KEYS}))
def test_every_key_is_explained(key: str) -> None:
    table = TEXT.partition("## Every key")[2].partition("\n## ")[0]
    assert re.search(rf"`\[?….{key}|`{key}`", table)


@pytest.mark.parametrize("name", [path.stem for path in PRESETS.glob("*.toml")])
def test_every_preset_is_listed(name: str) -> None:
    assert f"| `{name}` |" in TEXT


@pytest.mark.parametrize("rule", CONSENT_RULES)
def test_every_rule_is_named(rule: str) -> None:
    assert f"`{rule}`" in TEXT
