"""A folder's files as a draft of a mapping sees them, and how they seem to be written."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

import pyarrow as pa
from proposal import FoundColumn, FoundTable

from . import listed, read_file
from .encodings import likely_encoding
from .errors import CsvError
from .reading import SOURCE_FILE, Format, staged_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlt.common.storages.fsspec_filesystem import FileItemDict

__all__ = ["describe"]

_SUFFIXES = re.compile(r"\.(csv|tsv|txt|jsonl|ndjson|parquet|pq)(\.gz)?$", re.IGNORECASE)
_COUNTING = re.compile(r"[-_ .]*[0-9][-_0-9T]*")
_SEEN = 200
_NUMBERS = {
    "number 1.234,56": re.compile(r"-?\d{1,3}(\.\d{3})*,\d{1,2}"),
    "number 1,234.56": re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?"),
}
_DATES = {
    "date %d.%m.%Y": re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}"),
    "time %d.%m.%Y %H:%M": re.compile(r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d{2}"),
}
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/\d{4}")


def describe(
    folder: str, tables: Mapping[str, str] | None, form: Format
) -> tuple[list[FoundTable], list[str]]:
    """Return a table per kind of file, and lines that say how the files are read.

    Args:
        folder: A path or a bucket's address.
        tables: Table → pattern of its files; default one per name, numbers and dates left out.
        form: How the files are written; the encoding is that of each first file.

    Raises:
        CsvError: There is no file, or one cannot be read.
    """
    patterns = tables or _patterns(folder)
    if not patterns:
        message = f"sources.csv_files.folder: `{folder}` has no CSV, JSON Lines or Parquet file"
        raise CsvError(message)
    found, written, encodings = [], {}, Counter[str]()
    for name, pattern in patterns.items():
        files = listed(folder, pattern)
        if not files:
            message = f"`{folder}` has no file that matches `{pattern}`"
            raise CsvError(message)
        encoding = likely_encoding(partial(files[0].open, "rb"))
        encodings[encoding] += 1
        sample = _sample(files[0], Format(form.delimiter, encoding, form.quote))
        found.append(_table(name, sample))
        written[name] = _written(sample)
    return found, _notes(patterns, written, encodings.most_common(1)[0][0])


def _patterns(folder: str) -> dict[str, str]:
    """Return a table per name of files: `Sales_2017.csv` and `Sales_2018.csv` are `sales`."""
    found: dict[str, str] = {}
    for item in listed(folder, "*"):
        name = item["file_name"]
        suffix = _SUFFIXES.search(name)
        if suffix:
            stem = name[: suffix.start()]
            kept = _COUNTING.split(stem)[0]
            table = staged_name(PurePath(kept or stem).name)
            # A table with several files, or one that has a number in its name.
            found[table] = f"{kept}*{suffix[0]}" if kept != stem else name
    return found


def _sample(item: FileItemDict, form: Format) -> pa.Table:
    for rows in read_file(form, {}, item):
        return rows.slice(0, _SEEN)
    message = f"`{item['relative_path']}` has no rows to make a draft from"
    raise CsvError(message)


def _table(name: str, sample: pa.Table) -> FoundTable:
    columns = tuple(
        FoundColumn(staged_name(field.name), _kind(field.type))
        for field in sample.schema
        if field.name != SOURCE_FILE
    )
    return FoundTable(name, columns)


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "time" if kind.tz else "local time"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_boolean(kind):
        return "boolean"
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return "number" if any(one(kind) for one in numeric) else "text"


def _written(sample: pa.Table) -> dict[str, str]:
    """Return column → the layout that all of its sampled values have, where it must be declared."""
    found = {}
    for name, values in zip(sample.column_names, sample.columns, strict=True):
        texts = [str(one) for one in values.to_pylist() if one is not None]
        if texts and (layout := _layout(texts)):
            found[staged_name(name)] = layout
    return found


def _layout(texts: Sequence[str]) -> str | None:
    for layout, form in {**_NUMBERS, **_DATES}.items():
        if all(form.fullmatch(text) for text in texts):
            return layout
    parts = [_SLASHED.fullmatch(text) for text in texts]
    if not all(parts):
        return None
    first = max(int(one[1]) for one in parts if one)
    second = max(int(one[2]) for one in parts if one)
    if first > 12:
        return "date %d/%m/%Y"
    # Both below 13 in all rows: only the shop knows.
    return "date %m/%d/%Y" if second > 12 else "date %m/%d/%Y or %d/%m/%Y: which?"


def _notes(
    patterns: Mapping[str, str], written: Mapping[str, Mapping[str, str]], encoding: str
) -> list[str]:
    lines = ["How the files are read, for `.dlt/config.toml`; see docs/csv.md.", ""]
    lines += ["    [sources.csv_files]", f'    encoding = "{encoding}"', ""]
    lines += ["    [sources.csv_files.tables]"]
    lines += [f'    {table} = "{pattern}"' for table, pattern in patterns.items()]
    for table, layouts in written.items():
        if layouts:
            lines += ["", f"    [sources.csv_files.layouts.{table}]"]
            lines += [f'    {column} = "{layout}"' for column, layout in layouts.items()]
    return lines
