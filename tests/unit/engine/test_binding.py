from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.binding import Tables

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Shop

PEOPLE: dict[str, Any] = {
    "table": "people",
    "fields": {"Id": "id", "Mail": "email", "Consent": "agreed"},
}
ORDERS: dict[str, Any] = {
    "table": "orders",
    "fields": {"Number": "id", "Total": "total"},
    "items": {"table": "lines", "on": {"order_id": "id"}, "fields": {"Sku": "sku"}},
}


@pytest.fixture
def shop(shop: Shop) -> Shop:
    return shop.run(
        "CREATE TABLE shop.people (id INTEGER, email VARCHAR, agreed BOOLEAN, born DATE,"
        " _dlt_load_id VARCHAR, _dlt_id VARCHAR)",
        "CREATE TABLE shop.people__addresses (city VARCHAR, _dlt_parent_id VARCHAR,"
        " _dlt_list_idx BIGINT)",
        "CREATE TABLE shop.orders (id INTEGER, person INTEGER, total DECIMAL(10, 2), lines VARCHAR,"
        " _dlt_load_id VARCHAR, _dlt_id VARCHAR)",
        "CREATE TABLE shop.lines (order_id INTEGER, sku VARCHAR, count INTEGER,"
        " _dlt_load_id VARCHAR, _dlt_id VARCHAR)",
    )


def people(**changes: Any) -> dict[str, Any]:
    """Return a mapping of people; `fields` are added, other keys replaced."""
    fields = {**PEOPLE["fields"], **changes.pop("fields", {})}
    return {"people": {**copy.deepcopy(PEOPLE), "fields": fields, **changes}}


def orders(**items: Any) -> dict[str, Any]:
    changed = copy.deepcopy(ORDERS)
    changed["items"] |= items
    return {"orders": changed}


# -- faults ---------------------------------------------------------------------------------------


def test_all_faults_of_all_entities_are_reported_at_once(shop: Shop) -> None:
    mapping = people(
        order="xyz DESC",
        where="email",
        lookups={
            "address": {"table": "people__adresses"},
            "email": {"table": "orders", "on": {"person": "id"}},
            "order": {"table": "orders", "on": {"persn": "idd"}},
        },
        fields={"Id": "idd", "Age": "sum(id)", "Mail": "adress.mail", "Joined": "born"},
    )
    mapping |= orders(on={"order": "id"}, where="cnt > 0", fields={"Sku": "lower(count)"})
    assert shop.faults(mapping) == {
        "people.lookups.address.table": "no table `people__adresses` in `shop` "
        "(did you mean `people__addresses`?)",
        "people.lookups.email": "`people` has a column of this name; call the look-up otherwise",
        "people.lookups.order.on": "no column `persn` in `orders` (did you mean `person`?)\n"
        "no column `idd` in `people` (did you mean `id`?)",
        "people.fields.Id": "no column `idd` in `people`; a constant is written \"'…'\" "
        "(did you mean `id`?)",
        "people.fields.Mail": "`adress` is no column of `people` and no declared look-up "
        "(did you mean `address`?)",
        "people.fields.Age": "`sum` sums up other rows; give the entity a `query` that does it",
        "people.fields.Joined": 'is a date; say in which zone: timezone = "Europe/Berlin"',
        "people.order": "no column `xyz` in `people`",
        "people.where": "must be true or false, is VARCHAR",
        "orders.items.on": "no column `order` in `lines` (did you mean `order_id`?)",
        "orders.items.where": "no column `cnt` in `lines` (did you mean `count`?)",
        "orders.items.fields.Sku": "No function matches the given name and argument types "
        "'lower(INTEGER)'. You might need to add explicit type casts.",
    }


@pytest.mark.parametrize(
    ("mapping", "place", "cause"),
    [
        (people(lookups={"a": {"table": "orders"}}), "people.lookups.a.on", "no dlt child table"),
        (people(lookups={"people": {"table": "orders", "on": {"person": "id"}}}),
         "people.lookups.people", "means something else here"),
        (people(lookups={"o": {"table": "orders", "on": {"person": "id"}, "order": "totl"}}),
         "people.lookups.o.order", "(did you mean `total`?)"),
        (people(lookups={"o": {"table": "orders", "on": {"person": "id"}}}, fields={"Age": "o"}),
         "people.fields.Age", "`o` is a look-up; name one of its columns"),
        (people(lookups={"o": {"table": "orders", "on": {"person": "email"}}}),
         "people.lookups.o.on", "`person` of `orders` is INTEGER and `email` of"),
        (people(destroyed_when="email"), "people.destroyed_when", "must be true or false"),
        (people(id="{'a': id}"), "people.id", "it must be one value"),
        (people(id="emial"), "people.id", "(did you mean `email`?)"),
        (people(order="1 +"), "people.order", "syntax error"),
        (people(table="peolpe"), "people.table", "(did you mean `people`?)"),
        (people(table="", query="SELECT * FROM peple"), "people.query", "peple does not exist"),
        (people(table="", query="SELECT 1; SELECT 2"), "people.query", "more than one statement"),
        (people(fields={"Age": "row_number() OVER ()"}), "people.fields.Age", "at other rows"),
        (people(where="email > 5 +"), "people.where", "syntax error"),
        (orders(table="liness"), "orders.items.table", "(did you mean `lines`?)"),
        (orders(table="lines", on=""), "orders.items.on", "`lines` is no dlt child table"),
        (orders(on={"sku": "id"}), "orders.items.on", "load both with one data type"),
        (orders(table="", on="", column="total"), "orders.items.column", "JSON or LIST column"),
        (orders(table="", on="", column="lines", fields={"Sku": "variant.sku"}),
         "orders.items.fields.Sku", "write item ->> '$.variant.sku'"),
        (orders(table="", on="", column="lines", fields={"Sku": "coalesce(sku, SKU)"}),
         "orders.items.fields.Sku", "differ only in case"),
        (orders(lookups={"orders": {"table": "people", "on": {"id": "count"}}}),
         "orders.items.lookups.orders", "means something else here"),
        (orders(fields={"Sku": "orders.nope || sku"}), "orders.items.fields.Sku", "column `nope`"),
    ],
)  # fmt: skip
def test_fault(shop: Shop, mapping: dict[str, Any], place: str, cause: str) -> None:
    assert cause in shop.faults(mapping)[place]


def test_time_zone_that_is_none_is_a_fault_with_the_nearest(shop: Shop) -> None:
    faults = shop.faults({"timezone": "Europe/Berlim", **people()})
    assert faults == {
        "timezone": "no time zone `Europe/Berlim`; write an IANA name such as Europe/Berlin "
        "(did you mean `Europe/Berlin`?)"
    }


@pytest.mark.parametrize("name", ["_row", "_position", "_child"])
def test_column_with_a_name_of_ours_is_a_fault(shop: Shop, name: str) -> None:
    shop.run(f"ALTER TABLE shop.people ADD COLUMN {name} INTEGER")
    assert "a name of ours" in shop.faults(people(fields={"Age": name}))["people.fields.Age"]


def test_table_with_a_column_called_rowid_is_a_fault(shop: Shop) -> None:
    shop.run("ALTER TABLE shop.people ADD COLUMN rowid INTEGER")
    assert "rowid" in shop.faults(people())["people.table"]


# -- what is not there yet ------------------------------------------------------------------------


def test_column_not_there_yet_is_a_notice_where_the_field_is_optional(shop: Shop) -> None:
    bound = shop.bind(people(fields={"Age": "shoe_size", "Mail": "coalesce(emial, email)"}))
    assert {(notice.place, notice.text) for notice in bound.notices} == {
        ("people.fields.Age", "no column `shoe_size` in `people` yet, counts as NULL"),
        (
            "people.fields.Mail",
            "no column `emial` in `people` yet, counts as NULL (did you mean `email`?)",
        ),
    }
    assert bound["people"].notices == bound.notices


def test_column_not_there_yet_may_leave_an_expression_without_a_type(shop: Shop) -> None:
    shop.run("INSERT INTO shop.people (id, agreed) VALUES (1, true)")
    fields = {
        "Tags": "list_filter(tags, lambda x: x <> 'b')",
        "Mail": "profile ->> '$.mail'",
        "Balance": "balance + 1",
        "Active": "state = 'on'",
        "Joined": "joined",
    }
    (document,) = shop.documents(people(fields=fields), "people")
    assert document == {"Id": "1", "Consent": True} | dict.fromkeys(fields)


def test_table_not_there_yet_leaves_the_entity_out_with_a_notice(shop: Shop) -> None:
    bound = shop.bind(people(table="subscribers") | orders())
    assert list(bound) == ["orders"]
    assert [notice.text for notice in bound.notices] == ["no table `subscribers` yet"]


def test_faults_of_form_are_found_although_the_table_is_not_there(shop: Shop) -> None:
    faults = shop.faults(people(table="subscribers", fields={"Age": "a +", "Mail": "now()"}))
    assert list(faults) == ["people.fields.Mail", "people.fields.Age"]


def test_children_not_there_yet_are_none(shop: Shop) -> None:
    shop.run("INSERT INTO shop.orders (id, total) VALUES (1, 2.5)")
    fields = {"Sku": "coalesce(sku, variant.sku)", "Price": "orders.total", "Count": "list_sum(x)"}
    lookups = {"variant": {"table": "variants", "on": {"id": "variant_id"}, "order": "x"}}
    mapping = orders(table="rows", fields=fields, lookups=lookups, where="a AND b > 1", id="id")
    assert shop.documents(mapping, "orders") == [{"Number": "1", "Total": "2.50", "Lines": []}]
    notices = shop.bind(mapping)["orders"].notices
    assert [one.text for one in notices] == ["no table `rows` yet", "no table `variants` yet"]


def test_lookup_table_not_there_yet_is_empty(shop: Shop) -> None:
    shop.run("INSERT INTO shop.people (id, email, agreed) VALUES (1, 'a@example.com', true)")
    lookups = {"account": {"table": "accounts", "on": {"person": "id"}, "order": "opened DESC"}}
    fields = {"Mail": "coalesce(account.mail, email)", "Balance": "account.balance * 2"}
    assert shop.documents(people(lookups=lookups, fields=fields), "people") == [
        {"Id": "1", "Mail": "a@example.com", "Balance": None, "Consent": True}
    ]


def test_column_of_children_not_there_yet_is_none(shop: Shop) -> None:
    shop.run("INSERT INTO shop.orders (id, total) VALUES (1, 2.5)")
    mapping = orders(table="", on="", column="positions")
    assert shop.documents(mapping, "orders") == [{"Number": "1", "Total": "2.50", "Lines": []}]


@pytest.mark.parametrize(
    ("missing", "existing", "near"),
    [
        ("order", ["orders"], "orders"),
        ("orders", ["orders__tax", "_dlt_loads"], None),  # a parent may come after its children
        ("orders__items", ["orders"], None),
        ("customers", ["customers_b2b"], "customers_b2b"),
        ("sales", ["orders"], None),
    ],
)
def test_missing_table_is_a_typing_error_only_when_one_is_close(
    shop: Shop, missing: str, existing: list[str], near: str | None
) -> None:
    shop.run("DROP TABLE shop.orders", *(f"CREATE TABLE shop.{one} (a INT)" for one in existing))
    assert Tables(shop.connection, "memory", "shop").lookalike(missing) == near


def test_table_that_is_mapped_elsewhere_is_no_typing_error(shop: Shop) -> None:
    shop.run("CREATE TABLE shop.people_b2b (id INTEGER, mail VARCHAR)", "DROP TABLE shop.people")
    lookups = {"other": {"table": "people_b2b", "on": {"id": "person"}}}
    bound = shop.bind(people() | {"orders": {**orders()["orders"], "lookups": lookups}})
    assert list(bound) == ["orders"]


# -- names ----------------------------------------------------------------------------------------


def test_names_are_case_insensitive_as_in_sql(shop: Shop) -> None:
    shop.run("INSERT INTO shop.people VALUES (1, 'a@example.com', true, NULL, 'l', 'r')",
             "INSERT INTO shop.people__addresses VALUES ('Bonn', 'r', 0)")  # fmt: skip
    mapping = people(
        table="People",
        lookups={"Address": {"table": "PEOPLE__addresses", "order": "_DLT_list_idx"}},
        fields={"Id": "ID", "Mail": "People.EMAIL", "Tags": "[address.CITY, ADDRESS.city]"},
    )
    (document,) = shop.documents(mapping, "people")
    assert document["Tags"] == ["Bonn", "Bonn"]
    assert shop.bind(mapping)["people"].tables == {"people", "people__addresses"}


def test_columns_may_be_called_anything(shop: Shop) -> None:
    shop.run(
        'CREATE TABLE shop."Önskade kunder" ("order" INT, "first name" VARCHAR, "say ""hi""" INT,'
        ' "größe" VARCHAR, "select" BOOLEAN, "--x" INT)',
        """INSERT INTO shop."Önskade kunder" VALUES (1, 'Anna', 2, 'XL', true, 3)""",
    )
    mapping = people(
        table="önskade kunder",
        order="order DESC",
        where='"select"',
        fields={
            "Id": "order",
            "Mail": '"first name" || größe -- with a comment',
            "Age": '"say ""hi"""',
            "Balance": '"--x" + 1',
            "Consent": "select",
        },
    )
    assert shop.documents(mapping, "people") == [
        {"Id": "1", "Mail": "annaxl", "Age": "2", "Balance": "4", "Consent": True}
    ]


def test_only_what_is_named_is_read(shop: Shop) -> None:
    address = {"table": "people__addresses", "order": "_dlt_list_idx"}
    bound = shop.bind(people(lookups={"address": address}, fields={"Tags": "[address.city]"}))
    entity = bound["people"]
    assert set(entity.root.columns) == {"id", "email", "agreed", "_dlt_id"}
    # Keys are asked for over the whole table, so nothing else is read for them.
    assert set(entity.keyed.columns) == {"id", "email", "_dlt_id"}
    assert [lookup.columns for lookup in entity.keyed.lookups] == [()]
    assert [lookup.columns for lookup in entity.root.lookups] == [("city",)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"table": "", "query": "FROM people"}, "its root is a query"),
        ({"table": "people__addresses", "fields": {"Id": "city", "Mail": "city", "Consent": True}},
         "`people__addresses` has no load ids"),
        ({"lookups": {"a": {"table": "people__addresses", "on": {"city": "email"}}}},
         "the look-up `people__addresses` has no load ids"),
    ],
)  # fmt: skip
def test_reason_for_comparing_everything(
    shop: Shop, changes: dict[str, Any], reason: str | None
) -> None:
    assert shop.bind(people(**changes))["people"].always_full == reason


@pytest.mark.parametrize(
    ("changes", "identity"),
    [
        ({}, "Mail"),
        ({"id": "id"}, "Id"),
        ({"id": "_dlt_id"}, None),
        ({"id": "email"}, "Mail"),
    ],
)
def test_identity_is_the_field_that_holds_the_source_id(
    shop: Shop, changes: dict[str, Any], identity: str | None
) -> None:
    assert shop.bind(people(**changes))["people"].identity == identity
