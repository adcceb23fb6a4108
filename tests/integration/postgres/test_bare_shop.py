"""A shop that lacks what others have: no addresses, no SKUs, no currency, one product per order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replenit_destination.sandbox import ReplenitSandbox
from tests.integration.postgres.conftest import Delivered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.postgres.conftest import Database

SHOP = """
CREATE TABLE members (number int PRIMARY KEY, surname text, iban text);
CREATE TABLE courses (id int PRIMARY KEY, title text, fee numeric(8, 2));
CREATE TABLE bookings (
  id int PRIMARY KEY, member int, course int, booked_on date, fee numeric(8, 2)
);
INSERT INTO members VALUES (1, 'Berg', 'DE02'), (2, 'Öz', 'DE03');
INSERT INTO courses VALUES (7, 'Pottery', 80), (8, 'Yoga', 45.50);
INSERT INTO bookings VALUES
  (100, 1, 7, '2026-05-04', 80), (101, 2, 8, '2026-11-04', 40), (102, NULL, 8, '2026-11-05', 45.50),
  (103, 1, NULL, '2026-11-06', 10);
"""

# Every constant, default and derived identifier stands here, for everybody to read.
MAPPING: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "customers": {
        "table": "members",
        "fields": {
            "CustomerId": "'M-' || number",
            "Surname": "surname",
            "GdprOptin": {"rule": "never"},
        },
    },
    "products": {
        "table": "courses",
        "fields": {"ProductId": "id", "ProductName": "title"},
        "variants": {
            "table": "courses",
            "on": {"id": "id"},
            "fields": {
                "VariantId": "id",
                "Sku": "'COURSE-' || id",
                "Name": "title",
                "OriginalPrice": "fee",
                "Currency": "'EUR'",
                "IsAvailable": "true",
            },
        },
    },
    "orders": {
        "table": "bookings",
        "fields": {
            "OrderId": "id",
            "CustomerId": "'M-' || member",
            "OrderDate": "booked_on",
            "TotalRevenue": "fee",
            "Currency": "'EUR'",
        },
        "items": {
            "table": "bookings",
            "on": {"id": "id"},
            "fields": {
                "ProductId": "course",
                "Sku": "'COURSE-' || course",
                "Quantity": "1",
                "Price": "fee",
            },
        },
    },
}


@pytest.fixture
def delivered(database: Database, tmp_path: Path) -> Iterator[Delivered]:
    switches = {"customer_priority": "customerid"}
    with ReplenitSandbox(profile="gitbook", switches=switches, limits=None) as box:
        yield Delivered(database, tmp_path, box)


def test_shop_without_addresses_skus_and_currency_is_delivered(
    database: Database, delivered: Delivered
) -> None:
    database.run(SHOP)
    delivered.settings = {"customer_identifier_priority": "customerid", "guests": "drop"}
    report = delivered.run(MAPPING)
    state = delivered.box.state()
    assert {key: one["Surname"] for key, one in state["customers"].items()} == {
        "M-1": "Berg",
        "M-2": "Öz",
    }
    assert {
        key: (one["CustomerId"], one["OrderDate"], one["Currency"], one["OrderItems"][0]["Sku"])
        for key, one in state["orders"].items()
    } == {
        "100": ("M-1", "2026-05-04T10:00:00.000Z", "EUR", "COURSE-7"),
        "101": ("M-2", "2026-11-04T11:00:00.000Z", "EUR", "COURSE-8"),
    }
    # A booking of nobody and one of nothing are left out: counted, with a reason, named by hash.
    assert report.entities["orders"].skipped + report.entities["orders"].rejected == 2
    assert (
        sum(report.refusals.values())
        + sum(count for (entity, what, *_), count in report.left_out.items() if what == "skipped")
        == 2
    ), report.summary
    assert "iban" not in delivered.columns("members")
    assert delivered.run(MAPPING).requests == 0
