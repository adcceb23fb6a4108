from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.engine.mapping import Mapping, merged
from replenit_destination.exceptions import MappingError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.engine.conftest import Shop

PEOPLE: dict[str, Any] = {
    "people": {"table": "people", "fields": {"Id": "id", "Consent": "agreed"}},
}
ORDERS: dict[str, Any] = {
    "orders": {
        "table": "orders",
        "fields": {"Number": "id", "Total": "total"},
        "items": {"table": "orders__items", "fields": {"Sku": "sku"}},
    }
}


@pytest.fixture
def presets(tmp_path: Path, shop: Shop) -> Path:
    (tmp_path / "plain.toml").write_text(
        """
        timezone = "Europe/Berlin"
        [people]
        table = "people"
        where = "NOT test"
        [people.lookups.address]
        table = "addresses"
        on = { person = "id" }
        [people.fields]
        Id = "id"
        Mail = "address.mail"
        Consent = { rule = "either" }
        Active = "active"
        [orders]
        table = "orders"
        [orders.fields]
        Number = "id"
        [orders.items]
        table = "lines"
        on = { order_id = "id" }
        [orders.items.fields]
        Sku = "sku"
        """,
        encoding="utf-8",
    )
    shop.presets = tmp_path
    return tmp_path


# -- where it comes from --------------------------------------------------------------------------


def test_file_is_read_with_the_byte_order_mark_of_windows_editors(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text('preset = "plain"', encoding="utf-8-sig")
    assert Mapping.load(str(file)).tables == {"preset": "plain"}
    assert Mapping.load(file).name == "shop.toml"


def test_text_without_a_path_is_a_preset() -> None:
    assert Mapping.load("plain").tables == {"preset": "plain"}


def test_mapping_and_dict_are_taken_as_they_are() -> None:
    mapping = Mapping(PEOPLE)
    assert Mapping.load(mapping) is mapping
    assert Mapping.load(PEOPLE) == mapping


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "no such file"), ("[people", "is not valid TOML"), (b"\xff", "is not valid TOML")],
)
def test_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | bytes | None, cause: str
) -> None:
    file = tmp_path / "shop.toml"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(MappingError, match=rf"`shop.toml`: {cause}"):
        Mapping.load(file)


def test_folder_instead_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="cannot be read"):
        Mapping.load(tmp_path)


# -- faults ---------------------------------------------------------------------------------------


def test_all_faults_of_form_are_reported_at_once(shop: Shop) -> None:
    faults = shop.faults(
        {
            "amount": "gross",
            "timezone": 3,
            "peopel": {},
            "people": {
                "table": "people",
                "query": "SELECT 1",
                "ordr": "id",
                "lookups": {"address": {"on": {}}},
                "fields": {
                    "id": "id",
                    "Mial": "email",
                    "Age": ["age"],
                    "Consent": {"rule": "eiter"},
                },
            },
            "orders": {
                "items": {"table": "a", "column": "b", "on": {"x": 1}, "fields": []},
                "fields": {"Total": {"gross": "total"}},
            },
        }
    )
    assert faults == {
        "amount": "is not a setting of a mapping (did you mean `amounts`?)",
        "timezone": "write a text",
        "peopel": "is not a setting of a mapping (did you mean `people`?)",
        "people": "needs either `table` or `query`",
        "people.ordr": "is not a setting of a mapping (did you mean `order`?)",
        "people.lookups.address": "needs `table`",
        "people.lookups.address.on": "say which columns join: { their_column = our_column }",
        "people.fields.id": "the target has no such field (did you mean `Id`?)",
        "people.fields.Id": "is required and not mapped (did you mean `id`?)",
        "people.fields.Mial": "the target has no such field (did you mean `Mail`?)",
        "people.fields.Age": "write a column, an SQL expression, { rule = … } or "
        "{ gross = …, net = … }",
        "people.fields.Consent": "no rule `eiter`; there are always, either "
        "(did you mean `either`?)",
        "orders": "needs either `table` or `query`",
        "orders.items": "needs either `table` or `column`",
        "orders.items.on": "goes with `table`, a column's rows are in the parent",
        "orders.items.on.x": "write a text",
        "orders.items.fields": "write a table, [orders.items.fields]",
        "orders.items.fields.Sku": "is required and not mapped",
        "orders.fields.Number": "is required and not mapped",
        "amounts": 'say "gross" or "net"; `orders.fields.Total` depends on it',
    }


def test_choice_that_only_the_shop_can_make_is_asked(shop: Shop) -> None:
    mapping = copy.deepcopy(PEOPLE)
    del mapping["people"]["fields"]["Consent"]
    assert shop.faults(mapping) == {"people.fields.Consent": "who agreed? There is no default."}


def test_entity_without_its_children_is_a_fault(shop: Shop) -> None:
    mapping = copy.deepcopy(ORDERS)
    del mapping["orders"]["items"]
    assert list(shop.faults(mapping)) == ["orders.items"]


def test_mapping_of_nothing_is_a_fault(shop: Shop) -> None:
    assert shop.faults({"timezone": "UTC"}) == {
        "mapping": "maps nothing; write one of [people], [orders]"
    }


def test_message_names_the_file_and_every_place(shop: Shop) -> None:
    with pytest.raises(MappingError) as caught:
        shop.read(Mapping({"people": {}}, name="shop.toml"))
    assert str(caught.value).splitlines() == [
        "shop.toml has 3 faults:",
        "  `people`: needs either `table` or `query`",
        "  `people.fields.Id`: is required and not mapped",
        "  `people.fields.Consent`: who agreed? There is no default.",
    ]


# -- values ---------------------------------------------------------------------------------------


def test_constants_may_be_written_as_toml_values(shop: Shop) -> None:
    fields = {"Id": 7, "Consent": True, "Balance": 1.5}
    people = shop.read({"people": {"table": "people", "fields": fields}})["people"]
    assert people.fields == {"Id": "7", "Consent": "true", "Balance": "1.5"}


@pytest.mark.parametrize(("amounts", "expression"), [("gross", "total"), ("net", "total - tax")])
def test_amounts_pick_among_expressions(shop: Shop, amounts: str, expression: str) -> None:
    mapping = copy.deepcopy(ORDERS) | {"amounts": amounts}
    mapping["orders"]["fields"]["Total"] = {"gross": "total", "net": "total - tax"}
    assert shop.read(mapping)["orders"].fields["Total"] == expression


def test_amounts_must_be_one_of_two(shop: Shop) -> None:
    faults = shop.faults(ORDERS | {"amounts": "grosss"})
    assert faults["amounts"] == "write one of gross, net (did you mean `gross`?)"


def test_amount_without_the_chosen_expression_is_a_fault(shop: Shop) -> None:
    mapping = copy.deepcopy(ORDERS) | {"amounts": "net"}
    mapping["orders"]["fields"]["Total"] = {"gross": "total"}
    assert 'amounts = "net"' in shop.faults(mapping)["orders.fields.Total"]


def test_rule_for_a_field_without_rules_is_a_fault(shop: Shop) -> None:
    mapping = copy.deepcopy(PEOPLE)
    mapping["people"]["fields"]["Age"] = {"rule": "always"}
    assert "there are none for this field" in shop.faults(mapping)["people.fields.Age"]


def test_field_can_be_added_where_the_mapping_has_the_entity(shop: Shop, presets: Path) -> None:
    mapping = Mapping({"preset": "plain"}).with_field("people", "Consent", {"rule": "always"})
    assert shop.read(mapping)["people"].rules == {"Consent": "true"}
    orders = Mapping(ORDERS).with_field("people", "Consent", {"rule": "always"})
    assert list(shop.read(orders)) == ["orders"]


# -- presets --------------------------------------------------------------------------------------


def test_unknown_preset_is_the_only_fault(shop: Shop, presets: Path) -> None:
    assert shop.faults({"preset": "plian", "people": {}}) == {
        "preset": "no preset `plian`; shipped are plain (did you mean `plain`?)"
    }


def test_preset_is_kept_where_nothing_else_is_written(shop: Shop, presets: Path) -> None:
    people = shop.read({"preset": "plain", "people": {"fields": {"Mail": "mail"}}})["people"]
    assert people.fields == {"Id": "id", "Mail": "mail", "Active": "active"}
    assert (people.table, people.where, people.timezone) == ("people", "NOT test", "Europe/Berlin")


def test_empty_text_takes_an_entry_of_the_preset_out(shop: Shop, presets: Path) -> None:
    changes = {"where": "", "fields": {"Mail": " "}, "lookups": {"address": ""}}
    found = shop.read({"preset": "plain", "timezone": "", "people": changes, "orders": ""})
    people = found["people"]
    assert list(found) == ["people"]
    assert people.where is None
    assert "Mail" not in people.fields
    assert people.lookups == ()
    assert people.timezone is None


def test_required_field_taken_out_is_a_fault(shop: Shop, presets: Path) -> None:
    changes = {"preset": "plain", "people": {"fields": {"Id": ""}}}
    assert shop.faults(changes)["people.fields.Id"] == "is required and not mapped"


def test_new_source_displaces_the_old_one_and_its_join(shop: Shop, presets: Path) -> None:
    changes = {"preset": "plain", "orders": {"items": {"column": "lines"}}}
    child = shop.read(changes)["orders"].child
    assert (child.table, child.column, dict(child.on)) == (None, "lines", {})


def test_join_is_replaced_whole() -> None:
    base = {"lookups": {"a": {"table": "t", "on": {"x": "id"}}}}
    changed = merged(base, {"lookups": {"a": {"on": {"y": "id"}}}})
    assert changed == {"lookups": {"a": {"table": "t", "on": {"y": "id"}}}}
    assert base == {"lookups": {"a": {"table": "t", "on": {"x": "id"}}}}


def test_amounts_of_a_field_are_replaced_whole() -> None:
    base = {"fields": {"Total": {"gross": "a", "net": "b"}}}
    assert merged(base, {"fields": {"Total": "c"}}) == {"fields": {"Total": "c"}}
