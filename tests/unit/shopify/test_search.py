"""Shopify's search syntax with its traps."""

from __future__ import annotations

import pytest

from replenit_destination.sandbox.shopify.search import parse_search

RECORD = {"id": 41, "updatedAt": "2026-05-01T10:00:00.400000+00:00", "email": "a@example.com"}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("updated_at:>='2026-05-01T10:00:00Z'", True),
        ("updated_at:>='2026-05-01T10:00:01Z'", False),
        ("updated_at:<'2026-05-01T10:00:00Z'", False),
        ("updated_at:>='2026-05-01T12:00:00+02:00' AND updated_at:<'2026-05-01T10:00:01Z'", True),
        ("id:41", True),
        ("id:42", False),
        ("email:A@example.com", True),
    ],
)
def test_quoted_terms_compare_exactly(query: str, matches: bool) -> None:
    search = parse_search("orders", query, "Europe/Berlin")
    assert not search.warnings
    assert search.matches(RECORD) is matches


def test_exclusive_bound_skips_its_whole_second() -> None:
    query = "updated_at:>'2026-05-01T10:00:00Z'"
    assert not parse_search("orders", query, "UTC").matches(RECORD)


def test_unquoted_time_becomes_midnight_in_the_shops_zone_and_a_junk_term() -> None:
    search = parse_search("orders", "updated_at:>=2026-05-01T23:00:00Z", "America/New_York")
    assert search.parsed == [
        {"field": "updated_at", "min": "2026-05-01T00:00:00-04:00"},
        {"field": "default", "match_all": "00:00Z"},
    ]
    assert search.matches(RECORD), "the wrong reading lets the earlier record in"


def test_unknown_field_matches_everything_and_warns_as_recorded() -> None:
    search = parse_search("customers", "updatedat:>='2026-05-01T10:00:00Z'", "UTC")
    assert search.matches(RECORD)
    assert search.warnings == [
        {
            "field": "updatedat",
            "message": "Invalid search field for this query.",
            "code": "invalid_field",
        }
    ]
