"""Tables that are not what they were hold their entity, with its price, until a word."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.plain import MAPPING, PlainShop

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.report import Report

PEOPLE = 600


@pytest.fixture
def shop(tmp_path: Path) -> PlainShop:
    shop = PlainShop(tmp_path, customers=PEOPLE)
    assert shop.push().requests == 2
    return shop


def with_fields(**fields: Any) -> dict[str, Any]:
    mapping = copy.deepcopy(MAPPING)
    mapping["customers"]["fields"] |= fields
    return mapping


def run(shop: PlainShop, *statements: str) -> None:
    for statement in statements:
        shop.connection.execute(statement)


def reasons(report: Report) -> list[str]:
    return [reason for one in report.held for reason in one.reasons]


def two_entities(folder: Path) -> PlainShop:
    shop = PlainShop(folder, customers=80)
    run(
        shop,
        "CREATE TABLE shop.articles AS SELECT i AS id, 'Article ' || i AS title, 9.5 AS price,"
        " 'l0' AS _dlt_load_id, 'a' || i AS _dlt_id FROM range(40) t(i)",
        "CREATE TABLE shop.forms AS SELECT i AS article, 'S' || i AS sku,"
        " 'Blue' AS title, 9.5 AS price, 'l0' AS _dlt_load_id, 'f' || i AS _dlt_id"
        " FROM range(40) t(i)",
    )
    shop.mapping = copy.deepcopy(MAPPING) | {
        "products": {
            "table": "articles",
            "fields": {"ProductId": "id", "ProductName": "title"},
            "variants": {
                "table": "forms",
                "on": {"article": "id"},
                "fields": {
                    "VariantId": "sku",
                    "Sku": "sku",
                    "Name": "title",
                    "OriginalPrice": "price",
                    "Currency": "'EUR'",
                    "IsAvailable": "true",
                },
            },
        }
    }
    report = shop.push()
    assert report.exit_code == 0, report.summary
    return shop


def test_new_variant_is_held_and_told(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name__v_bigint BIGINT")
    assert shop.push().held == []  # it has no values yet, so nothing is lost
    shop.change("first_name = NULL, first_name__v_bigint = 7", "id < 3")
    report = shop.push()
    (held,) = report.held
    assert (held.entity, held.kind, held.documents, held.of) == ("customers", "schema", 3, PEOPLE)
    assert (report.requests, report.exit_code, report.entities["customers"].backlog) == (0, 1, 3)
    assert held.reasons == (
        "`first_name` of `customers` (for Name) is empty in 3 rows that have its value in"
        " `first_name__v_bigint`, which the mapping does not read; write"
        " coalesce(first_name, first_name__v_bigint::VARCHAR)",
    )
    assert "--accept-schema (accept_schema) lets them go" in report.summary
    assert "costs 1 request," in report.summary
    assert shop.held("p1@example.com")["Name"] == "Ada"


def test_coalesced_variant_is_not_held(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name__v_bigint BIGINT")
    shop.change("first_name = NULL, first_name__v_bigint = 7", "id < 3")
    assert shop.push().requests == 0
    shop.mapping = with_fields(Name="coalesce(first_name, first_name__v_bigint::VARCHAR)")
    report = shop.push()
    assert (report.requests, report.exit_code, report.held) == (1, 0, [])
    assert shop.held("p1@example.com")["Name"] == "7"
    assert shop.push().requests == 0


def test_accepted_variant_is_remembered_and_another_is_not(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name__v_bigint BIGINT")
    shop.change("first_name = NULL, first_name__v_bigint = 7", "id < 3")
    report = shop.push(accept_schema=True)
    assert (report.requests, report.exit_code) == (1, 0)
    shop.change("first_name = NULL, first_name__v_bigint = 8", "id = 5")
    assert shop.push().held == []
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name__v_bool BOOLEAN")
    shop.change("first_name = NULL, first_name__v_bool = true", "id = 6")
    assert "first_name__v_bool" in reasons(shop.push())[0]


def test_variant_that_is_there_at_the_first_run_is_held(tmp_path: Path) -> None:
    shop = PlainShop(tmp_path, customers=20)
    run(
        shop,
        "ALTER TABLE shop.customers ADD COLUMN optin__v_text VARCHAR",
        "UPDATE shop.customers SET optin = NULL, optin__v_text = 'yes' WHERE id < 8",
    )
    report = shop.push()
    assert (report.requests, report.exit_code, report.held[0].documents) == (0, 1, 20)
    assert "for EmailOptin, GdprOptin) is empty in 8 rows" in reasons(report)[0]
    report = shop.push(accept_schema=True)
    assert (report.entities["customers"].created, report.exit_code) == (20, 0)


def test_bad_value_among_good_ones_is_told_and_holds_nothing(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name__v_bigint BIGINT")
    shop.change("first_name = 'Eve'", "id < 5")
    run(shop, "UPDATE shop.customers SET first_name = NULL, first_name__v_bigint = 7 WHERE id < 2")
    report = shop.push()
    assert (report.held, report.entities["customers"].updated) == ([], 5)
    assert "is empty in 2 rows that have its value in `first_name__v_bigint`" in report.notices[0]
    shop.change("first_name = NULL, first_name__v_bigint = 7", "id > 500 AND id < 504")
    assert shop.push().held != []


def test_consent_in_a_new_place_is_held_however_few(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ADD COLUMN optin__v_text VARCHAR")
    shop.change("first_name = 'Eve'", "id < 5")
    run(shop, "UPDATE shop.customers SET optin = NULL, optin__v_text = 'yes' WHERE id = 2")
    report = shop.push()
    assert (report.requests, report.held[0].documents) == (0, 5)
    assert shop.held("p2@example.com")["GdprOptin"] is True


def test_value_that_became_an_object_or_a_list_is_held(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name__given VARCHAR")
    shop.change("first_name = NULL, first_name__given = 'Eve'", "id < 3")
    assert "`first_name__given`" in reasons(shop.push())[0]
    shop.change("first_name = 'Ada', first_name__given = NULL", "id < 3")
    assert shop.push().held == []
    run(
        shop,
        "CREATE TABLE shop.customers__first_name AS SELECT 'Eve' AS value,"
        " 'r2' AS _dlt_parent_id, 0 AS _dlt_list_idx",
    )
    shop.change("first_name = NULL", "id = 2")
    assert "`customers__first_name`" in reasons(shop.push())[0]


def test_vanished_column_is_held_and_the_person_who_withdraws_is_heard(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers DROP COLUMN first_name")
    shop.change("optin = false", "id = 9")
    shop.change("email = 'new@example.com'", "id = 10")
    report = shop.push()
    (held,) = report.held
    assert held.reasons == ("`customers` has no column `first_name` any more (for Name)",)
    assert report.requests == 1
    assert shop.held("p9@example.com")["GdprOptin"] is False
    assert "new@example.com" not in shop.service.state()["customers"]
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name VARCHAR DEFAULT 'Ada'")
    assert shop.push().held == []
    assert shop.held("p9@example.com")["Name"] == "Ada"


def test_column_that_comes_back_leaves_only_true_changes(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers RENAME first_name TO forename")
    shop.change("consent_at = consent_at", "true")
    for _ in range(3):  # the hold lasts
        report = shop.push()
        assert (report.requests, report.held[0].documents) == (0, PEOPLE)
    run(shop, "ALTER TABLE shop.customers RENAME forename TO first_name")
    shop.change("first_name = 'Eve'", "id = 4")
    report = shop.push()
    assert (report.requests, report.exit_code, report.held) == (1, 0, [])
    assert report.entities["customers"].updated == 1
    assert report.entities["customers"].backlog == 0


def test_column_that_comes_late_is_read_in_rows_of_old_loads_too(tmp_path: Path) -> None:
    shop = PlainShop(tmp_path, customers=PEOPLE)
    shop.mapping = with_fields(Phone="phone")
    assert shop.push().requests == 2  # no such column yet
    run(
        shop,
        "ALTER TABLE shop.customers ADD COLUMN phone VARCHAR",
        "UPDATE shop.customers SET phone = '+4930123456' WHERE id < 3",
    )
    report = shop.push()
    assert (report.requests, report.exit_code) == (1, 0)
    assert report.entities["customers"].compared == "a column came to be"
    assert shop.held("p1@example.com")["Phone"] == "+4930123456"
    assert shop.push().entities["customers"].compared == ""


def test_renamed_column_goes_on_with_a_new_mapping(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers RENAME first_name TO forename")
    assert shop.push().held[0].kind == "schema"
    shop.mapping = with_fields(Name="forename")
    report = shop.push()
    assert (report.requests, report.exit_code, report.held) == (0, 0, [])


def test_column_of_another_type_is_held_and_a_wider_number_is_not(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ALTER id TYPE HUGEINT")
    assert shop.push().held == []
    run(shop, "ALTER TABLE shop.customers ALTER optin TYPE VARCHAR")
    shop.change("optin = 'subscribed'", "true")
    report = shop.push()
    assert "`optin` of `customers` was BOOLEAN and is VARCHAR now" in reasons(report)[0]
    assert report.requests == 0  # nobody withdrew anything
    assert shop.held("p1@example.com")["GdprOptin"] is True


def test_column_that_cannot_be_computed_with_any_more_is_held(shop: PlainShop) -> None:
    shop.mapping = with_fields(EmailOptin="CAST(optin AS INTEGER) = 1")
    assert shop.push().exit_code == 0
    run(shop, "ALTER TABLE shop.customers ALTER optin TYPE VARCHAR")
    shop.change("optin = 'subscribed'", "id < 5")
    report = shop.push()
    (held,) = report.held
    assert "cannot be computed with" in held.reasons[-1]
    assert (held.accept, report.requests, report.exit_code) == ("", 0, 1)
    shop.mapping = with_fields(EmailOptin="optin IN ('true', 'subscribed')")
    report = shop.push(accept_schema=True)
    assert (report.requests, report.exit_code) == (0, 0)
    assert shop.push().exit_code == 0


def test_vanished_column_that_is_required_holds_its_entity_alone(tmp_path: Path) -> None:
    shop = two_entities(tmp_path)
    run(shop, "ALTER TABLE shop.customers DROP COLUMN email")
    run(shop, "UPDATE shop.articles SET title = 'Cup', _dlt_load_id = 'l9' WHERE id = 1")
    report = shop.push(accept_schema=True)  # nothing could be sent: no word helps
    (held,) = report.held
    assert (held.entity, held.accept, report.exit_code) == ("customers", "", 1)
    assert "`customers` has no column `email` any more (for Email)" in held.reasons
    assert (report.requests, report.entities["products"].updated) == (1, 1)
    run(shop, "ALTER TABLE shop.customers ADD COLUMN email VARCHAR")
    run(shop, "UPDATE shop.customers SET email = 'p' || id || '@example.com'")
    report = shop.push()
    assert (report.requests, report.exit_code) == (0, 0)


def test_mapping_that_never_fitted_is_a_fault_as_before(tmp_path: Path) -> None:
    from replenit_destination.exceptions import MappingError

    shop = PlainShop(tmp_path, customers=5)
    shop.mapping = with_fields(CustomerId="number", Email="mail")
    with pytest.raises(MappingError, match="no column `mail`"):
        shop.push()
    shop.mapping = MAPPING
    shop.push()
    shop.mapping = with_fields(Email="mail")
    with pytest.raises(MappingError, match="no column `mail`"):
        shop.push()


def test_query_that_no_longer_fits_is_held(tmp_path: Path) -> None:
    shop = PlainShop(tmp_path, customers=20)
    shop.mapping = copy.deepcopy(MAPPING)
    del shop.mapping["customers"]["table"]
    shop.mapping["customers"]["query"] = (
        "SELECT id, email, lower(first_name) AS first_name, optin, consent_at FROM customers"
    )
    assert shop.push().exit_code == 0
    run(shop, "ALTER TABLE shop.customers ADD COLUMN first_name__v_bigint BIGINT")
    shop.change("first_name = NULL, first_name__v_bigint = 1", "true")
    assert "`first_name__v_bigint`" in reasons(shop.push())[0]
    shop.change("first_name = 'Ada', first_name__v_bigint = NULL", "true")
    assert shop.push().exit_code == 0
    run(shop, "ALTER TABLE shop.customers DROP COLUMN first_name")
    report = shop.push()
    assert (report.exit_code, report.held[0].accept, report.requests) == (1, "", 0)


def test_vanished_look_up_table_is_held(shop: PlainShop) -> None:
    run(
        shop,
        "CREATE TABLE shop.phones AS SELECT id AS person, '+49170' || 1000000 + id AS number,"
        " 'load-0' AS _dlt_load_id FROM shop.customers",
    )
    shop.mapping = with_fields(Phone="phone.number")
    shop.mapping["customers"]["lookups"] = {"phone": {"table": "phones", "on": {"person": "id"}}}
    assert shop.push(accept_resend=True).exit_code == 0
    run(shop, "DROP TABLE shop.phones")
    report = shop.push(full=True)
    assert reasons(report) == [
        "the table `phones` is not in the dataset any more (for Phone, customers.lookups.phone.on)",
        f"Phone changes in {PEOPLE} of {PEOPLE} documents, in {PEOPLE} of them to nothing",
    ]
    assert report.requests == 0


def test_removals_of_a_held_entity_wait_and_erasures_do_not(tmp_path: Path) -> None:
    shop = two_entities(tmp_path)
    for table in ("articles", "customers"):
        run(shop, f"ALTER TABLE shop.{table} ADD COLUMN gone BOOLEAN DEFAULT false")
    shop.mapping["customers"]["destroyed_when"] = "gone"
    assert shop.push().exit_code == 0
    run(
        shop,
        "ALTER TABLE shop.articles DROP COLUMN title",
        "ALTER TABLE shop.customers DROP COLUMN first_name",
        "DELETE FROM shop.articles WHERE id = 1",
        "UPDATE shop.customers SET gone = true, _dlt_load_id = 'l1' WHERE id = 1",
    )
    report = shop.push()
    assert {one.entity for one in report.held} == {"customers", "products"}
    assert report.entities["customers"].deleted == 1
    assert report.entities["products"].deleted == 0
    run(shop, "ALTER TABLE shop.articles ADD COLUMN title VARCHAR")
    run(shop, "UPDATE shop.articles SET title = 'Article ' || id")
    report = shop.push(entities=["products"])
    assert (report.entities["products"].deleted, report.entities["products"].updated) == (1, 0)
