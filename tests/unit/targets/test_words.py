from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenit_destination.targets.replenit.words import field_name, scrub


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Maximum length is 100 characters.", "Maximum length is 100 characters."),
        ("The Email field is required.", "The Email field is required."),
        ("Customer anna@example.com exists", "Customer [e-mail] exists"),
        ("mailto:<anna@example.com>!", "[e-mail]"),
        ("call +1 (415) 555-0123 now", "call [number] now"),
        ("number 0301234567", "number [number]"),
        ("order 1234567 is bad", "order [number] is bad"),
        ("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id [id]"),
        ("id gid://shopify/Order/450789469", "id gid://shopify/Order/[number]"),
        ("key c2VjcmV0LWtleQ1x9", "key [id]"),
        ("see https://api.example.com/?email=x", "see [address]"),
        ("The value 'Anna Muster' is bad", "The value [value] is bad"),
        ("The field 'Email' is bad", "The field 'Email' is bad"),
        ("Path '$[0].OrderDate' is bad", "Path '$[0].OrderDate' is bad"),
        ("two\nlines\x00", "two lines"),
        ("x y " * 200, "x y " * 74 + "x y…"),
    ],
)
def test_words_keep_their_sense_and_lose_personal_data(said, kept):
    assert scrub(said) == kept


@pytest.mark.parametrize("path", ["Email", "OrderItems[2].Sku", "order_id"])
def test_field_paths_are_kept(path):
    assert field_name(path) == path


@pytest.mark.parametrize("path", ["anna@example.com", "a b", "x" * 121, "[0]", "+14155550123"])
def test_what_is_no_field_path_is_dropped(path):
    assert field_name(path) == ""


@given(st.text(max_size=50), st.emails(), st.text(max_size=50))
def test_no_address_survives(before, address, after):
    assert address not in scrub(f"{before} {address} {after}")


@given(st.text(min_size=4), st.text(max_size=40))
def test_scrubbing_is_short_and_on_one_line(secret, text):
    cleaned = scrub(f"{text} {secret}" * 20, [secret])
    assert len(cleaned) <= 300
    assert "\n" not in cleaned
