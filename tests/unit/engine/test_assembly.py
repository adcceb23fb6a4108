from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.assembly import LINE, Assembly

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Shop

ROWS = """
CREATE TABLE shop.orders AS FROM (VALUES
  (1, 'a', 10.5::DECIMAL(38, 9), 'EUR', 'r1', 'L1', false),
  (2, 'b', 7::DECIMAL(38, 9), 'USD', 'r2', 'L1', false),
  (3, 'a', 0::DECIMAL(38, 9), 'EUR', 'r3', 'L1', true)
) AS t(id, person, total, currency, _dlt_id, _dlt_load_id, cancelled)
"""
LINES = """
CREATE TABLE shop.{name} AS FROM (VALUES
  (11, 1, 'x', 2, 1.10::DECIMAL(10, 2), true, 'r1', 1, 'L1', 91),
  (12, 1, 'w', 1, 2.00::DECIMAL(10, 2), NULL, 'r1', 0, 'L1', 92),
  (21, 2, ' y ', 3, 0::DECIMAL(10, 2), false, 'r2', 0, 'L1', 91)
) AS t(id, order_id, sku, count, price, gift, _dlt_parent_id, _dlt_list_idx, _dlt_load_id, variant)
"""
FIELDS = {"Sku": "sku", "Count": "count", "Price": "price", "Gift": "gift"}
MAPPED: dict[str, Any] = {"Number": "id", "Buyer": "person", "Total": "total"}


@pytest.fixture
def shop(shop: Shop) -> Shop:
    return shop.run(ROWS)


def mapping(items: dict[str, Any], **root: Any) -> dict[str, Any]:
    items = {"fields": FIELDS, **items}
    return {"orders": {"table": "orders", "fields": MAPPED, "items": items, **root}}


def lines(shop: Shop, items: dict[str, Any], **root: Any) -> dict[str, list[Any]]:
    documents = shop.documents(mapping(items, **root), "orders")
    return {document["Number"]: document["Lines"] for document in documents}


def skus(shop: Shop, items: dict[str, Any], **root: Any) -> dict[str, list[str]]:
    found = lines(shop, items, **root)
    return {number: [line["Sku"] for line in listed] for number, listed in found.items()}


X = {"Sku": "x", "Count": "2", "Price": "1.10", "Gift": True}
W = {"Sku": "w", "Count": "1", "Price": "2.00", "Gift": None}
Y = {"Sku": "y", "Count": "3", "Price": "0.00", "Gift": False}
JSON = "ALTER TABLE shop.orders ADD COLUMN lines JSON"
STRUCT = (
    "STRUCT(sku VARCHAR, count INTEGER, price DECIMAL(10, 2), gift BOOLEAN, id INTEGER,"
    " variant STRUCT(code VARCHAR), item VARCHAR)"
)
LIST = f"ALTER TABLE shop.orders ADD COLUMN lines {STRUCT}[]"


# -- forms of children ----------------------------------------------------------------------------


def test_nested_table_keeps_its_order(shop: Shop) -> None:
    shop.run(LINES.format(name="orders__lines"))
    assert lines(shop, {"table": "orders__lines"}) == {"1": [W, X], "2": [Y], "3": []}


def test_table_of_its_own_comes_in_an_order_that_is_always_the_same(shop: Shop) -> None:
    shop.run(
        LINES.format(name="lines"), "CREATE TABLE shop.again AS FROM shop.lines ORDER BY id DESC"
    )
    own = lines(shop, {"table": "lines", "on": {"order_id": "id"}})
    assert own == {"1": [W, X], "2": [Y], "3": []}
    assert lines(shop, {"table": "again", "on": {"order_id": "id"}}) == own


def test_table_of_its_own_may_be_joined_by_several_columns(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE shop.lines AS SELECT id AS number, person, id || person AS sku"
        " FROM shop.orders UNION ALL SELECT 1, 'b', 'of nobody'"
    )
    items = {"table": "lines", "on": {"number": "id", "person": "person"}, "fields": {"Sku": "sku"}}
    assert skus(shop, items) == {"1": ["1a"], "2": ["2b"], "3": ["3a"]}


@pytest.mark.parametrize("kind", ["JSON", "VARCHAR"])
def test_json_column_keeps_its_order(shop: Shop, kind: str) -> None:
    shop.run(
        f"ALTER TABLE shop.orders ADD COLUMN lines {kind}",
        """UPDATE shop.orders SET lines = CASE id
             WHEN 1 THEN '[{"sku": "x", "count": 2, "price": 1.10, "gift": true},
                           {"sku": "w", "count": 1, "price": "2.00"}]'
             WHEN 2 THEN '{"sku": " y ", "count": "3", "price": "0.00", "gift": "no"}'
           END""",
    )
    assert lines(shop, {"column": "lines"}) == {
        "1": [{**X, "Price": "1.1"}, W],
        "2": [Y],  # one object is a list of one
        "3": [],
    }


def test_json_that_is_none_becomes_a_line_the_target_refuses(shop: Shop) -> None:
    shop.run(
        "ALTER TABLE shop.orders ADD COLUMN lines VARCHAR",
        "UPDATE shop.orders SET lines = CASE id WHEN 1 THEN '[{]' WHEN 2 THEN 'null' ELSE '7' END",
    )
    empty = dict.fromkeys(FIELDS)
    assert lines(shop, {"column": "lines"}) == {"1": [empty], "2": [], "3": [empty]}


def test_json_members_may_be_called_anything(shop: Shop) -> None:
    shop.run(
        JSON,
        """UPDATE shop.orders SET lines = '[{"the sku": "a", "say \\"x\\"": 1, "order": 2.5,
             "größe": true, "item": "i", "deep": {"code": ["c"]}}]' WHERE id = 1""",
    )
    fields = {
        "Sku": "\"the sku\" || (item ->> '$.deep.code[0]') || (item ->> 'item')",
        "Count": '"say ""x"""',
        "Price": "order",
        "Gift": "größe",
        "Currency": "items.deep",
    }
    expected = {
        "Sku": "aci",
        "Count": "1",
        "Price": "2.5",
        "Gift": True,
        "Currency": '{"code":["c"]}',
    }
    assert lines(shop, {"column": "lines", "fields": fields})["1"] == [expected]


def test_list_column_keeps_its_order_and_types(shop: Shop) -> None:
    shop.run(
        LIST,
        """UPDATE shop.orders SET lines = CASE id
             WHEN 1 THEN [{'sku': 'x', 'count': 2, 'price': 1.1, 'gift': true, 'id': 1,
                           'variant': {'code': 'c'}, 'item': 'i'},
                          {'sku': 'w', 'count': 1, 'price': 2, 'gift': NULL, 'id': 2,
                           'variant': NULL, 'item': NULL}]
             WHEN 2 THEN [] END""",
    )
    assert lines(shop, {"column": "lines"}) == {"1": [X, W], "2": [], "3": []}
    fields = {"Sku": "coalesce(variant.code, item.sku)", "Currency": "item.item"}
    assert lines(shop, {"column": "LINES", "fields": fields})["1"] == [
        {"Sku": "c", "Currency": "i"},
        {"Sku": "w", "Currency": None},
    ]


def test_list_of_plain_values_is_read_as_item(shop: Shop) -> None:
    shop.run(
        "ALTER TABLE shop.orders ADD COLUMN codes VARCHAR[]",
        "UPDATE shop.orders SET codes = ['b', 'a'] WHERE id = 1",
    )
    assert skus(shop, {"column": "codes", "fields": {"Sku": "item"}})["1"] == ["b", "a"]


def test_list_of_json_is_read_like_json(shop: Shop) -> None:
    shop.run(
        "ALTER TABLE shop.orders ADD COLUMN lines JSON[]",
        """UPDATE shop.orders SET lines = ['{"sku": "a"}'] WHERE id = 1""",
    )
    assert skus(shop, {"column": "lines", "fields": {"Sku": "sku"}})["1"] == ["a"]


@pytest.mark.parametrize("form", ["nested", "own", "json", "list"])
def test_children_may_use_columns_of_their_parent(shop: Shop, form: str) -> None:
    shop.run(LINES.format(name="lines"), JSON, LIST.replace(" lines ", " listed "))
    shop.run(
        """UPDATE shop.orders SET lines = '[{"sku": "x"}]',
             listed = [{'sku': 'x', 'count': 1, 'price': 1, 'gift': NULL, 'id': 1,
                        'variant': NULL, 'item': NULL}]""",
        "DELETE FROM shop.lines WHERE sku <> 'x'",
    )
    source: dict[str, Any] = {
        "nested": {"table": "lines"},
        "own": {"table": "lines", "on": {"order_id": "id"}},
        "json": {"column": "lines"},
        "list": {"column": "listed"},
    }[form]
    fields = {"Sku": "sku || orders.currency", "Currency": "ORDERS.Currency"}
    found = lines(shop, {**source, "fields": fields, "where": "orders.id <> 2"})
    assert found["1"] == [{"Sku": "xEUR", "Currency": "EUR"}]
    assert found["2"] == []


def test_line_identity_goes_along(shop: Shop) -> None:
    shop.run(LINES.format(name="orders__lines"))
    found = lines(shop, {"table": "orders__lines", "id": "id"})
    assert [line[LINE] for line in found["1"]] == ["12", "11"]


def test_lines_are_left_out_where_the_condition_is_not_true(shop: Shop) -> None:
    shop.run(LINES.format(name="orders__lines"))
    assert skus(shop, {"table": "orders__lines", "where": "NOT gift"}) == {
        "1": [],
        "2": ["y"],
        "3": [],
    }


def test_lines_in_the_declared_order_are_told_apart_where_it_does_not(shop: Shop) -> None:
    shop.run(
        LINES.format(name="lines"),
        "INSERT INTO shop.lines BY NAME SELECT 13 AS id, 1 AS order_id, 'v' AS sku, 2 AS count",
    )
    own = {"table": "lines", "on": {"order_id": "id"}}
    assert skus(shop, {**own, "order": "count DESC"})["1"] == ["v", "x", "w"]
    assert skus(shop, {**own, "order": "count DESC", "id": "id"})["1"] == ["x", "v", "w"]


def test_column_called_like_the_children_does_not_hide_anything(shop: Shop) -> None:
    shop.run(
        "ALTER TABLE shop.orders ADD COLUMN items JSON",
        """UPDATE shop.orders SET items = '[{"sku": "a"}]'""",
    )
    root = {"fields": {**MAPPED, "Buyer": "json_array_length(items)"}}
    (first, *_) = shop.documents(
        mapping({"column": "items", "fields": {"Sku": "sku"}}, **root), "orders"
    )
    assert (first["Buyer"], first["Lines"]) == ("1", [{"Sku": "a"}])


# -- look-ups -------------------------------------------------------------------------------------


@pytest.fixture
def variants(shop: Shop) -> Shop:
    return shop.run(
        LINES.format(name="orders__lines"),
        "CREATE TABLE shop.variants AS FROM (VALUES (91, 'blue', 2), (91, 'red', 1), (93, 'x', 1))"
        " AS t(id, code, place)",
        "CREATE TABLE shop.people AS FROM (VALUES ('a', 'a@example.com'), ('c', 'c@example.com'))"
        " AS t(id, mail)",
    )


@pytest.mark.parametrize(
    ("order", "code"), [(None, "blue"), ("place", "red"), ("place DESC", "blue"), ("id", "blue")]
)
def test_lookup_sees_one_row_chosen_the_same_way_every_time(
    variants: Shop, order: str | None, code: str
) -> None:
    lookup = {"table": "variants", "on": {"id": "variant"}, **({"order": order} if order else {})}
    items = {
        "table": "orders__lines",
        "lookups": {"variant_row": lookup},
        "fields": {"Sku": "coalesce(Variant_Row.code, sku)"},
    }
    assert skus(variants, items) == {"1": ["w", code], "2": [code], "3": []}


def test_lookup_of_a_root_leaves_rows_without_a_match(variants: Shop) -> None:
    lookups = {"buyer": {"table": "people", "on": {"id": "person"}}}
    fields = {**MAPPED, "Buyer": "coalesce(buyer.mail, person)"}
    items = {"table": "orders__lines"}
    found = variants.documents(mapping(items, lookups=lookups, fields=fields), "orders")
    assert [one["Buyer"] for one in found] == ["a@example.com", "b", "a@example.com"]


def test_lookup_may_join_several_columns_and_dlt_children(variants: Shop) -> None:
    variants.run("CREATE TABLE shop.tags AS SELECT 'r1' AS _dlt_parent_id, 'gift' AS name")
    lookups = {
        "line": {"table": "orders__lines", "on": {"order_id": "id", "_dlt_parent_id": "_dlt_id"},
                 "order": "_dlt_list_idx"},
        "tag": {"table": "tags"},
    }  # fmt: skip
    fields = {**MAPPED, "Buyer": "concat_ws('/', line.sku, tag.name, person)"}
    items = {"table": "orders__lines"}
    found = variants.documents(mapping(items, lookups=lookups, fields=fields), "orders")
    assert [one["Buyer"] for one in found] == ["w/gift/a", "y /b", "a"]


# -- roots ----------------------------------------------------------------------------------------


def test_rows_left_out_and_destroyed_ones_make_no_document(shop: Shop) -> None:
    items = {"table": "lines", "on": {"order_id": "id"}}
    found = skus(shop, items, where="id <> 1 OR NULL", destroyed_when="cancelled")
    assert list(found) == ["2"]


def test_keys_are_told_of_destroyed_rows_too(shop: Shop) -> None:
    items = {"table": "lines", "on": {"order_id": "id"}}
    bound = shop.bind(mapping(items, destroyed_when="cancelled", id="_dlt_id", where="id > 1"))
    rows = shop.connection.execute(Assembly(bound["orders"]).keyed()).fetchall()
    assert sorted(rows) == [(1, "2", "r2", False), (2, "3", "r3", True)]
    scoped = Assembly(bound["orders"]).source_ids("{row} < 2")
    assert sorted(shop.connection.execute(scoped).fetchall()) == [("r1",), ("r2",)]


def test_only_rows_in_scope_are_assembled(shop: Shop) -> None:
    shop.run(LINES.format(name="orders__lines"))
    bound = shop.bind(mapping({"table": "orders__lines"}))["orders"]
    rows = shop.connection.execute(Assembly(bound).documents("{row} IN (1)")).fetchall()
    assert [(row[0], row[1], row[3]) for row in rows] == [(1, "2", 1)]


def test_source_rows_count_lines_that_are_left_out_too(shop: Shop) -> None:
    shop.run(LINES.format(name="lines"))
    items = {"table": "lines", "on": {"order_id": "id"}, "where": "gift"}
    assembly = Assembly(shop.bind(mapping(items))["orders"])
    rows = shop.connection.execute(assembly.documents()).fetchall()
    assert sorted((row[1], row[3]) for row in rows) == [("1", 2), ("2", 1), ("3", 0)]
    counted = shop.connection.execute(assembly.child_rows() or "").fetchall()
    assert sorted(counted) == [("1", 2), ("2", 1), ("3", 0)]


def test_nested_children_need_no_counting(shop: Shop) -> None:
    shop.run(LINES.format(name="orders__lines"))
    assert Assembly(shop.bind(mapping({"table": "orders__lines"}))["orders"]).child_rows() is None


def test_rows_of_one_key_are_ranked_by_the_declared_order(shop: Shop) -> None:
    items = {"table": "lines", "on": {"order_id": "id"}}
    root = {"fields": {**MAPPED, "Number": "person"}, "order": "total DESC"}
    bound = shop.bind(mapping(items, **root))["orders"]
    rows = shop.connection.execute(Assembly(bound).ranked("true")).fetchall()
    assert sorted((row[0], row[1], row[3]) for row in rows) == [
        (0, "a", 1),
        (1, "b", 1),
        (2, "a", 2),
    ]


def test_query_is_the_root_and_finds_the_dataset_by_itself(shop: Shop) -> None:
    items = {"table": "lines", "on": {"number": "number"}}
    changed = mapping(items, query="SELECT id AS number, * FROM orders WHERE id > 1;")
    del changed["orders"]["table"]
    bound = shop.bind(changed)["orders"]
    shop.connection.execute(f"CREATE TEMP TABLE queried AS {bound.query}")
    rows = shop.connection.execute(Assembly(bound, root="queried").documents()).fetchall()
    assert sorted(json.loads(row[-1])["Number"] for row in rows) == ["2", "3"]


# -- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("active", "loud", "consent"),
    [
        ("'yes'", "'no'", True),
        ("NULL::VARCHAR", "0", False),
        ("false", "'1'::JSON", True),
        ("'nonsense'", "NULL", False),
        ("2::DECIMAL(3, 1)", "false", True),
    ],
)
def test_rule_sees_booleans_whatever_the_source_calls_them(
    shop: Shop, active: str, loud: str, consent: bool
) -> None:
    shop.run(f"CREATE TABLE shop.people AS SELECT {active} AS a, {loud} AS b")
    fields = {"Id": "'1'", "Active": "a", "Loud": "b", "Consent": {"rule": "either"}}
    (document,) = shop.documents({"people": {"table": "people", "fields": fields}}, "people")
    assert document["Consent"] is consent


@pytest.mark.parametrize(
    ("active", "consent"),
    [(True, True), ({"gross": "true", "net": "false"}, False), ("", False), ("later", False)],
)
def test_rule_sees_constants_amounts_and_nothing(shop: Shop, active: Any, consent: bool) -> None:
    shop.run("CREATE TABLE shop.people AS SELECT 1 AS id")
    fields = {"Id": "id", "Active": active, "Consent": {"rule": "either"}}
    written = {"amounts": "net", "people": {"table": "people", "fields": fields}}
    (document,) = shop.documents(written, "people")
    assert document["Consent"] is consent
