"""One CSV file as Arrow tables: every value is text, nothing is guessed.

A guess that holds for a thousand rows fails on the next one: `NA` is a name, `007` is an id,
`01/02/2026` is a date in two months. Only an empty value is null. What a column means is said once,
in the mapping.

Python's own reader does it because it is strict: others take a missing closing quote for a value
that holds the rest of the file.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
from dlt.common.normalizers.naming.snake_case import NamingConvention

from .encodings import check_encoding
from .errors import CsvError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .values import Layout

__all__ = ["ROWS_PER_TABLE", "SOURCE_FILE", "Format", "read", "staged_name", "text_table"]

SOURCE_FILE = "source_file"
"""The column that says which file a row came from: its path below the folder."""

ROWS_PER_TABLE = 50_000
"""How many rows are in memory at once."""

_OTHER_DELIMITERS = {";": ";", "\t": "tab", "|": "|", ",": ","}
_TAB = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True)
class Format:
    """How the files of a folder are written.

    Args:
        delimiter: Between values; `tab` for a tabulator.
        encoding: As Python names it; a byte order mark is taken off.
        quote: Around values that hold a delimiter, a quote (then doubled) or a line break.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str = '"'

    def __post_init__(self) -> None:
        object.__setattr__(self, "delimiter", _TAB.get(self.delimiter, self.delimiter))
        for name, usual in (("delimiter", ","), ("quote", '"')):
            if len(getattr(self, name)) != 1:
                message = f"{name}: write one character, for instance `{usual}`"
                raise CsvError(message)
        try:
            codec = codecs.lookup(self.encoding).name
        except LookupError:
            message = (
                "encoding: no such encoding; write for instance `utf-8`, `windows-1252`, "
                "`iso-8859-1` or `utf-16`"
            )
            raise CsvError(message) from None
        object.__setattr__(self, "encoding", "utf-8-sig" if codec == "utf-8" else codec)

    def __str__(self) -> str:
        return f"{self.delimiter!r} {self.encoding} {self.quote!r}"


def read(
    name: str,
    opened: Callable[[], IO[Any]],
    form: Format,
    layouts: Mapping[str, Layout] | None = None,
) -> Iterator[pa.Table]:
    """Yield the rows of one file, with `source_file` in front of its own columns.

    Args:
        name: What rows and messages call the file.
        opened: Opens it for reading bytes.
        form: How it is written.
        layouts: Column, by its name as dlt spells it → how its numbers or times are written.

    Raises:
        CsvError: It is not written so, or a row has more or fewer values than the header. The
            message holds nothing of the file: its rows are about people.
    """
    check_encoding(name, opened, form.encoding)
    try:
        with opened() as file, io.TextIOWrapper(file, form.encoding, newline="") as text:
            yield from _tables(name, text, form, layouts or {})
    except UnicodeError:
        message = f"`{name}` is not {form.encoding.removesuffix('-sig')} in all of its parts"
        raise CsvError(message) from None


def _tables(
    name: str, text: io.TextIOWrapper, form: Format, layouts: Mapping[str, Layout]
) -> Iterator[pa.Table]:
    reader = csv.reader(text, delimiter=form.delimiter, quotechar=form.quote, strict=True)
    columns: list[str] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:  # a blank line
                continue
            if not columns:
                columns = _header(name, row)
                continue
            if len(row) != len(columns):
                raise CsvError(_miscounted(name, reader.line_num, len(row), len(columns)))
            rows.append(row)
            if len(rows) == ROWS_PER_TABLE:
                yield text_table(name, columns, list(zip(*rows, strict=True)), layouts)
                rows = []
    except csv.Error:
        message = (
            f"line {reader.line_num} of `{name}`: a quote is not closed, or not doubled inside of "
            "a quoted value"
        )
        raise CsvError(message) from None
    if rows:
        yield text_table(name, columns, list(zip(*rows, strict=True)), layouts)


def _header(name: str, row: Sequence[str]) -> list[str]:
    # A mark that the encoding was declared without is no part of a name.
    columns = [column.strip().removeprefix("\ufeff") for column in row]
    if len(columns) == 1:
        other = next((d for d in _OTHER_DELIMITERS if d in columns[0]), None)
        if other:
            word = _OTHER_DELIMITERS[other]
            message = (
                f"`{name}` has a single column, with `{word}` in its name; is that the delimiter? "
                f"Set delimiter = `{word}`"
            )
            raise CsvError(message)
    folded = [column.casefold() for column in columns]
    if not all(folded) or len(set(folded)) < len(folded):
        twice = next((c for c in folded if c and folded.count(c) > 1), None)
        what = f"the column `{twice}` twice" if twice else "a column without a name"
        message = f"the first line of `{name}` has {what}; it must name every column once"
        raise CsvError(message)
    return columns


def _miscounted(name: str, line: int, found: int, expected: int) -> str:
    return (
        f"line {line} of `{name}` has {found} values, the first line names {expected} columns; "
        "correct the file, or quote values that hold a delimiter"
    )


def text_table(
    name: str,
    columns: Sequence[str],
    values: Iterable[Sequence[str]],
    layouts: Mapping[str, Layout] | None = None,
) -> pa.Table:
    """Return rows as text, with `source_file` in front; an empty text is null.

    Args:
        name: The file.
        columns: Their names.
        values: One sequence per column.
        layouts: Column, by its name as dlt spells it → how its values are written.
    """
    origin = pa.field(SOURCE_FILE, pa.string(), nullable=False)
    schema = pa.schema([origin, *(pa.field(column, pa.string()) for column in columns)])
    arrays, count = [], 0
    for column, texts in zip(columns, values, strict=True):
        layout = (layouts or {}).get(staged_name(column))
        read = layout.reader() if layout else str
        arrays.append(pa.array([read(text) if text else None for text in texts], pa.string()))
        count = len(texts)
    return pa.Table.from_arrays([pa.array([name] * count, pa.string()), *arrays], schema=schema)


def staged_name(column: str) -> str:
    """Return what dlt calls a column: `Order Number` becomes `order_number`."""
    return str(NamingConvention().normalize_identifier(column))
