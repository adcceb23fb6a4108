from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.engine.conftest import Shop


def rendered(shop: Shop, field: str, value: str, **options: str) -> Any:
    shop.run(f"CREATE OR REPLACE TABLE shop.people AS SELECT {value} AS x")
    return shop.person(**{field: "x"}, **options)[field]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("' anna '", "anna"),
        (r"E'\t\n'", None),
        ("chr(160) || 'a b' || chr(160)", "a b"),
        ("''", None),
        ("NULL::VARCHAR", None),
        ("12", "12"),
        (
            "170141183460469231731687303715884105727::HUGEINT",
            "170141183460469231731687303715884105727",
        ),
        ("12.0::DOUBLE", "12"),
        ("12.5::DOUBLE", "12.5"),
        ("'inf'::DOUBLE", "inf"),
        ("'nan'::DOUBLE", "nan"),
        ("12::DECIMAL(38, 9)", "12"),
        ("1.5::DECIMAL(38, 9)", "1.5"),
        ("0::DECIMAL(10, 2)", "0"),
        ("100::DECIMAL(10, 0)", "100"),
        ("'6f9619ff-8b86-d011-b42d-00c04fc964ff'::UUID", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("'b'::ENUM('a', 'b')", "b"),
        ("""'"quoted"'::JSON""", "quoted"),
        ("'12'::JSON", "12"),
        ("'null'::JSON", None),
        ("true", "true"),
        ("'Größe ✓'", "Größe ✓"),
    ],
)
def test_text(shop: Shop, value: str, text: str | None) -> None:
    mapped = shop.run(f"CREATE TABLE shop.people AS SELECT {value} AS x").person(Id="x")
    assert mapped["Id"] == text


def test_folded_text_is_lower_case(shop: Shop) -> None:
    assert rendered(shop, "Mail", "' Änne@Example.COM '") == "änne@example.com"


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ("19.99::DECIMAL(38, 9)", "19.990000000"),
        ("12345678901234567890.123456789::DECIMAL(38, 9)", "12345678901234567890.123456789"),
        ("19.99::DOUBLE", "19.99"),
        ("0.1::FLOAT", "0.1"),
        ("3", "3"),
        ("' 7.50 '", "7.50"),
        ("'7.5'::JSON", "7.5"),
        ("'free'", "free"),
        ("NULL::INTEGER", None),
    ],
)
def test_decimal_stays_exact(shop: Shop, value: str, digits: str | None) -> None:
    assert rendered(shop, "Balance", value) == digits


@pytest.mark.parametrize(
    ("value", "boolean"),
    [
        ("true", True),
        ("1", True),
        ("0", False),
        ("2::DECIMAL(3, 0)", True),
        ("' Yes '", True),
        ("'N'", False),
        ("'t'", True),
        ("'maybe'", "maybe"),
        ("''", None),
        ("'true'::JSON", True),
        ("""'"no"'::JSON""", False),
        ("'yes'::ENUM('yes', 'no')", True),
        ("NULL::VARCHAR", None),
        ("NULL::BOOLEAN", None),
    ],
)
def test_boolean(shop: Shop, value: str, boolean: Any) -> None:
    assert rendered(shop, "Active", value) == boolean


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("TIMESTAMPTZ '2024-07-01 12:00:00+02'", "2024-07-01T10:00:00.000Z"),
        ("'2024-07-01T12:00:00.123456+02:00'", "2024-07-01T10:00:00.123Z"),
        ("'2024-07-01 12:00:00+02'", "2024-07-01T10:00:00.000Z"),
        ("'2024-07-01 12:00:00-0330'", "2024-07-01T15:30:00.000Z"),
        ("'2024-07-01T12:00:00Z'", "2024-07-01T12:00:00.000Z"),
        ("""'"2024-07-01T12:00:00Z"'::JSON""", "2024-07-01T12:00:00.000Z"),
        ("'2024-07-01T12:00:00'", "2024-07-01T12:00:00"),  # for the target to refuse
        ("'soon'", "soon"),
        ("'2024-13-01T12:00:00Z'", "2024-13-01T12:00:00Z"),
        ("NULL::TIMESTAMP WITH TIME ZONE", None),
    ],
)
def test_timestamp_that_says_its_zone(shop: Shop, value: str, moment: str | None) -> None:
    assert rendered(shop, "Joined", value) == moment


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("TIMESTAMP '2024-07-01 12:00:00'", "2024-07-01T10:00:00.000Z"),
        ("TIMESTAMP '2024-12-01 12:00:00'", "2024-12-01T11:00:00.000Z"),
        ("TIMESTAMP_NS '2024-07-01 12:00:00.123456789'", "2024-07-01T10:00:00.123Z"),
        ("TIMESTAMP_S '2024-07-01 12:00:00'", "2024-07-01T10:00:00.000Z"),
        ("DATE '2024-07-01'", "2024-07-01T10:00:00.000Z"),
        ("'2024-07-01'", "2024-07-01T10:00:00.000Z"),
        ("'2024-07-01 12:00:00'", "2024-07-01T10:00:00.000Z"),
        ("'2024-07-01T12:00'", "2024-07-01T10:00:00.000Z"),
        ("'2024-07-01T12:00:00Z'", "2024-07-01T12:00:00.000Z"),
        ("'2024-07-01 12:00:00 UTC'", "2024-07-01T12:00:00.000Z"),
        ("'01.07.2024'", "01.07.2024"),
        ("'1719828000'", "1719828000"),
    ],
)
def test_timestamp_in_the_declared_zone(shop: Shop, value: str, moment: str) -> None:
    assert rendered(shop, "Joined", value, timezone="Europe/Berlin") == moment


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("['Shoes', ' Boots ', '', NULL]", ["Shoes", "Boots"]),
        ("[1, 2]", ["1", "2"]),
        ("""'["Shoes", 7, null]'::JSON""", ["Shoes", "7"]),
        ("""'"Shoes"'::JSON""", ["Shoes"]),
        ("'null'::JSON", None),
        ("""['"Shoes"'::JSON]""", ["Shoes"]),
        ("'Shoes'", ["Shoes"]),
        ("' '", None),
        ("NULL::VARCHAR[]", None),
        ("[]::VARCHAR[]", []),
    ],
)
def test_texts(shop: Shop, value: str, texts: list[str] | None) -> None:
    assert rendered(shop, "Tags", value) == texts


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("Joined", "TIMESTAMP '2024-01-01'", 'timezone = "Europe/Berlin"'),
        ("Joined", "DATE '2024-01-01'", "is a date"),
        ("Joined", "1719828000", "to_timestamp(seconds)"),
        ("Age", "true", "is BOOLEAN, the target wants integer"),
        ("Balance", "DATE '2024-01-01'", "is DATE, the target wants decimal"),
        ("Active", "DATE '2024-01-01'", "is DATE, the target wants boolean"),
        ("Mail", "{'a': 1}", "the target wants text"),
        ("Mail", "'x'::BLOB", "is BLOB"),
        ("Tags", "[{'a': 1}]", "the target wants texts"),
        ("Tags", "12", "is INTEGER, the target wants texts"),
    ],
)
def test_type_that_cannot_fit_is_a_fault(shop: Shop, field: str, value: str, cause: str) -> None:
    shop.run(f"CREATE TABLE shop.people AS SELECT {value} AS x")
    fields = {"Id": "'1'", "Consent": True, field: "x"}
    faults = shop.faults({"people": {"table": "people", "fields": fields}})
    assert cause in faults[f"people.fields.{field}"]
