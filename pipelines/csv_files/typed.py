"""JSON Lines and Parquet files as Arrow tables, beside the CSV files.

A JSON file's values are text like a CSV file's, and numbers keep every digit they were written
with: a price would lose some as a float. Nested values stay JSON. A Parquet file has types of its
own, which are kept.
"""

from __future__ import annotations

import gzip
import json
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import CsvError
from .reading import ROWS_PER_TABLE, SOURCE_FILE, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .values import Layout

__all__ = ["read_json_lines", "read_parquet"]


def read_json_lines(
    name: str, opened: Callable[[], IO[Any]], layouts: Mapping[str, Layout] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of a file that has one JSON object per line, in UTF-8.

    Raises:
        CsvError: A line is no object. The message holds nothing of the file.
    """
    rows: list[dict[str, Any]] = []
    with opened() as file:
        for number, line in enumerate(file, 1):
            text = line.strip().removeprefix(b"\xef\xbb\xbf")
            if not text:
                continue
            rows.append(_object(name, number, text))
            if len(rows) == ROWS_PER_TABLE:
                yield _rows_as_text(name, rows, layouts)
                rows = []
    if rows:
        yield _rows_as_text(name, rows, layouts)


def _object(name: str, number: int, text: bytes) -> dict[str, Any]:
    try:
        # Numbers as they are written: `19.90` stays so, and ids keep all their digits.
        found = json.loads(text, parse_float=_Digits, parse_int=_Digits)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    message = f"line {number} of `{name}` is no JSON object in UTF-8; write one object per line"
    raise CsvError(message)


class _Digits(str):
    """A number as it was written."""

    __slots__ = ()


def _rows_as_text(
    name: str, rows: list[dict[str, Any]], layouts: Mapping[str, Layout] | None
) -> pa.Table:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    values = ([_as_text(row.get(column)) for row in rows] for column in columns)
    return text_table(name, columns, values, layouts)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else _encoded(value)


def _encoded(value: Any) -> str:
    """Return nested values as JSON, with numbers as they were written."""
    if isinstance(value, dict):
        inner = ",".join(f"{json.dumps(key)}:{_encoded(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_encoded, value))}]"
    return str(value) if isinstance(value, _Digits) else json.dumps(value, ensure_ascii=False)


def read_parquet(name: str, opened: Callable[[], IO[Any]]) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet file, with its own types.

    Raises:
        CsvError: It is no Parquet file.
    """
    try:
        with opened() as file, pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=ROWS_PER_TABLE):
                table = pa.Table.from_batches([batch])
                origin = pa.array([name] * table.num_rows, pa.string())
                field = pa.field(SOURCE_FILE, pa.string(), nullable=False)
                yield table.add_column(0, field, origin)
    except (pa.ArrowInvalid, gzip.BadGzipFile):
        message = f"`{name}` is no Parquet file"
        raise CsvError(message) from None
