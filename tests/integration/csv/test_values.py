"""Numbers and times whose layout is declared, and files that are no CSV."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from csv_files import UNREADABLE, CsvError, Layout, Span, csv_files
from dlt.pipeline.exceptions import PipelineStepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("layout", "written", "read"),
    [
        ("number 1.234,56", "1.234,56", "1234.56"),
        ("number 1.234,56", "19,9", "19.9"),
        ("number 1.234,56", "-1.234.567,00", "-1234567.00"),
        ("number 1.234,56", "1234", "1234"),
        ("number 1,234.56", "1,234.50", "1234.50"),
        ("number 1 234,56", "1\u202f234,50", "1234.50"),
        ("number 1'234.56", "1'234.50", "1234.50"),
        ("number 1234,56", " 7,5 ", "7.5"),
        ("date %d.%m.%Y", "31.12.2026", "2026-12-31"),
        ("date %m/%d/%Y", "1/2/2026", "2026-01-02"),
        ("time %d.%m.%Y %H:%M", "31.12.2026 08:30", "2026-12-31 08:30:00"),
        ("time %d.%m.%Y %H:%M Europe/Berlin", "01.07.2026 08:30", "2026-07-01 08:30:00+02:00"),
        ("time %Y%m%d%H%M%S UTC", "20260701083000", "2026-07-01 08:30:00+00:00"),
        ("time %Y-%m-%d %H:%M:%S %z", "2026-03-01 10:00:00 -0500", "2026-03-01 10:00:00-05:00"),
    ],
)
def test_declared_value_is_read(layout: str, written: str, read: str) -> None:
    assert Layout(layout, "here").reader()(written) == read


@pytest.mark.parametrize(
    ("layout", "written"),
    [
        ("number 1.234,56", "1.5"),  # one and a half, or fifteen? a group has three digits
        ("number 1.234,56", "12.34,5"),
        ("number 1,234.56", "1.234,56"),
        ("number 1234,56", "1.234,56"),
        ("number 1.234,56", "EUR 5"),
        ("date %d.%m.%Y", "12/31/2026"),
        ("date %d.%m.%Y", "31.02.2026"),
    ],
)
def test_value_that_is_not_as_declared_is_marked(layout: str, written: str) -> None:
    assert Layout(layout, "here").reader()(written) == UNREADABLE + written


@pytest.mark.parametrize(
    "layout", ["number 1.234.56", "number", "date", "dd.mm.yyyy", "time %H:%M Europe/Nowhere"]
)
def test_unusable_layout_is_refused(layout: str) -> None:
    with pytest.raises(CsvError, match=r"^here: "):
        Layout(layout, "here")


class Files:
    def __init__(self, here: Path) -> None:
        self.folder = here / "files"
        self.folder.mkdir()
        self.here = here

    def load(self, pattern: str, **settings: Any) -> bool:
        """Run, and tell whether there was anything to load."""
        source = csv_files(str(self.folder), {"sales": pattern}, **settings)
        made = self.pipeline()
        made.run(source, loader_file_format="parquet")
        return bool(made.last_trace.last_normalize_info.row_counts.get("sales"))

    def pipeline(self) -> dlt.Pipeline:
        return dlt.pipeline(
            "files",
            destination=dlt.destinations.duckdb(str(self.here / "staged.duckdb")),
            dataset_name="shop",
            pipelines_dir=str(self.here / "pipelines"),
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.pipeline().dataset()(query).fetchall()
        return sorted(found)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_columns_are_read_as_declared_and_read_again_when_that_changes(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    (files.folder / "sales.csv").write_text("Order No;Preis\n1;1.234,50\n2;9.5\n")
    settings = {"delimiter": ";", "layouts": {"sales": {"Preis": "number 1.234,56"}}}
    assert files.load("sales.csv", **settings)
    assert files.rows("SELECT preis FROM sales") == [("1234.50",), (f"{UNREADABLE}9.5",)]
    assert "1 values of `Preis` in `sales.csv` are not written as declared" in caplog.text
    assert not files.load("sales.csv", **settings)
    settings["layouts"] = {"sales": {"preis": "number 1,234.56"}}
    assert files.load("sales.csv", **settings)
    assert ("9.5",) in files.rows("SELECT preis FROM sales")


def test_json_lines_keep_every_digit_and_nested_values(files: Files) -> None:
    lines = [
        '{"order": 900719925474099312345, "price": 19.90, "tags": ["a", 1.50], "paid": true}',
        "",
        json.dumps({"order": "A-1", "name": "Zoë", "price": None, "nested": {"x": [None]}}),
    ]
    (files.folder / "sales.jsonl").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    packed = gzip.compress(b'{"order": 3, "price": 1e2}\n')
    (files.folder / "more.jsonl.gz").write_bytes(packed)
    assert files.load("*.jsonl*")
    assert files.rows('SELECT "order", price, tags, paid, name, nested FROM sales') == [
        ("3", "1e2", None, None, None, None),
        ("900719925474099312345", "19.90", '["a",1.50]', "true", None, None),
        ("A-1", None, None, None, "Zoë", '{"x":[null]}'),
    ]


def test_line_that_is_no_object_is_named_and_not_shown(files: Files) -> None:
    (files.folder / "sales.jsonl").write_text('{"a": 1}\njane@example.com\n')
    with pytest.raises(PipelineStepFailed, match=r"line 2 of .* is no JSON object") as no:
        files.load("*.jsonl")
    assert "jane" not in str(no.value)


def test_parquet_keeps_its_types(files: Files) -> None:
    table = pa.table(
        {
            "order": pa.array([1, 2], pa.int64()),
            "price": pa.array([Decimal("19.90"), None], pa.decimal128(12, 2)),
            "at": pa.array([1_782_864_000_000_000, None], pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, files.folder / "sales.parquet")
    assert files.load("*.parquet")
    assert files.rows(
        'SELECT source_file, "order", CAST(price AS VARCHAR), epoch("at") FROM sales'
    ) == [("sales.parquet", 1, "19.90", 1782864000.0), ("sales.parquet", 2, None, None)]
    assert not files.load("*.parquet")
    (files.folder / "sales.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(PipelineStepFailed, match="is no Parquet file"):
        files.load("*.parquet")


def test_span_reads_files_by_their_time_of_change_and_full_all_of_them(files: Files) -> None:
    for day in (1, 2, 3):
        file = files.folder / f"sales_{day}.csv"
        file.write_text(f"order\n{day}\n")
        moment = datetime(2026, 5, day, 12, tzinfo=UTC).timestamp()
        os.utime(file, (moment, moment))
    second = datetime(2026, 5, 2, tzinfo=UTC)
    assert files.load("sales*.csv", span=Span(second, datetime(2026, 5, 3, tzinfo=UTC)))
    assert files.rows('SELECT "order" FROM sales') == [("2",)]
    assert files.load("sales*.csv")
    assert files.rows('SELECT "order" FROM sales') == [("1",), ("2",), ("3",)]
    assert not files.load("sales*.csv")
    assert files.load("sales*.csv", span=Span(second))
    assert files.load("sales*.csv", full=True)


@pytest.fixture
def bucket() -> Iterator[Any]:
    """A bucket in memory: another file system than the local one, with files of its own."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()


def test_bucket_is_read_like_a_folder(files: Files, bucket: Any) -> None:
    bucket.pipe("/exports/sales_1.csv", b"order\n1\n")
    bucket.pipe("/exports/other.csv", b"order\n9\n")

    def load() -> bool:
        made = files.pipeline()
        made.run(csv_files("memory://exports", {"sales": "sales*.csv"}))
        return bool(made.last_trace.last_normalize_info.row_counts.get("sales"))

    assert load()
    assert not load()
    bucket.pipe("/exports/sales_2.csv", b"order\n2\n")
    assert load()
    assert files.rows('SELECT source_file, "order" FROM sales') == [
        ("sales_1.csv", "1"),
        ("sales_2.csv", "2"),
    ]
