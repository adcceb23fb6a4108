from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenit_destination.engine.canonical import canonical, decimal_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | DECIMALS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("19.990000000", "19.99"),
        ("1E+3", "1000"),
        ("1000", "1000"),
        ("-0.00", "0"),
        ("0E-10", "0"),
        ("1E-7", "0.0000001"),
        ("-1.50", "-1.5"),
        ("12345678901234567890.1234567890", "12345678901234567890.123456789"),
    ],
)
def test_decimals_are_written_with_their_own_digits(number, text):
    assert decimal_text(Decimal(number)) == text
    assert canonical({"a": Decimal(number)}).decode() == f'{{"a":{text}}}'


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_canonical_json_reads_back_exactly(payload):
    read = json.loads(canonical(payload), parse_float=Decimal, parse_int=Decimal)
    assert read == payload


@given(DECIMALS)
def test_decimal_text_is_exact_and_minimal(number):
    text = decimal_text(number)
    assert Decimal(text) == number
    assert "E" not in text
    assert "." not in text or text[-1] not in ".0"


def test_order_of_insertion_does_not_matter():
    assert canonical({"b": 1, "a": {"d": 1, "c": 2}}) == canonical({"a": {"c": 2, "d": 1}, "b": 1})


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), object(), {1, 2}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(TypeError):
        canonical({"a": value})
