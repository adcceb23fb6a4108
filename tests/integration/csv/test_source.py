"""The dlt source on its own, into plain DuckDB: which files are read, what a file stands for."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from csv_files import CsvError, csv_files
from dlt.pipeline.exceptions import PipelineStepFailed

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "order,line,sku\n"


class Shop:
    """A folder of files and a pipeline that reads it."""

    def __init__(self, here: Path) -> None:
        self.folder = here / "files"
        self.folder.mkdir()
        self.here = here

    def write(self, name: str, *lines: str, age: int = 0, text: str = HEADER) -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text + "".join(f"{line}\n" for line in lines), encoding="utf-8")
        moment = 1_790_000_000 - age
        os.utime(file, (moment, moment))

    def load(self, pattern: str = "sales*.csv*", **settings: Any) -> list[str]:
        """Run, and return the tables a load package was made for."""
        source = csv_files(str(self.folder), {"sales": pattern}, **settings)
        info = self.pipeline().run(source, loader_file_format="parquet")
        return sorted(
            {
                job.job_file_info.table_name
                for package in info.load_packages
                for job in package.jobs["completed_jobs"]
                if not job.job_file_info.table_name.startswith("_dlt")
            }
        )

    def pipeline(self) -> dlt.Pipeline:
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        return dlt.pipeline(
            "files",
            destination=dlt.destinations.duckdb(str(self.here / "staged.duckdb")),
            dataset_name="shop",
            pipelines_dir=str(self.here / "pipelines"),
        )

    def rows(self, columns: str = "source_file, sku") -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM sales ORDER BY ALL"
        found: list[tuple[Any, ...]] = self.pipeline().dataset()(query).fetchall()
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_unchanged_files_are_not_read_again(shop: Shop) -> None:
    shop.write("sales_1.csv", "1,1,a", "1,2,b")
    assert shop.load() == ["sales"]
    assert shop.load() == []
    assert shop.rows() == [("sales_1.csv", "a"), ("sales_1.csv", "b")]


def test_changed_file_takes_the_place_of_what_was_read_from_it(shop: Shop) -> None:
    shop.write("sales_1.csv", "1,1,a", "1,2,b", "2,1,c")
    shop.write("sales_2.csv", "3,1,d")
    shop.load()
    shop.write("sales_1.csv", "1,1,A", "2,1,c", age=-60)
    assert shop.load() == ["sales"]
    assert shop.rows() == [("sales_1.csv", "A"), ("sales_1.csv", "c"), ("sales_2.csv", "d")]


def test_new_file_is_read_however_old_it_is(shop: Shop) -> None:
    """An archive that is unpacked, or a copy that keeps its times, is older than the last run."""
    shop.write("sales_2.csv", "2,1,b")
    shop.load()
    shop.write("sales_1.csv", "1,1,a", age=90_000)
    assert shop.load() == ["sales"]
    assert shop.rows() == [("sales_1.csv", "a"), ("sales_2.csv", "b")]


def test_file_that_is_gone_leaves_its_rows(shop: Shop) -> None:
    shop.write("sales_1.csv", "1,1,a")
    shop.write("sales_2.csv", "2,1,b")
    shop.load()
    (shop.folder / "sales_1.csv").unlink()
    assert shop.load() == []
    assert shop.rows() == [("sales_1.csv", "a"), ("sales_2.csv", "b")]


def test_emptied_file_leaves_its_rows_and_says_so(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.write("sales_1.csv", "1,1,a")
    shop.load()
    shop.write("sales_1.csv", age=-60)
    shop.load()
    assert shop.rows() == [("sales_1.csv", "a")]
    assert "`sales_1.csv` has no rows" in caplog.text


def test_another_encoding_reads_the_files_anew(shop: Shop) -> None:
    shop.write("sales_1.csv", "1,1,a")
    shop.load()
    assert shop.load(encoding="iso-8859-1") == ["sales"]


def test_file_that_cannot_be_read_is_read_when_it_is_mended(shop: Shop) -> None:
    shop.write("sales_1.csv", "1,1,a")
    shop.write("sales_2.csv", "2,1,b,jane@example.com")
    with pytest.raises(PipelineStepFailed) as stopped:
        shop.load()
    cause: BaseException | None = stopped.value
    while cause is not None and not isinstance(cause, CsvError):
        cause = cause.__cause__
    assert "line 2 of `sales_2.csv` has 4 values" in str(cause)
    assert "jane" not in str(stopped.value)
    shop.write("sales_2.csv", "2,1,b", age=-60)
    assert shop.load() == ["sales"]
    assert shop.rows() == [("sales_1.csv", "a"), ("sales_2.csv", "b")]


def test_compressed_files_and_folders_below_are_read(shop: Shop) -> None:
    shop.write("2026/sales.csv", "1,1,a")
    packed = gzip.compress(f"{HEADER}2,1,b\n".encode())
    (shop.folder / "2026" / "sales.csv.gz").write_bytes(packed)
    shop.load("**/sales*")
    assert shop.rows() == [("2026/sales.csv", "a"), ("2026/sales.csv.gz", "b")]


def test_new_column_is_empty_in_the_files_before(shop: Shop) -> None:
    shop.write("sales_1.csv", "1,1,a")
    shop.write("sales_2.csv", "2,1,b,x", text="order,line,sku,Gift Wrap\n")
    shop.load()
    assert shop.rows("sku, gift_wrap") == [("a", None), ("b", "x")]


def test_lost_database_is_filled_again(shop: Shop) -> None:
    """What was read is remembered with the rows, not beside them."""
    shop.write("sales_1.csv", "1,1,a")
    shop.load()
    (shop.here / "staged.duckdb").unlink()
    assert shop.load() == ["sales"]
    assert shop.rows("sku") == [("a",)]


def test_with_primary_keys_a_newer_file_takes_the_place_of_single_rows(shop: Shop) -> None:
    settings = {"primary_keys": {"sales": "order, line"}}
    shop.write("sales_2026-01-01.csv", "1,1,a", "1,2,b")
    shop.write("sales_2026-01-02.csv", "1,2,B")
    shop.load(**settings)
    assert shop.rows("sku") == [("B",), ("a",)]
    shop.write("sales_2026-01-03.csv", "1,1,A", "2,1,c")
    shop.load(**settings)
    assert shop.rows("sku") == [("A",), ("B",), ("c",)]


def test_every_row_carries_its_load(shop: Shop) -> None:
    """By them a delivery knows what is new; dlt leaves them out of Arrow tables unless told."""
    shop.write("sales_1.csv", "1,1,a")
    shop.load()
    shop.write("sales_2.csv", "2,1,b")
    shop.load()
    assert len({load for (load,) in shop.rows("_dlt_load_id")}) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"folder": ""}, "sources.csv_files.folder"),
        ({"tables": {"a": "*"}, "primary_keys": {"b": "id"}}, "no table b in tables"),
        ({"delimiter": "::"}, "delimiter"),
        ({"tables": {"a": "a*.csv"}}, "has none of a\\*.csv"),
        ({"folder": "no-such-folder"}, "`no-such-folder` has none of"),
    ],
)
def test_unusable_setting_is_refused(shop: Shop, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(CsvError, match=said):
        csv_files(**{"folder": str(shop.folder), **arguments})
