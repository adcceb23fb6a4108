"""A search that decodes: what is compressed, in columns or in base64 is read as what it is."""

from __future__ import annotations

import base64
import gzip
import json
import tarfile
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow
import pyarrow.parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["places_of"]

_MAGIC = b"DUCK"
_ZSTANDARD = bytes.fromhex("28b52ffd")


def places_of(words: Iterable[str], folder: Path, vendor: Any = None) -> set[str]:
    """Return where any of the words stands: below a folder, and in what the vendor holds."""
    wanted = [word.lower() for word in words]
    found = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            for place, text in _texts(path):
                if any(word in text.lower() for word in wanted):
                    found.add(f"{path.relative_to(folder)}{place}")
    told = json.dumps(vendor).lower()
    return found | {"vendor" for word in wanted if word in told}


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    content = path.read_bytes()
    yield "", content.decode("utf-8", "replace")
    if path.suffix == ".gz":
        yield "", gzip.decompress(content).decode("utf-8", "replace")
    elif path.suffix == ".parquet":
        yield "", str(pyarrow.parquet.read_table(path).to_pylist())
    elif content[8:12] == _MAGIC and not path.name.endswith(".wal"):
        yield from _cells(path)
    elif content.startswith(_ZSTANDARD):
        yield from _members(path)


def _members(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what is in the files of a packed state."""
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        pyarrow.input_stream(str(path), compression="zstd") as plain,
        tarfile.open(fileobj=plain, mode="r|") as packed,
    ):
        packed.extractall(folder, filter="data")
        for member in sorted(Path(folder).rglob("*")):
            if member.is_file():
                for place, text in _texts(member):
                    yield f"!{member.relative_to(folder)}{place}", text


def _cells(path: Path) -> Iterator[tuple[str, str]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        for schema, table, column, kind in connection.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE NOT internal AND table_name NOT IN"
            "  (SELECT view_name FROM duckdb_views() WHERE NOT internal)"
        ).fetchall():
            relation = f'"{schema}"."{table}"'
            for (value,) in connection.execute(
                f'SELECT CAST("{column}" AS VARCHAR) FROM {relation}'
            ).fetchall():
                yield f"/{schema}.{table}.{column} {kind}", value or ""
                if table == "_dlt_pipeline_state" and column == "state":
                    with suppress(ValueError, zlib.error):
                        plain = zlib.decompress(base64.b64decode(value))
                        yield f"/{table}.{column}", plain.decode("utf-8", "replace")
