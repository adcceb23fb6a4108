from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from replenit_destination.engine.expressions import ExpressionError, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with duckdb.connect() as connection:
        yield Parser(connection)


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("email", {"email"}),
        ("order", {"order"}),  # a keyword is a column all the same
        ("größe", {"größe"}),
        ('"first name"', {"first name"}),
        ("'constant'", set()),
        ("NULL", set()),
        ("true", set()),
        ("coalesce(customer.email, email)", {"customer.email", "email"}),
        ("CASE WHEN a THEN b ELSE c END", {"a", "b", "c"}),
        ("options -> '$.size'", {"options"}),
        ("upper(options -> '$.size')", {"options"}),
        ("list_filter(tags -> '$.x', x -> x <> y)", {"tags", "y"}),
        ("list_transform(tags, lambda x: x || suffix)", {"tags", "suffix"}),
        ("[x || suffix for x in tags if x <> '']", {"tags", "suffix"}),
        ("address.geo.lat", {"address.geo.lat"}),
        ("tags[1]", {"tags"}),
        ("a -- , b", {"a"}),
        ("a /* , b */", {"a"}),
        ("row(a, b)", {"a", "b"}),
    ],
)
def test_references(parser: Parser, text: str, references: set[str]) -> None:
    assert {".".join(names) for names in parser.expression(text).references} == references


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "syntax error"),
        ("a +", "syntax error"),
        ("a, b", "more than one expression"),
        ("a AS b", "syntax error"),
        ("a; DROP TABLE x", "syntax error"),
        ("a) FROM b WHERE (true", "syntax error"),
        ("a) + (b", "syntax error"),
        ("a FROM b", "syntax error"),
        ("/* never closed", "comment"),
        ("'never closed", "quoted"),
        ("(SELECT max(x) FROM y)", "sub-query"),
        ("a IN (SELECT b FROM c)", "sub-query"),
        ("sum(a)", "`sum` sums up other rows"),
        ("coalesce(max(a), 0)", "`max` sums up other rows"),
        ("row_number() OVER (ORDER BY a)", "looks at other rows"),
        ("lag(a) OVER ()", "looks at other rows"),
        ("now()", "`now` gives another value in every run"),
        ("a > today() - 30", "`today` gives another value in every run"),
        ("Random()", "`random` gives another value in every run"),
        ("uuid()", "`uuid` gives another value in every run"),
        ("age(birthday)", "`age` gives another value in every run"),
        ("a > current_date", "depends on the time of the run"),
        ("unnest(a)", "`unnest` makes several rows"),
        ("*", "names all columns"),
        ("COLUMNS('a.*')", "names all columns"),
        ("?", "parameter"),
        ("$1", "parameter"),
    ],
)
def test_text_that_is_no_expression_over_a_row(parser: Parser, text: str, cause: str) -> None:
    with pytest.raises(ExpressionError, match=cause):
        parser.expression(text)


def test_list_functions_that_sum_up_a_value_of_the_row_are_fine(parser: Parser) -> None:
    assert parser.expression("list_sum(prices) + greatest(a, b)").references
    assert parser.expression("age(delivered, ordered)").references


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("position", '"position"'),
        ("order desc, Id", '"order" desc, "Id"'),
        ("updated_at DESC NULLS LAST", '"updated_at" DESC NULLS LAST'),
        ("coalesce(a, b) DESC, c", "coalesce(a, b) DESC, c"),
    ],
)
def test_order(parser: Parser, text: str, sql: str) -> None:
    assert parser.order(text).text == sql


def test_order_names_what_it_refers_to(parser: Parser) -> None:
    assert parser.order("coalesce(a, x.b) DESC, c").references == (("a",), ("c",), ("x", "b"))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a LIMIT 1", "syntax error"),
        ("a DESCENDING, b", "syntax error"),
        ("random()", "another value in every run"),
        ("a) , (b", "syntax error"),
        ("(SELECT 1)", "sub-query"),
    ],
)
def test_text_that_is_no_order(parser: Parser, text: str, cause: str) -> None:
    with pytest.raises(ExpressionError, match=cause):
        parser.order(text)


def test_query_gets_its_tables_qualified(parser: Parser) -> None:
    def relation(name: str) -> str | None:
        return {"orders": '"db"."shop"."orders"', "my table": '"db"."shop"."my table"'}.get(name)

    query = "WITH recent AS (FROM orders) SELECT 'ü', * FROM recent JOIN \"my table\" t USING (id);"
    qualified = (
        'WITH recent AS (FROM "db"."shop"."orders") '
        'SELECT \'ü\', * FROM recent JOIN "db"."shop"."my table" t USING (id)'
    )
    assert parser.query(query, relation) == qualified
    untouched = "SELECT orders.id FROM other.orders"
    assert parser.query(untouched, relation) == untouched


@pytest.mark.parametrize("text", ["DROP TABLE x", "SELECT 1; SELECT 2", "SELEC 1", ""])
def test_query_is_one_select(parser: Parser, text: str) -> None:
    with pytest.raises(ExpressionError):
        parser.query(text, lambda _: None)
