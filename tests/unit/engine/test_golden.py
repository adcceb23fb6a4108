"""The SQL of three real mappings, kept to be read; each runs on the tables it was made for.

`REPLENIT_UPDATE_GOLDEN=1 pytest tests/unit/engine/test_golden.py` writes the files anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import replenit_destination.targets.replenit as replenit_target
from replenit_destination.engine.explain import explain
from replenit_destination.engine.mapping import Mapping
from replenit_destination.exceptions import MappingError
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Shop

PRESETS = Path(replenit_target.__file__).with_name("presets")
ENTITIES = {
    "csv": ["customers", "products", "orders"],
    "json": ["orders"],
    "relational": ["customers", "products", "orders"],
    "shopify": ["customers", "products", "orders"],
}


@pytest.fixture
def golden(project: Path) -> Path:
    return project / "tests" / "golden"


def target(**changes: str) -> ReplenitTarget:
    settings = {"api_key": "a2V5", "tenant_id": "5a11d0b0-0000-4000-8000-000000000001"}
    priority = {"customer_identifier_priority": "email"}
    return ReplenitTarget(ReplenitSettings(**{**settings, **priority, **changes}))


@pytest.mark.parametrize("name", ENTITIES)
def test_mapping_prints_as_the_sql_in_its_golden_file_and_that_sql_runs(
    shop: Shop, golden: Path, name: str
) -> None:
    shop.run((golden / f"{name}.tables.sql").read_text(encoding="utf-8"))
    mapping = Mapping.load(golden / f"{name}.toml")
    printed = explain(mapping, target(), shop.connection, "shop", presets=PRESETS)
    assert list(printed) == ENTITIES[name]
    for sql in printed.values():
        assert shop.connection.execute(sql).fetchall() == []
    text = "\n".join(printed.values())
    file = golden / f"{name}.sql"
    if os.environ.get("REPLENIT_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("preset", ["shopify", "relational", "csv"])
def test_no_preset_decides_who_may_be_processed(preset: str) -> None:
    with pytest.raises(MappingError) as caught:
        Mapping.load(preset).entities(target().entities, presets=PRESETS)
    (fault,) = caught.value.faults
    assert fault.place == "customers.fields.GdprOptin"
    assert "There is no default" in fault.cause


@pytest.mark.parametrize("name", ["csv", "relational", "shopify"])
def test_presets_fit_a_shop_that_knows_people_by_number(
    shop: Shop, golden: Path, name: str
) -> None:
    shop.run((golden / f"{name}.tables.sql").read_text(encoding="utf-8"))
    by_number = target(customer_identifier_priority="customerid", guests="drop")
    mapping = Mapping.load(golden / f"{name}.toml")
    assert explain(mapping, by_number, shop.connection, "shop", presets=PRESETS)


def test_query_prints_as_a_table_first(shop: Shop, golden: Path) -> None:
    shop.run((golden / "relational.tables.sql").read_text(encoding="utf-8"))
    shop.run("INSERT INTO shop.orders (id, customer_id, total) VALUES (1, 1, 5), (2, 2, 7)")
    mapping = Mapping.load(golden / "relational.toml").tables
    query = {"query": "SELECT * FROM orders WHERE total > 5"}
    changed = Mapping({**mapping, "products": "", "customers": "", "orders": query})
    printed = explain(changed, target(), shop.connection, "shop", presets=PRESETS)
    assert "its root is a query" in printed["orders"]
    rows = shop.connection.execute(printed["orders"]).fetchall()
    assert [row[1] for row in rows] == ["2"]
