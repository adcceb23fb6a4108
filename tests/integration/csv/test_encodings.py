"""Files in every usual encoding: read when it is declared, else refused with the likely one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from csv_files import CsvError, Format
from csv_files.encodings import likely_encoding
from csv_files.reading import read

TEXT = "kunde,stadt\n1,Köln\n2,Zürich\n"
CURLY = "kunde,stadt\n1,Köln\n2,Café “Zoë”\n"


def rows(content: bytes, encoding: str) -> list[list[Any]]:
    tables = read("f.csv", lambda: io.BytesIO(content), Format(encoding=encoding))
    return [list(row.values())[1:] for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("iso-8859-1", "latin-1"),
        ("iso-8859-1", "windows-1252"),
        ("windows-1252", "windows-1252"),
        ("iso-8859-9", "iso-8859-9"),
    ],
)
def test_declared_encoding_is_read(written: str, declared: str) -> None:
    assert rows(TEXT.encode(written), declared) == [["1", "Köln"], ["2", "Zürich"]]


def test_mark_of_an_order_that_was_declared_is_no_part_of_a_name() -> None:
    tables = read(
        "f.csv",
        lambda: io.BytesIO("\ufeffa,b\n1,2\n".encode("utf-16-le")),
        Format(encoding="utf-16-le"),
    )
    assert next(iter(tables)).column_names == ["source_file", "a", "b"]


@pytest.mark.parametrize(
    ("written", "declared", "likely"),
    [
        (TEXT.encode("iso-8859-1"), "utf-8", "iso-8859-1"),
        (CURLY.encode("windows-1252"), "utf-8", "windows-1252"),
        (CURLY.encode("windows-1252"), "latin-1", "windows-1252"),
        (TEXT.encode("utf-16"), "utf-8", "utf-16"),
        (TEXT.encode("utf-16-be"), "utf-8", "utf-16-be"),
        (b"kunde,stadt\n".decode().encode("utf-16-le"), "utf-8", "utf-16-le"),
        (TEXT.encode("utf-16"), "windows-1252", "utf-16"),
        (TEXT.encode("utf-8"), "windows-1252", "utf-8"),
        (TEXT.encode("utf-8"), "latin-1", "utf-8"),
        (TEXT.encode("utf-8-sig"), "latin-1", "utf-8"),
        (TEXT.encode("utf-8"), "utf-16", "utf-8"),
        (TEXT.encode("utf-16-be"), "utf-16", "utf-16-be"),
        (TEXT.encode("utf-16-be"), "utf-16-le", "utf-16-be"),
    ],
)
def test_other_encoding_is_refused_with_the_likely_one(
    written: bytes, declared: str, likely: str
) -> None:
    """Most of these decode without an error, and would bring garbled names."""
    with pytest.raises(CsvError, match=f"it looks like {likely}: set encoding = `{likely}`"):
        rows(written, declared)


def test_byte_that_no_encoding_explains_is_left_to_its_author() -> None:
    with pytest.raises(CsvError, match="ask who wrote the file"):
        rows(b"a,b\n1,\x81\n", "windows-1252")


def test_letter_far_into_the_file_counts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A header of ASCII tells nothing; the first umlaut may come in the second megabyte."""
    content = b"a,b\n" + b"1,plain\n" * 200_000 + "2,Köln\n".encode("latin-1")
    with pytest.raises(CsvError, match="it looks like iso-8859-1"):
        rows(content, "utf-8")


def test_letter_cut_by_the_end_of_the_file_is_no_utf_8() -> None:
    with pytest.raises(CsvError, match="is not utf-8"):
        rows("a,b\n1,Kö".encode()[:-1], "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252", "iso-8859-1"])
def test_guess_for_a_draft(encoding: str) -> None:
    content = (CURLY if encoding == "windows-1252" else TEXT).encode(encoding)
    assert likely_encoding(lambda: io.BytesIO(content)) == encoding
