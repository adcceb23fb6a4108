"""A query's rows as Arrow tables, by Postgres' COPY: no Python object is made for any value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv

from .errors import PostgresError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psycopg.abc import Buffer
    from sqlalchemy.engine import Connection

__all__ = ["copied"]

_CHUNK_BYTES = 32 * 2**20
# Postgres quotes an empty string and writes NULL as nothing.
_NULL: dict[str, Any] = {
    "null_values": [""],
    "strings_can_be_null": True,
    "quoted_strings_can_be_null": False,
}
_TRUTH: dict[str, Any] = {"true_values": ["t"], "false_values": ["f"]}


def copied(
    connection: Connection, query: str, schema: pa.Schema, chunk_size: int
) -> Iterator[pa.Table]:
    """Yield the rows of a query in tables of `chunk_size` rows or fewer.

    Args:
        connection: Within a transaction of `Snapshot`, which settles how values are written.
        query: SQL as a driver takes it: a per cent sign is written twice.
        schema: Names and types of the query's columns, in their order.
        chunk_size: Rows per table; fewer where they are long.

    Raises:
        PostgresError: A value does not fit its column's type; the message has no value in it.
    """
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)", ()) as rows,
    ):
        for text in _chunks(rows, chunk_size):
            yield _read(text, schema)


def _chunks(rows: Iterable[Buffer], chunk_size: int) -> Iterator[bytearray]:
    # By the protocol one message is one row; it may have line breaks in it. A message is a
    # memoryview: kept by the thousand, they would keep the garbage collector busy.
    chunk, count = bytearray(), 0
    for row in rows:
        chunk += row
        count += 1
        if count == chunk_size or len(chunk) >= _CHUNK_BYTES:
            yield chunk
            chunk, count = bytearray(), 0
    if chunk:
        yield chunk


def _read(text: bytearray, schema: pa.Schema) -> pa.Table:
    types = {field.name: _written(field.type) for field in schema}
    try:
        table = _parsed(text, types)
    except pa.ArrowInvalid:
        raise PostgresError(_misfit(text, types)) from None
    arrays = [
        _bytes(array) if pa.types.is_binary(field.type) else array
        for field, array in zip(schema, table.columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _written(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_binary(kind) else kind


def _parsed(text: bytearray, types: dict[str, pa.DataType], *only: str) -> pa.Table:
    return pa.csv.read_csv(
        pa.BufferReader(text),
        read_options=pa.csv.ReadOptions(column_names=list(types), block_size=len(text) + 1),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pa.csv.ConvertOptions(
            column_types=types, include_columns=list(only), **_NULL, **_TRUTH
        ),
    )


def _bytes(column: pa.ChunkedArray) -> pa.Array:
    r"""Return the bytes that Postgres writes as `\x00ff`."""
    values = (value.as_py() for value in column)
    return pa.array([v if v is None else bytes.fromhex(v[2:]) for v in values], pa.binary())


def _misfit(text: bytearray, types: dict[str, pa.DataType]) -> str:
    for name, kind in types.items():
        try:
            _parsed(text, types, name)
        except pa.ArrowInvalid:
            return (
                f"column `{name}` has a value that is no {kind}: an endless date, no number, or "
                "more digits than fit; read a view that leaves it out or rounds it"
            )
    return "the server's rows are not what the columns' types announce"
