"""A field or a consent that changes in many documents at once holds its entity until a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.plain import PlainShop

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.engine.report import Report

PEOPLE = 600


@pytest.fixture
def shop(tmp_path: Path) -> PlainShop:
    shop = PlainShop(tmp_path, customers=PEOPLE)
    assert shop.push().requests == 2
    return shop


def run(shop: PlainShop, *statements: str) -> None:
    for statement in statements:
        shop.connection.execute(statement)


def reasons(report: Report) -> list[str]:
    return [reason for one in report.held for reason in one.reasons]


def test_field_that_changes_in_many_documents_is_held_with_its_price(shop: PlainShop) -> None:
    shop.change("first_name = 'Eve'", "id < 61")
    report = shop.push()
    assert reasons(report) == [f"Name changes in 61 of {PEOPLE} documents"]
    assert (report.held[0].documents, report.held[0].requests, report.requests) == (61, 1, 0)
    assert report.to_dict()["held"] == [
        {
            "entity": "customers",
            "kind": "schema",
            "documents": 61,
            "of": PEOPLE,
            "reasons": [f"Name changes in 61 of {PEOPLE} documents"],
            "requests": 1,
            "minutes": 0.0,
            "accept": "accept_schema",
        }
    ]
    report = shop.push(accept_schema=True)
    assert (report.requests, report.entities["customers"].updated) == (1, 61)
    assert (shop.push().requests, shop.push().exit_code) == (0, 0)


def test_share_is_of_all_documents_and_small_numbers_pass(shop: PlainShop) -> None:
    shop.change("first_name = 'Eve'", "id < 60")
    report = shop.push()
    assert (report.requests, report.held) == (1, [])


def test_fifty_documents_of_a_small_shop_pass(tmp_path: Path) -> None:
    shop = PlainShop(tmp_path, customers=60)
    shop.push()
    shop.change("first_name = 'Eve'", "id < 50")
    assert shop.push().held == []
    shop.change("first_name = 'Zoe'", "id < 51")
    assert shop.push().held != []


def test_field_that_changes_in_bulk_by_nature_is_held_only_when_it_empties(
    shop: PlainShop,
) -> None:
    shop.change("first_name = 'Eve'", "true")
    assert shop.push(bulk_changes=["customers.Name"]).entities["customers"].updated == PEOPLE
    shop.change("first_name = NULL", "id < 90")
    report = shop.push(bulk_changes=["customers.Name"])
    assert reasons(report) == [
        f"Name changes in 90 of {PEOPLE} documents, in 90 of them to nothing"
    ]


def test_new_customers_in_any_number_are_no_drift(shop: PlainShop) -> None:
    run(
        shop,
        "INSERT INTO shop.customers SELECT 1000 + id, 'n' || email, first_name, optin, consent_at,"
        " 'load-n', 'n' || _dlt_id FROM shop.customers",
    )
    report = shop.push()
    assert (report.entities["customers"].created, report.held) == (PEOPLE, [])


def test_values_written_otherwise_are_no_change(shop: PlainShop) -> None:
    run(shop, "ALTER TABLE shop.customers ALTER id TYPE DOUBLE")
    shop.change("first_name = first_name || ' '", "true")
    report = shop.push()
    assert (report.requests, report.held) == (0, [])


def test_accepted_change_needs_one_word_however_long_it_takes(shop: PlainShop) -> None:
    """A budget may end the run that was told to go on; the next one does not ask again."""
    shop.change("first_name = 'Eve', consent_at = TIMESTAMPTZ '2026-02-01'", "true")
    report = shop.push(accept_schema=True, max_requests=1)
    assert (report.requests, report.exit_code) == (1, 3)
    report = shop.push()
    assert (report.requests, report.exit_code, report.held) == (1, 0, [])


def test_two_days_below_the_limit_are_not_added_up(shop: PlainShop) -> None:
    for day in range(3):
        shop.change("first_name = 'Eve'", f"id >= {50 * day} AND id < {50 * (day + 1)}")
        report = shop.push(max_requests=0)
        assert report.held == []
    report = shop.push()
    assert (report.entities["customers"].updated, report.held) == (150, [])


def test_mass_opt_out_by_drift_does_not_travel(shop: PlainShop) -> None:
    shop.change("optin = NULL", "id < 100")
    report = shop.push()
    assert (report.requests, report.exit_code, report.held[0].documents) == (0, 1, 100)
    assert f"EmailOptin changes in 100 of {PEOPLE} documents, in 100 of them to nothing" in (
        reasons(report)
    )
    assert shop.held("p1@example.com")["GdprOptin"] is True


def test_person_who_withdraws_is_heard_while_another_field_drifts(shop: PlainShop) -> None:
    shop.change("first_name = NULL", "true")
    shop.change("optin = false", "id = 3")
    report = shop.push()
    assert (report.requests, report.held[0].documents) == (1, PEOPLE - 1)
    assert shop.held("p3@example.com")["EmailOptin"] is False
    assert shop.push().requests == 0


def test_consent_that_drips_away_is_held_although_few_have_lost_it(shop: PlainShop) -> None:
    """A renamed column stays in dlt's table, empty in every row that comes from then on."""
    shop.change("optin = NULL", "id < 12")
    report = shop.push()
    assert (report.requests, report.exit_code) == (0, 1)
    assert reasons(report) == [
        "EmailOptin is empty for every one of the 12 people of this run who had it"
    ]
    assert shop.push(accept_schema=True).requests == 1
    shop.change("optin = NULL", "id > 20 AND id < 40")
    assert shop.push().held == []  # accepted once


def test_people_who_say_no_are_heard_in_any_number_below_the_limit(shop: PlainShop) -> None:
    shop.change("optin = false", "id < 50")
    report = shop.push()
    assert (report.requests, report.held) == (1, [])


def test_one_empty_consent_among_others_is_a_withdrawal(shop: PlainShop) -> None:
    shop.change("optin = NULL", "id < 9")
    assert shop.push().requests == 1
    assert shop.held("p1@example.com")["GdprOptin"] is False
