from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Engine

FIRST = [
    {"id": 1, "status": "new", "lines": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 2}]},
    {"id": 2, "status": "new", "lines": [{"sku": "c", "qty": 3}]},
]
SECOND = [{"id": 2, "status": "paid", "lines": [{"sku": "d", "qty": 4}]}, {"id": 3, "lines": []}]


def rows(pipeline: dlt.Pipeline, query: str) -> list[tuple[Any, ...]]:
    return pipeline.dataset()(query).fetchall()


@pytest.mark.parametrize(
    ("disposition", "orders", "lines"),
    [
        ("append", [(1, "new"), (2, "new"), (2, "paid"), (3, None)], ["a", "b", "c", "d"]),
        ("merge", [(1, "new"), (2, "paid"), (3, None)], ["a", "b", "d"]),
        (
            {"disposition": "merge", "strategy": "upsert"},
            [(1, "new"), (2, "paid"), (3, None)],
            ["a", "b", "d"],
        ),
        ("replace", [(2, "paid"), (3, None)], ["d"]),
    ],
    ids=["append", "merge", "upsert", "replace"],
)
def test_second_load_leaves_the_rows_its_disposition_promises(
    pipeline: Callable[..., dlt.Pipeline],
    engine: Engine,
    disposition: Any,
    orders: list[Any],
    lines: list[str],
) -> None:
    shop = pipeline()
    for data in (FIRST, SECOND):
        shop.run(data, table_name="orders", write_disposition=disposition, primary_key="id")

    assert rows(shop, "SELECT id, status FROM orders ORDER BY id, status") == orders
    assert [sku for (sku,) in rows(shop, "SELECT sku FROM orders__lines ORDER BY sku")] == lines
    assert engine.last.staged.tables_written is not None
    assert {"orders", "orders__lines"} <= engine.last.staged.tables_written


def test_scd2_keeps_the_history_of_a_changed_row(pipeline: Callable[..., dlt.Pipeline]) -> None:
    shop = pipeline()
    for data in ([{"id": 1, "status": "new"}], [{"id": 1, "status": "paid"}]):
        shop.run(
            data,
            table_name="orders",
            write_disposition={"disposition": "merge", "strategy": "scd2"},
        )

    history = "SELECT status, _dlt_valid_to IS NULL FROM orders ORDER BY 1"
    assert rows(shop, history) == [("new", False), ("paid", True)]


@pytest.mark.parametrize("strategy", ["delete-insert", "upsert"])
@pytest.mark.parametrize(
    ("kind", "alive", "gone"), [("bool", False, True), ("text", None, "2026-01-02")]
)
def test_tombstone_of_a_row_that_was_never_there_is_no_row(
    pipeline: Callable[..., dlt.Pipeline], strategy: str, kind: str, alive: Any, gone: Any
) -> None:
    shop = pipeline()
    options: dict[str, Any] = {
        "table_name": "orders",
        "write_disposition": {"disposition": "merge", "strategy": strategy},
        "primary_key": "id",
        "columns": {"gone": {"hard_delete": True, "data_type": kind}},
    }
    lines = [{"sku": "a"}]
    shop.run([{"id": 1, "gone": alive, "lines": lines}], **options)
    shop.run([{"id": 2, "gone": gone, "lines": lines}], **options)
    assert rows(shop, "SELECT id FROM orders") == [(1,)]
    assert rows(shop, "SELECT sku FROM orders__lines") == [("a",)]

    shop.run([{"id": 1, "gone": gone}, {"id": 2, "gone": alive, "lines": []}], **options)
    assert rows(shop, "SELECT id FROM orders") == [(2,)]
    assert rows(shop, "SELECT sku FROM orders__lines") == []


def test_hard_deleted_row_is_gone_and_its_evidence_is_staged(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline()
    hints: Any = {"deleted": {"hard_delete": True, "data_type": "bool"}}
    load = {"table_name": "orders", "write_disposition": "merge", "primary_key": "id"}
    shop.run([{"id": 1, "deleted": False}, {"id": 2, "deleted": False}], columns=hints, **load)
    evidence: list[Any] = []
    engine.during = lambda **_: evidence.extend(
        engine.last.staged.connection.cursor()  # type: ignore[union-attr]
        .execute("SELECT id, deleted FROM shop_data_staging.orders")
        .fetchall()
    )
    shop.run([{"id": 2, "deleted": True}], columns=hints, **load)

    assert rows(shop, "SELECT id FROM orders") == [(1,)]
    assert engine.last.staged.hard_deletes == {"orders": "deleted"}
    assert engine.last.staged.staging_dataset == "shop_data_staging"
    assert evidence == [(2, True)]


def test_arrow_table_is_staged_and_named_as_written(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline()
    table = pa.table(
        {"id": [1, 2], "price": pa.array([Decimal("1.10"), None], pa.decimal128(9, 2))}
    )
    shop.run(table, table_name="products")

    assert rows(shop, "SELECT id, price FROM products ORDER BY id") == [
        (1, Decimal("1.10")),
        (2, None),
    ]
    assert engine.last.staged.tables_written is not None
    assert "products" in engine.last.staged.tables_written


def test_without_nesting_the_lines_are_one_json_column(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    @dlt.source(max_table_nesting=0)
    def source() -> Any:
        return dlt.resource(FIRST, name="orders")

    shop = pipeline()
    shop.run(source())

    assert engine.last.tables == {"orders"}
    assert rows(shop, "SELECT json_array_length(lines) FROM orders ORDER BY id") == [(2,), (1,)]


def test_insert_statements_still_load_when_asked_for(
    pipeline: Callable[..., dlt.Pipeline],
) -> None:
    shop = pipeline()
    shop.run(FIRST, table_name="orders", loader_file_format="insert_values")

    assert rows(shop, "SELECT count(*) FROM orders__lines") == [(3,)]


def test_exact_values_survive_parquet(pipeline: Callable[..., dlt.Pipeline]) -> None:
    shop = pipeline()
    price = Decimal("19.990000000")
    shop.run(
        [{"id": 1, "price": price, "raw": {"a": 1}}],
        table_name="p",
        columns={"raw": {"data_type": "json"}},
    )

    assert rows(shop, "SELECT price, raw ->> '$.a' FROM p") == [(price, "1")]
