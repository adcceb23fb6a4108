"""Whatever the rows and the form they arrive in, the documents are the rows, nested.

The expectation is made in Python from the rows themselves, never from SQL.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Shop

BLANKS = " \t\n\r\u00a0"
TEXTS = st.none() | st.text(
    alphabet=st.sampled_from("aZ9ßé漢😀'\"\\{}[]$.,;-% \t\n\u00a0"), max_size=8
)
AMOUNTS = st.none() | st.decimals(min_value=0, max_value=10**8, places=2)
COUNTS = st.none() | st.integers(-(2**62), 2**62)
GIFTS = st.none() | st.booleans()
LINE = st.tuples(TEXTS, COUNTS, AMOUNTS, GIFTS)
ORDERS = st.lists(st.tuples(TEXTS, AMOUNTS, st.lists(LINE, max_size=4)), max_size=5)
NAMES = st.sampled_from(["sku", "order", "Größe", 'say "x"', "a b", "it's", "x.y", "$z"])

FORMS = ["nested", "own", "json", "text", "list"]


@pytest.mark.parametrize("form", FORMS)
@given(rows=ORDERS, name=NAMES, kept=st.sampled_from([None, "gift", "count > 0"]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_documents_are_the_rows_nested(
    shop: Shop, form: str, rows: list[Any], name: str, kept: str | None
) -> None:
    source = load(shop, form, rows, name)
    sku = '"' + name.replace('"', '""') + '"'
    condition = {
        None: {},
        "gift": {"where": "gift" if form != "json" and form != "text" else "gift = 'true'"},
        "count > 0": {"where": "CAST(count AS HUGEINT) > 0"},
    }[kept]
    fields = {"Sku": sku, "Count": "count", "Price": "price", "Gift": "gift"}
    items = {**source, **condition, "fields": {**fields, "Currency": "orders.person"}}
    root = {"Number": "id", "Buyer": "person", "Total": "total"}
    mapping = {"orders": {"table": "orders", "fields": root, "items": items}}
    assert shop.documents(mapping, "orders") == [
        document(number, row, kept) for number, row in enumerate(rows)
    ]


def document(number: int, row: Any, kept: str | None) -> dict[str, Any]:
    person, total, lines = row
    wanted = [
        line
        for line in lines
        if kept is None or (line[3] if kept == "gift" else (line[1] or 0) > 0)
    ]
    return {
        "Number": str(number),
        "Buyer": trimmed(person),
        "Total": None if total is None else str(total),
        "Lines": [
            {
                "Sku": trimmed(sku),
                "Count": None if count is None else str(count),
                "Price": None if price is None else str(price),
                "Gift": gift,
                "Currency": trimmed(person),
            }
            for sku, count, price, gift in wanted
        ],
    }


def trimmed(text: str | None) -> str | None:
    return (text or "").strip(BLANKS) or None


def load(shop: Shop, form: str, rows: list[Any], name: str) -> dict[str, Any]:
    """Store the rows in one form; return the mapping of their source."""
    sku = '"' + name.replace('"', '""') + '"'
    members = f"{sku} VARCHAR, count BIGINT, price DECIMAL(12, 2), gift BOOLEAN"
    kinds = {"json": "JSON", "text": "VARCHAR", "list": f"STRUCT({members})[]"}
    shop.run(
        "CREATE OR REPLACE TABLE shop.orders (id BIGINT, person VARCHAR, total DECIMAL(12, 2),"
        f" lines {kinds.get(form, 'VARCHAR')}, _dlt_id VARCHAR, _dlt_load_id VARCHAR)",
        f"CREATE OR REPLACE TABLE shop.lines ({members}, order_id BIGINT, place BIGINT,"
        " _dlt_parent_id VARCHAR, _dlt_list_idx BIGINT, _dlt_load_id VARCHAR)",
    )
    for number, (person, total, lines) in enumerate(rows):
        column = None
        if form in {"json", "text"}:
            column = json.dumps([member(name, line) for line in lines])
        elif form == "list":
            column = [dict(zip((name, "count", "price", "gift"), ln, strict=True)) for ln in lines]
        shop.connection.execute(
            "INSERT INTO shop.orders VALUES (?, ?, ?, ?, ?, 'L')",
            [number, person, total, column, f"r{number}"],
        )
        if form in {"nested", "own"}:
            for place, line in enumerate(lines):
                shop.connection.execute(
                    "INSERT INTO shop.lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'L')",
                    [*line, number, place, f"r{number}", place],
                )
    return {
        "nested": {"table": "lines"},
        "own": {"table": "lines", "on": {"order_id": "id"}, "order": "place"},
    }.get(form, {"column": "lines"})


def member(name: str, line: Any) -> dict[str, Any]:
    """Return a line as JSON; money as text, since JSON's numbers are floats to many a source."""
    sku, count, price, gift = line
    return {
        name: sku,
        "count": count,
        "price": None if price is None else str(price),
        "gift": gift,
    }
