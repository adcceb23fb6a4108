"""A dlt source for a folder of CSV, JSON Lines and Parquet files: a table per pattern.

    import dlt
    from csv_files import csv_files

    pipeline = dlt.pipeline("my_files", destination="duckdb", dataset_name="files")
    pipeline.run(csv_files("exports", {"customers": "customers*.csv"}))

The values of CSV and JSON files are text, as they stand in the file; those of Parquet files have
the file's types. The folder is a path or a bucket's address, listed and opened by dlt's
`filesystem` source. A run reads the files that are new or changed, and the rows of a changed file
take the place of the rows that were read from it before: what was taken out of a file is taken out
of the table. A file that is gone leaves its rows. Settings come from dlt's configuration under
`sources.csv_files`.
"""

from __future__ import annotations

import logging
from collections.abc import (  # noqa: TC003 - dlt reads the annotations at run time
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.storages.fsspec_filesystem import FileItemDict  # noqa: TC002
from dlt.extract import DltResource  # noqa: TC002
from dlt.sources.filesystem import filesystem

from .errors import CsvError
from .reading import SOURCE_FILE, Format, read, staged_name
from .typed import read_json_lines, read_parquet
from .values import UNREADABLE, Layout

__all__ = [
    "LAYOUT",
    "SOURCE_FILE",
    "TABLES",
    "UNREADABLE",
    "CsvError",
    "Format",
    "Layout",
    "Span",
    "csv_files",
    "listed",
    "read_file",
]

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

_LOCAL = ("file", "local", ("file", "local"))


@dlt.source(name="csv_files")
def csv_files(
    folder: str | None = None,
    tables: dict[str, str] | None = None,
    primary_keys: dict[str, str] | None = None,
    delimiter: str = ",",
    encoding: str = "utf-8",
    quote: str = '"',
    layouts: dict[str, Any] | None = None,
    span: Span | None = None,
    full: bool = False,
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
        layouts: Table → column → how its numbers or times are written, see `Layout`. A value that
            is not written so keeps its text behind `UNREADABLE`.
        span: Only files that were changed in this stretch of time, read or not.
        full: Read all files again.

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
    written = _layouts(layouts or {}, tables)
    which = _Which(span or Span(), full=full)
    files = {name: listed(folder, pattern) for name, pattern in tables.items()}
    for name in (name for name in files if not files[name]):
        logger.warning("no file in `%s` matches `%s` (%s)", folder, tables[name], name)
    if not any(files.values()):
        message = f"sources.csv_files.folder: `{folder}` has none of {', '.join(tables.values())}"
        raise CsvError(message)
    return [
        _resource(name, files[name], keys.get(name), partial(read_file, form, written[name]), which)
        for name in files
        if files[name]
    ]


@dataclass(frozen=True)
class Span:
    """From `since` on, up to but not including `until`; None: without that end."""

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, moment: datetime) -> bool:
        return not (
            (self.since is not None and moment < self.since)
            or (self.until is not None and moment >= self.until)
        )


@dataclass(frozen=True)
class _Which:
    """Which files a run reads: new and changed ones, unless something else was asked for."""

    span: Span
    full: bool

    def reads(self, item: FileItemDict, known: str | None, version: str) -> bool:
        if self.span != Span():
            return item["modification_date"] in self.span
        return self.full or known != version


def listed(folder: str, pattern: str) -> list[FileItemDict]:
    """Return the files below a folder or bucket that a pattern matches."""
    return list(filesystem(folder, file_glob=pattern))


def _layouts(
    written: Mapping[str, Mapping[str, str]], tables: Mapping[str, str]
) -> dict[str, dict[str, Layout]]:
    section = "sources.csv_files.layouts"
    if unknown := sorted(set(written) - set(tables)):
        message = f"{section}: no table {', '.join(unknown)} in tables"
        raise CsvError(message)
    return {
        table: {
            staged_name(column): Layout(text, f"{section}.{table}.{column}")
            for column, text in written.get(table, {}).items()
        }
        for table in tables
    }


def read_file(
    form: Format, layouts: Mapping[str, Layout], item: FileItemDict
) -> Iterator[pa.Table]:
    """Yield the rows of a file, by what its name ends with.

    Raises:
        CsvError: It is not written so.
    """
    name, opened = item["relative_path"], partial(item.open, "rb")
    kind = PurePath(name.lower().removesuffix(".gz")).suffix
    if kind in {".jsonl", ".ndjson"}:
        yield from read_json_lines(name, opened, layouts)
    elif kind in {".parquet", ".pq"}:
        yield from read_parquet(name, opened)
    else:
        yield from read(name, opened, form, layouts)


def _resource(
    table: str,
    files: Iterable[FileItemDict],
    key: str | None,
    rows: Callable[[FileItemDict], Iterator[pa.Table]],
    which: _Which,
) -> DltResource:
    resource: DltResource = dlt.resource(
        _rows(files, table, rows, which),
        name=table,
        write_disposition="merge",
        merge_key=SOURCE_FILE,
    )
    if key:
        resource.apply_hints(
            primary_key=[column.strip() for column in key.split(",")],
            # Of two files of one run that hold the same key, the one whose name comes last wins.
            columns={SOURCE_FILE: {"dedup_sort": "desc"}},
        )
    return resource


def _rows(
    files: Iterable[FileItemDict],
    table: str,
    rows: Callable[[FileItemDict], Iterator[pa.Table]],
    which: _Which,
) -> Iterator[pa.Table]:
    """Yield the rows of the files that are not as they were when they were read."""
    known: dict[str, str] = dlt.current.resource_state(table).setdefault("read", {})
    for item in files:
        name, version = item["relative_path"], _version(item, rows)
        if not which.reads(item, known.get(name), version):
            continue
        count = 0
        for batch in rows(item):
            count += batch.num_rows
            _tell_unreadable(name, batch)
            yield batch
        if not count:
            logger.warning(
                "`%s` has no rows; what was read from it before stays in `%s`", name, table
            )
        logger.info("read %d rows of `%s` into `%s`", count, name, table)
        # Kept together with the rows: a run that fails reads the file again.
        known[name] = version


def _version(item: FileItemDict, rows: Any) -> str:
    """Return what tells a file from what it was: its content's tag where the bucket has one."""
    form, layouts = rows.args
    shown = " ".join(f"{column}={layout.text}" for column, layout in sorted(layouts.items()))
    tag = "" if item.fsspec.protocol in _LOCAL else item.fsspec.info(item["file_url"]).get("ETag")
    content = tag or f"{item['size_in_bytes']} {item['modification_date'].isoformat()}"
    return f"{content} {form} {shown}".rstrip()


def _tell_unreadable(name: str, batch: pa.Table) -> None:
    for column, values in zip(batch.column_names, batch.columns, strict=True):
        if pa.types.is_string(values.type):
            count = pc.sum(pc.starts_with(values, UNREADABLE)).as_py()
            if count:
                message = "%d values of `%s` in `%s` are not written as declared"
                logger.warning(message, count, column, name)
