"""A dlt source for a folder of CSV files: a table per pattern, every value as text.

    import dlt
    from csv_files import csv_files

    pipeline = dlt.pipeline("my_files", destination="duckdb", dataset_name="files")
    pipeline.run(csv_files("exports", {"customers": "customers*.csv"}))

The folder is a path or a bucket's address, listed and opened by dlt's `filesystem` source. A run
reads the files that are new or changed, and the rows of a changed file take the place of the rows
that were read from it before: what was taken out of a file is taken out of the table. A file that
is gone leaves its rows. Settings come from dlt's configuration under `sources.csv_files`.
"""

from __future__ import annotations

import logging
from collections.abc import (  # noqa: TC003 - dlt reads the annotations at run time
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dlt
from dlt.common.storages.fsspec_filesystem import FileItemDict  # noqa: TC002
from dlt.extract import DltResource  # noqa: TC002
from dlt.sources.filesystem import filesystem

from .errors import CsvError
from .reading import SOURCE_FILE, Format, read

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LAYOUT", "SOURCE_FILE", "TABLES", "CsvError", "Format", "csv_files"]

TABLES: Mapping[str, str] = {
    "customers": "customers*.csv",
    "orders": "orders*.csv",
    "order_items": "order_items*.csv",
    "products": "products*.csv",
    "product_variants": "product_variants*.csv",
}
"""The files that `LAYOUT` is written for."""

LAYOUT = Path(__file__).with_name("layout.toml")
"""The mapping of these files."""

logger = logging.getLogger(__name__)


@dlt.source(name="csv_files")
def csv_files(
    folder: str | None = None,
    tables: dict[str, str] | None = None,
    primary_keys: dict[str, str] | None = None,
    delimiter: str = ",",
    encoding: str = "utf-8",
    quote: str = '"',
) -> Iterable[DltResource]:
    """Read one folder.

    Args:
        folder: A path, or a bucket's address such as `s3://my-bucket/exports`.
        tables: Table → pattern of its files below the folder; default `TABLES`.
        primary_keys: Table → columns that identify a row, separated by commas. Only for files that
            hold changes: a row then also takes the place of the row of its key in an older file.
        delimiter: Between values; `tab` for a tabulator.
        encoding: As Python names it.
        quote: Around values that hold a delimiter or a line break.

    Raises:
        CsvError: No folder, no file in it that any pattern matches, an unknown table in
            `primary_keys`, or an unusable format.
    """
    if not folder:
        message = "sources.csv_files.folder: say where the files are"
        raise CsvError(message)
    tables, keys = dict(tables or TABLES), dict(primary_keys or {})
    if unknown := sorted(set(keys) - set(tables)):
        message = f"sources.csv_files.primary_keys: no table {', '.join(unknown)} in tables"
        raise CsvError(message)
    form = Format(delimiter, encoding, quote)
    files = {name: _files(folder, pattern) for name, pattern in tables.items()}
    for name in (name for name in files if not files[name]):
        logger.warning("no file in `%s` matches `%s` (%s)", folder, tables[name], name)
    if not any(files.values()):
        message = f"sources.csv_files.folder: `{folder}` has none of {', '.join(tables.values())}"
        raise CsvError(message)
    return [_resource(name, files[name], keys.get(name), form) for name in files if files[name]]


def _files(folder: str, pattern: str) -> list[FileItemDict]:
    return list(filesystem(folder, file_glob=pattern))


def _resource(
    table: str, files: Iterable[FileItemDict], key: str | None, form: Format
) -> DltResource:
    resource: DltResource = dlt.resource(
        _rows(files, table, form), name=table, write_disposition="merge", merge_key=SOURCE_FILE
    )
    if key:
        resource.apply_hints(
            primary_key=[column.strip() for column in key.split(",")],
            # Of two files of one run that hold the same key, the one whose name comes last wins.
            columns={SOURCE_FILE: {"dedup_sort": "desc"}},
        )
    return resource


def _rows(files: Iterable[FileItemDict], table: str, form: Format) -> Iterator[pa.Table]:
    """Yield the rows of the files that are not as they were when they were read."""
    known: dict[str, str] = dlt.current.resource_state(table).setdefault("read", {})
    for item in files:
        name = item["relative_path"]
        version = f"{item['size_in_bytes']} {item['modification_date'].isoformat()} {form}"
        if known.get(name) == version:
            continue
        count = 0
        for rows in read(name, partial(item.open, "rb"), form):
            count += rows.num_rows
            yield rows
        if not count:
            logger.warning(
                "`%s` has no rows; what was read from it before stays in `%s`", name, table
            )
        logger.info("read %d rows of `%s` into `%s`", count, name, table)
        # Kept together with the rows: a run that fails reads the file again.
        known[name] = version
