"""Consent is never invented: a row of yesterday does not undo today's withdrawal (rule 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.plain import PlainShop

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def withdrawn(tmp_path: Path) -> PlainShop:
    """A shop of which person 1 has given consent in January and withdrawn it in June."""
    shop = PlainShop(tmp_path, customers=3)
    shop.push()
    shop.change("optin = false, consent_at = TIMESTAMPTZ '2026-06-01'", "id = 1")
    assert shop.push().requests == 1
    assert shop.held("p1@example.com")["GdprOptin"] is False
    return shop


@pytest.mark.parametrize("given_at", ["2026-01-01", "2026-06-01"])
def test_consent_not_newer_than_the_withdrawal_is_not_sent(
    withdrawn: PlainShop, given_at: str
) -> None:
    withdrawn.change(f"optin = true, consent_at = TIMESTAMPTZ '{given_at}'", "id = 1")
    report = withdrawn.push()
    assert report.requests == 0
    assert withdrawn.held("p1@example.com")["EmailOptin"] is False
    told = {(what, name) for _, what, name, _ in report.left_out}
    assert told == {("warnings", "EmailOptin"), ("warnings", "GdprOptin")}


def test_newer_consent_lifts_the_withdrawal(withdrawn: PlainShop) -> None:
    withdrawn.change("optin = true, consent_at = TIMESTAMPTZ '2026-07-01'", "id = 1")
    assert withdrawn.push().requests == 1
    assert withdrawn.held("p1@example.com")["GdprOptin"] is True


def test_other_changes_of_a_stale_row_travel_without_its_consent(withdrawn: PlainShop) -> None:
    withdrawn.change(
        "first_name = 'Eve', optin = true, consent_at = TIMESTAMPTZ '2026-01-01'", "id = 1"
    )
    withdrawn.push()
    held = withdrawn.held("p1@example.com")
    assert (held["Name"], held["EmailOptin"], held["GdprOptin"]) == ("Eve", False, False)


def test_consent_time_itself_is_never_sent(withdrawn: PlainShop) -> None:
    assert not any(b"_consent_at" in request.body for request in withdrawn.transport.requests)
