"""What dlt makes of a source that changes its shape, and that nothing of it reaches the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .conftest import Delivery

PEOPLE = 60
MAPPING: dict[str, Any] = {
    "customers": {
        "table": "people",
        "fields": {
            "CustomerId": "id",
            "Email": "email",
            "Name": "name",
            "EmailOptin": "newsletter",
            "GdprOptin": {"rule": "email_optin"},
        },
    },
    "orders": {
        "table": "orders",
        "fields": {
            "OrderId": "id",
            "CustomerId": "person",
            "Email": "email",
            "OrderDate": "at",
            "TotalRevenue": "total",
            "Currency": "'EUR'",
        },
        "items": {
            "table": "orders__lines",
            "fields": {"ProductId": "sku", "Sku": "sku", "Quantity": "qty", "Price": "price"},
        },
    },
}


def people(**values: Any) -> list[dict[str, Any]]:
    """Return all people; a value that is None leaves the key out."""
    rows = [
        {
            "id": n,
            "email": f"p{n}@example.com",
            "name": "Ada",
            "newsletter": True,
        }
        | values
        for n in range(PEOPLE)
    ]
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def order(number: int, **line: Any) -> dict[str, Any]:
    lines = [{"sku": "S1", "qty": 2, "price": 5} | line]
    at = "2026-01-02T03:04:05Z"
    person = {"person": 1, "email": "p1@example.com"}
    return {"id": number, **person, "at": at, "total": 10, "lines": lines}


def source(
    people: Iterable[dict[str, Any]] = (),
    orders: Iterable[dict[str, Any]] = (),
    disposition: Any = "merge",
    **hints: Any,
) -> Any:
    @dlt.source(name="shop")
    def shop() -> Any:
        for name, rows in (("people", people), ("orders", orders)):
            yield dlt.resource(
                list(rows),
                name=name,
                primary_key="id",
                write_disposition=disposition,
                **hints,
            )

    return shop()


@pytest.fixture
def started(delivery: Delivery) -> Delivery:
    delivery.settings["mapping"] = MAPPING
    report = delivery.run(source(people(), [order(n) for n in range(5)]))
    assert report["exit_code"] == 0
    delivery.calls()
    return delivery


def held(report: dict[str, Any]) -> dict[str, str]:
    return {one["entity"]: " / ".join(one["reasons"]) for one in report["held"]}


def test_line_quantity_that_becomes_a_fraction_holds_orders_alone(started: Delivery) -> None:
    before = started.held()["orders"]
    changed = people(name="Eve")[:3]
    report = started.run(source(changed, [order(1, qty=2.5), order(9, qty=1)]))
    assert held(report) == {
        "orders": "`qty` of `orders__lines` (for items.Quantity) is empty in 1 rows that have its"
        " value in `qty__v_double`, which the mapping does not read; write"
        " coalesce(qty, qty__v_double)"
    }
    assert [call[1] for call in started.calls()] == ["/customers"]
    assert started.held()["orders"] == before
    assert (report["exit_code"], report["entities"]["orders"]["backlog"]) == (1, 2)

    mapping = {**MAPPING, "orders": {**MAPPING["orders"]}}
    items = mapping["orders"]["items"]
    fields = {**items["fields"], "Quantity": "round(coalesce(qty, qty__v_double))"}
    mapping["orders"]["items"] = {**items, "fields": fields}
    started.settings["mapping"] = mapping
    later = started.push()
    assert (later.exit_code, later.held) == (0, [])
    assert started.calls() == [("POST", "/orders", ("1", "9"))]
    assert started.push().requests == 0


@pytest.mark.parametrize("value", ["subscribed", {"email": "yes"}, ["email", "sms"]])
def test_consent_of_another_type_withdraws_nobodys(started: Delivery, value: Any) -> None:
    report = started.run(source(people(newsletter=value)))
    assert "EmailOptin" in held(report)["customers"]
    assert started.calls() == []
    assert report["exit_code"] == 1

    report = started.run(source(people(newsletter=True)))
    assert (held(report), report["exit_code"], started.calls()) == ({}, 0, [])


@pytest.mark.parametrize("disposition", ["merge", "replace"])
@pytest.mark.parametrize("forename", [None, True])
def test_column_that_is_gone_or_renamed_withdraws_nobodys(
    started: Delivery, disposition: str, forename: bool | None
) -> None:
    """dlt keeps the column, empty in every row that comes from then on."""
    orders = [order(n) for n in range(5)]
    started.run(source(people(), orders, disposition))
    gone = people(newsletter=None, opted_in=forename)
    report = started.run(source(gone, orders, disposition))
    assert held(report)["customers"].startswith(
        "EmailOptin changes in 60 of 60 documents, in 60 of them to nothing"
    )
    assert started.calls() == []
    report = started.run(source(people(name="Eve")[:1], orders[:1]))
    assert started.held()["customers"]["p0@example.com"]["GdprOptin"] is True

    report = started.run(source(people(), orders, disposition))
    assert (held(report), report["exit_code"], started.calls()) == ({}, 0, [])


def test_column_that_is_dropped_holds_and_a_person_is_heard(started: Delivery) -> None:
    """`refresh` drops the tables and makes them anew from what is there today."""
    rows = people(name=None)
    rows[7]["newsletter"] = False
    orders = [order(n) for n in range(5)]
    info = started.pipeline().run(source(rows, orders), refresh="drop_sources")
    report = started.report(info)
    assert "`people` has no column `name` any more (for Name)" in held(report)["customers"]
    assert started.calls() == [("POST", "/customers", ("p7@example.com",))]

    assert started.push(accept_schema=True).exit_code == 0
    assert started.push().exit_code == 0
    assert "Name" not in started.held()["customers"]["p1@example.com"]


def test_value_that_a_contract_discards_is_held(started: Delivery) -> None:
    contract = {"data_type": "discard_value"}
    report = started.run(source(people(newsletter="subscribed"), schema_contract=contract))
    assert "EmailOptin" in held(report)["customers"]
    assert started.calls() == []


def test_required_column_that_is_gone_holds_its_entity_and_the_load_completes(
    started: Delivery,
) -> None:
    rows = [{key: value for key, value in row.items() if key != "email"} for row in people()]
    info = started.pipeline().run(
        source(rows, [order(n, qty=3) for n in range(5)]), refresh="drop_sources"
    )
    assert not info.has_failed_jobs
    report = started.report(info)
    assert report["exit_code"] == 1
    assert "`people` has no column `email` any more" in held(report)["customers"]
    assert [call[1] for call in started.calls()] == ["/orders"]
