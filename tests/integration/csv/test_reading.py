"""One file at a time: what stands in it arrives as it stands there, or the file is refused."""

from __future__ import annotations

import io
from typing import Any

import pytest
from csv_files import CsvError, Format
from csv_files.reading import read


def rows(content: bytes, **form: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for table in read("shop.csv", lambda: io.BytesIO(content), Format(**form)):
        found += table.to_pylist()
    return [{name: row[name] for name in row if name != "source_file"} for row in found]


@pytest.mark.parametrize(
    ("content", "form", "expected"),
    [
        pytest.param(b"\xef\xbb\xbfid,x\r\n1,2\r\n", {}, "2", id="byte order mark and CRLF"),
        pytest.param(b"id,x\n1,NA\n", {}, "NA", id="NA is a text"),
        pytest.param(b"id,x\n1,null\n", {}, "null", id="null is a text"),
        pytest.param(b"id,x\n1,007\n", {}, "007", id="leading zeros stay"),
        pytest.param(b"id,x\n1,01/02/2026\n", {}, "01/02/2026", id="a date is not guessed"),
        pytest.param(b"id,x\n1,true\n", {}, "true", id="nor a truth value"),
        pytest.param(b"id,x\n1,\n", {}, None, id="empty is null"),
        pytest.param(b'id,x\n1,""\n', {}, None, id="quoted empty is null"),
        pytest.param(b'id,x\n1,"a ""b"", c\r\nd"\n', {}, 'a "b", c\r\nd', id="quotes"),
        pytest.param(b"id,x\n1,#a\n", {}, "#a", id="no comments"),
        pytest.param(b"id,x\n1,c:\\new\n", {}, "c:\\new", id="no backslash escapes"),
        pytest.param("id,x\n1,Muñoz".encode(), {}, "Muñoz", id="no final line break"),
        pytest.param(b"\n\nid,x\n\n1,2\n\n", {}, "2", id="blank lines"),
        pytest.param(
            "id,x\n1,Jiménez\n".encode("cp1252"),
            {"encoding": "windows-1252"},
            "Jiménez",
            id="windows-1252",
        ),
        pytest.param("id,x\n1,Öz\n".encode("utf-16"), {"encoding": "utf-16"}, "Öz", id="utf-16"),
        pytest.param(b"id;x\n1;2,5\n", {"delimiter": ";"}, "2,5", id="semicolon"),
        pytest.param(b"id\tx\n1\t2,5\n", {"delimiter": "tab"}, "2,5", id="tab"),
    ],
)
def test_value_arrives_as_written(
    content: bytes, form: dict[str, str], expected: str | None
) -> None:
    assert rows(content, **form) == [{"id": "1", "x": expected}]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"id,x\n", b"\xef\xbb\xbf"])
def test_file_without_rows_has_none(content: bytes) -> None:
    assert rows(content) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,x\n1,2\n3,4,jane@example.com\n", "line 3 of `shop.csv` has 3 values, .* 2 columns"),
        (b"id,x\n1,2\njane@example.com\n", "line 3 of `shop.csv` has 1 values"),
        (b'id,x\n1,"jane@example.com\n3,4\n', "line 3 of `shop.csv`: a quote is not"),
        (b'id,x\n1,"jane\n3,"jane@example.com"\n', "line 3 of `shop.csv`: a quote is not"),
        ("id,x\n1,jane@example.com\n2,é\n".encode("latin-1"), "`shop.csv` is not utf-8"),
        ("id,é\n1,jane@example.com\n".encode("latin-1"), "`shop.csv` is not utf-8"),
        (b"id;x\n1;jane@example.com\n", "single column.*delimiter = `;`"),
        (b"id\tx\n1\tjane@example.com\n", "single column.*delimiter = `tab`"),
        (b"id,ID\n1,jane@example.com\n", "the column `id` twice"),
        (b"id,\n1,jane@example.com\n", "a column without a name"),
    ],
)
def test_refused_file_is_named_with_the_place_and_without_its_content(
    content: bytes, said: str
) -> None:
    with pytest.raises(CsvError, match=said) as refused:
        rows(content)
    assert "jane" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"delimiter": ",,"}, "delimiter: write one character"),
        ({"quote": ""}, "quote: write one character"),
        ({"encoding": "klingon"}, "encoding: no such encoding"),
    ],
)
def test_unusable_format_is_refused(form: dict[str, str], said: str) -> None:
    with pytest.raises(CsvError, match=said):
        Format(**form)


def test_large_file_comes_in_parts() -> None:
    content = b"id,x\n" + b"".join(b"%d,x\n" % n for n in range(120_000))
    tables = list(read("shop.csv", lambda: io.BytesIO(content), Format()))
    assert len(tables) == 3
    assert sum(table.num_rows for table in tables) == 120_000
