from __future__ import annotations

from decimal import Decimal

import pytest

from replenit_destination.engine.canonical import canonical
from replenit_destination.engine.documents import Lane


def test_whole_order_travels_with_exact_numbers_and_computed_quantities(target, order, line):
    row = order(
        line(
            Quantity="2",
            Price="19.950000000",
            OriginalPrice="24.9",
            Size="500ml",
            Color="",
            Brand="Néo",
            IsGift=True,
            _line="77",
        ),
        line(ProductId="p-2", Sku="sku-2", Quantity="1", Price="0"),
        TotalRevenue="39.900000000",
        Currency="eur",
        IsOrderCancelled=False,
    )
    verdict = target().judge("orders", row)
    assert (verdict.lane, verdict.children) == (Lane.BATCH, ('["p-1","sku-1"]', '["p-2","sku-2"]'))
    assert canonical(verdict.payload).decode() == (
        '{"Currency":"EUR","CustomerId":"c-1","Email":"anna@example.com","IsOrderCancelled":false,'
        '"OrderDate":"2025-08-22T21:00:00.000Z","OrderId":"o-1","OrderItems":['
        '{"Brand":"Néo","IsGift":true,"OriginalPrice":24.9,"Price":19.95,"ProductId":"p-1",'
        '"Quantity":2,"Size":"500ml","Sku":"sku-1"},'
        '{"Price":0,"ProductId":"p-2","Quantity":1,"Sku":"sku-2"}],'
        '"TotalQuantity":3,"TotalRevenue":39.9,"UniqueQuantity":2}'
    )


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"OrderId": None}, "OrderId", "missing"),
        ({"OrderId": "x" * 101}, "OrderId", "longer than 100"),
        ({"Email": "nobody"}, "Email", "valid e-mail"),
        ({"OrderDate": None}, "OrderDate", "missing"),
        ({"OrderDate": "22.08.2025"}, "OrderDate", "known zone"),
        ({"OrderDate": "2025-08-22T21:00:00+02:00"}, "OrderDate", "known zone"),
        ({"OrderDate": "2025-08-22"}, "OrderDate", "known zone"),
        ({"OrderDate": "2025-02-30T21:00:00.000Z"}, "OrderDate", "known zone"),
        ({"TotalRevenue": None}, "TotalRevenue", "missing"),
        ({"TotalRevenue": "-1"}, "TotalRevenue", "at least 0"),
        ({"TotalRevenue": "NaN"}, "TotalRevenue", "at least 0"),
        ({"TotalRevenue": "10,50"}, "TotalRevenue", "at least 0"),
        ({"TotalRevenue": "1e16"}, "TotalRevenue", "at least 0"),
        ({"Currency": None}, "Currency", "missing"),
        ({"Currency": "€"}, "Currency", "three letters"),
        ({"Currency": "EURO"}, "Currency", "three letters"),
        ({"OrderItems": []}, "OrderItems", "nothing that can be sent"),
        ({"OrderItems": None}, "OrderItems", "nothing that can be sent"),
    ],
)
def test_broken_required_field_refuses_the_order(target, order, changes, field, reason):
    verdict = target().judge("orders", order(**changes))
    assert verdict.payload == {}
    assert [name for name, _ in verdict.refusals] == [field]
    assert reason in verdict.refusals[0][1]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"Quantity": None}, "Quantity"),
        ({"Quantity": "1.5"}, "Quantity"),
        ({"Quantity": "0.5"}, "Quantity"),
        ({"Quantity": "-"}, "Quantity"),
        ({"Quantity": "two"}, "Quantity"),
        ({"Quantity": "3000000000"}, "Quantity"),
        ({"Price": None}, "Price"),
        ({"Price": "-1"}, "Price"),
        ({"OriginalPrice": "-1"}, "OriginalPrice"),
        ({"ProductId": "x" * 101}, "ProductId"),
        ({"Sku": "a\nb"}, "Sku"),
    ],
)
def test_broken_line_refuses_the_order_and_names_the_source_line(
    target, order, line, changes, field
):
    row = order(line(ProductId="", Sku=""), line(Sku="other"), line(**changes))
    verdict = target().judge("orders", row)
    assert [name for name, _ in verdict.refusals] == [f"OrderItems[2].{field}"]


def test_broken_optional_field_of_a_line_is_left_out(target, order, line):
    verdict = target().judge("orders", order(line(IsGift="perhaps"), TotalQuantity="1.5"))
    assert verdict.payload["OrderItems"][0] == {
        "ProductId": "p-1",
        "Sku": "sku-1",
        "Quantity": 1,
        "Price": Decimal(10),
    }
    assert [name for name, _ in verdict.omitted] == ["TotalQuantity", "OrderItems[0].IsGift"]
    assert verdict.payload["TotalQuantity"] == 1


def test_numbers_keep_every_digit(target, order, line):
    price = "12345.6789012345678901234"
    verdict = target().judge("orders", order(line(Price=price, Quantity="2.000"), TotalRevenue="7"))
    assert f'"Price":{price}' in canonical(verdict.payload).decode()
    assert '"TotalRevenue":7' in canonical(verdict.payload).decode()
    assert verdict.payload["OrderItems"][0]["Quantity"] == 2


def test_total_revenue_can_be_computed(target, order, line):
    lines = (line(Quantity="3", Price="0.1"), line(Sku="s2", Quantity="1", Price="0.2"))
    build = target(compute_total_revenue=True)
    verdict = build.judge("orders", order(*lines, TotalRevenue=None))
    assert verdict.payload["TotalRevenue"] == Decimal("0.5")


def test_quantities_of_the_source_win(target, order):
    payload = target().judge("orders", order(TotalQuantity="9", UniqueQuantity="4")).payload
    assert (payload["TotalQuantity"], payload["UniqueQuantity"]) == (9, 4)


@pytest.mark.parametrize(
    ("changes", "lines", "solo_class"),
    [
        ({"CustomerId": None}, {}, "guest"),
        ({}, {"Sku": None}, "line without Sku"),
        ({}, {"ProductId": None}, "line without ProductId"),
        ({}, {"Sku": "x" * 101}, "long Sku"),
        ({}, {"Size": "x" * 101}, "long Size"),
        ({}, {"Color": "x" * 101}, "long Color"),
        ({}, {"Brand": "x" * 101}, "long Brand"),
    ],
)
def test_order_the_pages_disagree_about_travels_alone(
    target, order, line, changes, lines, solo_class
):
    row = order(line(**lines), **changes)
    verdict = target().judge("orders", row)
    assert (verdict.lane, verdict.solo_class, verdict.refusals) == (Lane.SOLO, solo_class, ())


@pytest.mark.parametrize("missing", ["Sku", "ProductId"])
def test_uncertain_lines_can_be_refused(target, order, line, missing):
    build = target(uncertain="reject")
    verdict = build.judge("orders", order(line(**{missing: None})))
    assert verdict.refusals == ((f"OrderItems[0].{missing}", "is missing"),)
    assert build.judge("orders", order(line(Sku="x" * 101))).rejected


def test_missing_sku_leaves_its_place_in_the_child_key(target, order, line):
    assert target().judge("orders", order(line(Sku=None))).children == ('["p-1",""]',)


def test_guest_orders_can_be_dropped(target, order):
    build = target(guests="drop")
    verdict = build.judge("orders", order(CustomerId=None))
    assert verdict.skipped == ("CustomerId", "is empty: a guest order, and guests = `drop`")
    assert build.judge("orders", order()).skipped is None


def test_order_of_nobody_is_skipped_and_not_refused(target, order):
    verdict = target().judge("orders", order(Email=None))
    assert verdict.skipped == ("Email", "is empty: the order belongs to nobody known")
    assert not verdict.rejected


def test_guest_orders_of_one_address_get_one_derived_id(target, order):
    build = target(customer_identifier_priority="customerid", guests="derive")
    first = build.judge("orders", order(CustomerId=None))
    second = build.judge("orders", order(CustomerId="", OrderId="o-2"))
    assert first.lane is Lane.BATCH
    assert first.payload["CustomerId"] == second.payload["CustomerId"]
    assert first.payload["CustomerId"].startswith("guest-")
    assert "anna" not in first.payload["CustomerId"]


def test_customerid_priority_skips_guests_and_isolates_orders_without_address(target, order):
    build = target(customer_identifier_priority="customerid", guests="drop")
    assert build.judge("orders", order(CustomerId=None)).skipped
    assert build.judge("orders", order(CustomerId=None, Email=None)).skipped == (
        "CustomerId",
        "is empty: the order belongs to nobody known",
    )
    assert build.judge("orders", order(Email=None)).solo_class == "guest"


def test_future_date_warns(target, order):
    assert target().judge("orders", order(OrderDate="2025-10-09T08:00:00.000Z")).warnings == ()
    verdict = target().judge("orders", order(OrderDate="2031-01-01T00:00:00.000Z"))
    assert verdict.warnings == (("OrderDate", "lies in the future"),)


def test_judging_does_not_change_the_row(target, order, line):
    row = order(line(IsGift="x"), line(), line(Quantity="-1"))
    before = repr(row)
    target().judge("orders", row)
    assert repr(row) == before


def test_identifier_that_is_no_text_is_refused_and_stops_nothing(target, order, line):
    verdict = target().judge("orders", order(line(Sku=["a"]), line(Quantity="-1", Sku={"a": 1})))
    assert ("OrderItems[0].Sku", "must be text") in verdict.refusals
