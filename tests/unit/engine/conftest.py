"""A small vendor of our own, tables to map to it, and golden files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from replenit_destination.engine.assembly import Assembly
from replenit_destination.engine.binding import Bindings, Tables, bind
from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.target import ChildSpec, EntitySpec, FieldSpec, Folding, Kind
from replenit_destination.exceptions import MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replenit_destination.engine.mapping import EntityMapping

ITEMS = ChildSpec(
    block="items",
    property="Lines",
    fields=(
        FieldSpec("Sku", Kind.TEXT, required=True),
        FieldSpec("Count", Kind.INTEGER),
        FieldSpec("Price", Kind.DECIMAL),
        FieldSpec("Currency", Kind.TEXT),
        FieldSpec("Gift", Kind.BOOLEAN),
    ),
    key=("Sku",),
)
SPECS = (
    EntitySpec(
        name="orders",
        key="Number",
        stage=1,
        fields=(
            FieldSpec("Number", Kind.TEXT, required=True),
            FieldSpec("Buyer", Kind.TEXT),
            FieldSpec("Placed", Kind.TIMESTAMP),
            FieldSpec("Total", Kind.DECIMAL),
        ),
        child=ITEMS,
    ),
    EntitySpec(
        name="people",
        key="Id",
        identity=("Mail",),
        fields=(
            FieldSpec("Id", Kind.TEXT, required=True),
            FieldSpec("Mail", Kind.TEXT, folding=Folding.LOWER),
            FieldSpec("Age", Kind.INTEGER),
            FieldSpec("Balance", Kind.DECIMAL),
            FieldSpec("Active", Kind.BOOLEAN),
            FieldSpec("Loud", Kind.BOOLEAN),
            FieldSpec("Joined", Kind.TIMESTAMP),
            FieldSpec("Tags", Kind.TEXTS),
            FieldSpec("Consent", Kind.BOOLEAN, required=True),
        ),
        derived={
            "Consent": {
                "either": "coalesce(Active, false) OR coalesce(Loud, false)",
                "always": "true",
            }
        },
        choices={"Consent": "who agreed? There is no default."},
    ),
)


class Shop:
    """A staging database in memory with one dataset, and what mappings make of it."""

    dataset = "shop"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.presets: Path | None = None

    def run(self, *statements: str) -> Shop:
        for statement in statements:
            self.connection.execute(statement)
        return self

    def read(self, mapping: dict[str, Any] | Mapping) -> dict[str, EntityMapping]:
        return Mapping.load(mapping).entities(SPECS, presets=self.presets)

    def bind(self, mapping: dict[str, Any] | Mapping) -> Bindings:
        tables = Tables(self.connection, "memory", self.dataset)
        return bind(self.connection, self.read(mapping), SPECS, tables)

    def faults(self, mapping: dict[str, Any]) -> dict[str, str]:
        """Return place → what is wrong there, one line each."""
        with pytest.raises(MappingError) as caught:
            self.bind(mapping)
        found: dict[str, str] = {}
        for fault in caught.value.faults:
            text = str(fault).removeprefix(f"`{fault.place}`: ")
            found[fault.place] = "\n".join([*filter(None, [found.get(fault.place)]), text])
        return found

    def documents(self, mapping: dict[str, Any], entity: str) -> list[dict[str, Any]]:
        """Return the assembled documents in the order of the rows."""
        bound = self.bind(mapping)[entity]
        rows = self.connection.execute(Assembly(bound).documents()).fetchall()
        return [json.loads(row[-1]) for row in sorted(rows)]

    def person(self, **fields: str) -> dict[str, Any]:
        """Return the document of the only row of `people`, with these fields mapped."""
        timezone = {"timezone": fields.pop("timezone")} if "timezone" in fields else {}
        fields = {"Id": "'1'", "Consent": "true", **fields}
        mapping = {**timezone, "people": {"table": "people", "fields": fields}}
        (document,) = self.documents(mapping, "people")
        return document


@pytest.fixture
def shop() -> Iterator[Shop]:
    with duckdb.connect() as connection:
        # Whatever the machine's zone is, documents must not depend on it.
        yield Shop(connection).run("SET TimeZone = 'Asia/Tokyo'", "CREATE SCHEMA shop")
