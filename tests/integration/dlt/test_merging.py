"""Merging staged rows: what dlt's own destination would hold, and more rows than memory takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FLAT = [
    [
        {"id": 1, "seen": 1, "x": "a"},
        {"id": 2, "seen": 1, "x": "b"},
        {"id": 3, "seen": 1, "x": "c"},
    ],
    [
        {"id": 2, "seen": 3, "x": "d"},
        {"id": 2, "seen": 2, "x": "e"},
        {"id": 4, "seen": 1, "x": "f"},
    ],
    [{"id": 1, "seen": 4, "x": "g", "gone": True}, {"id": 1, "seen": 3, "x": "h", "gone": False}],
]
NESTED = [[{**row, "lines": [{"n": row["seen"]}, {"n": 9}]} for row in rows] for rows in FLAT]
TABLES = {
    "flat": FLAT,
    "nested": NESTED,
    "hidden": [[{**row, "rowid": 7} for row in rows] for rows in FLAT],
}
SORTS: dict[str, dict[str, Any]] = {
    "the newest": {"seen": {"dedup_sort": "desc"}},
    "the oldest": {"seen": {"dedup_sort": "asc"}},
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("sort", SORTS)
def test_tables_are_those_of_dlt_s_own_destination(
    pipeline: Callable[..., dlt.Pipeline], tmp_path: Path, table: str, sort: str
) -> None:
    """Several rows of a key in one load, sorted or not, some of them marked as deleted."""
    ours = pipeline(deliver="manual")
    theirs = dlt.pipeline(
        "theirs",
        destination=dlt.destinations.duckdb(str(tmp_path / "theirs.duckdb")),
        dataset_name="shop_data",
        pipelines_dir=str(tmp_path / "theirs"),
    )
    hints: Any = {"gone": {"hard_delete": True, "data_type": "bool"}, **SORTS[sort]}
    for rows in TABLES[table]:
        for each in (ours, theirs):
            resource = dlt.resource(
                rows, name="orders", primary_key="id", write_disposition="merge", columns=hints
            )
            each.run(resource)
        assert held(ours) == held(theirs)
    assert held(ours)


def held(pipeline: dlt.Pipeline) -> list[tuple[Any, ...]]:
    with pipeline.sql_client() as client:
        found = client.execute_sql("SELECT id, seen, x FROM orders ORDER BY ALL") or []
        if "orders__lines" in pipeline.default_schema.tables:
            lines = "SELECT o.id, l.n FROM orders__lines l JOIN orders o ON l._dlt_parent_id"
            found = [*found, *(client.execute_sql(f"{lines} = o._dlt_id ORDER BY ALL") or [])]
        return list(found)


def test_more_rows_than_memory_takes(pipeline: Callable[..., dlt.Pipeline]) -> None:
    """With dlt's own window over whole rows DuckDB runs out of memory here."""
    rows, text = 150_000, "a note of some length, " * 16

    def orders(version: int) -> Iterator[pa.Table]:
        for first in range(0, rows, 10_000):
            numbers = range(first, first + 10_000)
            notes = [f"{text}{number} {version}" for number in numbers]
            yield pa.table({"id": pa.array(numbers), "note": notes})

    shop = pipeline(deliver="manual", memory_limit="60MB")
    for version in (1, 2):
        source = dlt.resource(
            orders(version), name="orders", primary_key="id", write_disposition="merge"
        )
        shop.run(source, loader_file_format="parquet")
    with shop.sql_client() as client:
        query = "SELECT count(*), count(DISTINCT id) FROM orders WHERE note LIKE '% 2'"
        assert client.execute_sql(query) == [(rows, rows)]
