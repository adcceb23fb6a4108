from __future__ import annotations

import duckdb
import pytest

from replenit_destination.engine.sql import indent, is_name, literal, nearest, quote, relation


@pytest.mark.parametrize("name", ["id", "order", 'say "hi"', "größe", "a b", "x;--", "'"])
def test_quoted_names_and_constants_are_read_back(name: str) -> None:
    with duckdb.connect() as connection:
        query = connection.execute(f"SELECT {literal(name)} AS {quote(name)}")
        assert query.description[0][0] == name
        assert query.fetchall() == [(name,)]


def test_relation_quotes_every_part() -> None:
    assert relation("a", 'b"', "c") == '"a"."b"""."c"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [("id", True), ("_1", True), ("größe", True), ("1a", False), ("a b", False)],
)
def test_bare_names(text: str, expected: bool) -> None:
    assert is_name(text) is expected


def test_nearest_ignores_case_and_gives_up_on_strangers() -> None:
    assert nearest("EMIAL", ["email", "phone"]) == "email"
    assert nearest("xyz", ["email", "phone"]) is None


def test_indent_leaves_the_first_line() -> None:
    assert indent("a\nb\nc") == "a\n  b\n  c"
