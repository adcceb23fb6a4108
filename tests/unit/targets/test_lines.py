from __future__ import annotations

from decimal import Decimal

import pytest


def sent(verdict):
    assert verdict.refusals == ()
    return [
        (one["ProductId"], one["Quantity"], one["Price"]) for one in verdict.payload["OrderItems"]
    ]


def test_unlinkable_lines_are_dropped_and_the_rest_travels(target, order, line):
    tip = {"ProductId": "", "Sku": None, "Quantity": "1", "Price": "-5"}
    verdict = target().judge("orders", order(tip, line()))
    assert sent(verdict) == [("p-1", 1, Decimal(10))]
    assert [name for name, _ in verdict.dropped] == ["OrderItems[0]"]


def test_order_of_unlinkable_lines_only_is_refused(target, order, line):
    verdict = target().judge("orders", order(line(ProductId=None, Sku="")))
    assert verdict.refusals == (("OrderItems", "holds nothing that can be sent"),)
    assert len(verdict.dropped) == 1


@pytest.mark.parametrize("quantity", ["0", "0.000", "-0", "00"])
def test_lines_of_quantity_zero_are_dropped(target, order, line, quantity):
    verdict = target().judge("orders", order(line(Sku="z", Quantity=quantity), line()))
    assert sent(verdict) == [("p-1", 1, Decimal(10))]
    assert verdict.dropped == (("OrderItems[0].Quantity", "is 0"),)


def test_free_lines_and_gifts_stay(target, order, line):
    verdict = target().judge("orders", order(line(Price="0", IsGift=True)))
    assert sent(verdict) == [("p-1", 1, Decimal(0))]


def test_equal_lines_are_summed_without_a_warning(target, order, line):
    verdict = target().judge("orders", order(line(Quantity="2"), line(Quantity="3", Price="10")))
    assert sent(verdict) == [("p-1", 5, Decimal(10))]
    assert verdict.warnings == ()
    assert len(verdict.children) == 1


def test_different_lines_of_one_sku_are_weighted_with_a_warning(target, order, line):
    lines = (
        line(Quantity="1", Price="10", OriginalPrice="20", IsGift=True, Size="S"),
        line(Quantity="2", Price="20", OriginalPrice="20", IsGift=False, Size=None),
    )
    verdict = target().judge("orders", order(*lines))
    assert verdict.payload["OrderItems"] == [
        {
            "ProductId": "p-1",
            "Sku": "sku-1",
            "Quantity": 3,
            "Price": Decimal("16.666667"),
            "OriginalPrice": Decimal(20),
            "Size": "S",
            "IsGift": False,
        }
    ]
    assert [name for name, _ in verdict.warnings] == ["OrderItems[0]"]


def test_list_price_known_for_one_line_only_is_left_out(target, order, line):
    verdict = target().judge("orders", order(line(OriginalPrice="12"), line()))
    assert "OriginalPrice" not in verdict.payload["OrderItems"][0]


def test_gift_only_when_all_combined_lines_are(target, order, line):
    verdict = target().judge("orders", order(line(IsGift=True), line(IsGift=True)))
    assert verdict.payload["OrderItems"][0]["IsGift"] is True


def test_lines_of_different_sku_or_case_stay_apart(target, order, line):
    verdict = target().judge("orders", order(line(Sku="a"), line(Sku="A"), line(ProductId="p-2")))
    assert len(verdict.payload["OrderItems"]) == 3


def test_double_lines_can_be_kept(target, order, line):
    verdict = target(duplicate_lines="keep").judge("orders", order(line(), line(Price="7")))
    assert sent(verdict) == [("p-1", 1, Decimal(10)), ("p-1", 1, Decimal(7))]
    assert verdict.children == ('["p-1","sku-1"]',)


def test_return_is_taken_off_the_line_it_returns(target, order, line):
    rows = (line(Quantity="5"), line(Sku="b"), line(Quantity="-2", Price="-10"))
    verdict = target().judge("orders", order(*rows))
    assert sent(verdict) == [("p-1", 3, Decimal(10)), ("p-1", 1, Decimal(10))]


def test_return_prefers_the_line_of_its_price(target, order, line):
    rows = (
        line(Quantity="1", Price="10"),
        line(Quantity="2", Price="8"),
        line(Quantity="-1", Price="10.00"),
    )
    assert sent(target().judge("orders", order(*rows))) == [("p-1", 2, Decimal(8))]


def test_wholly_returned_line_disappears(target, order, line):
    rows = (line(Quantity="2"), line(Quantity="-2"), line(Sku="b"))
    verdict = target().judge("orders", order(*rows))
    assert verdict.children == ('["p-1","b"]',)
    assert "IsOrderCancelled" not in verdict.payload


def test_wholly_returned_order_is_sent_as_cancelled_with_its_original_lines(target, order, line):
    rows = (line(Quantity="2"), line(Quantity="-2"), line(Sku="b"), line(Sku="b", Quantity="-1"))
    verdict = target().judge("orders", order(*rows, IsOrderCancelled=False))
    assert sent(verdict) == [("p-1", 2, Decimal(10)), ("p-1", 1, Decimal(10))]
    assert verdict.payload["IsOrderCancelled"] is True


@pytest.mark.parametrize("rows", [("-1",), ("1", "-2")])
def test_more_returned_than_sold_is_refused(target, order, line, rows):
    verdict = target().judge("orders", order(*(line(Quantity=one) for one in rows)))
    assert verdict.refusals[0][0] == f"OrderItems[{len(rows) - 1}].Quantity"
    assert "returns more" in verdict.refusals[0][1]


@pytest.mark.parametrize("broken", [{"Quantity": "1.5"}, {"Quantity": "x"}, {"Price": "x"}])
def test_doubles_that_cannot_be_added_up_are_refused_by_the_contract(target, order, line, broken):
    verdict = target().judge("orders", order(line(), line(**broken)))
    assert [name for name, _ in verdict.refusals] == [f"OrderItems[1].{next(iter(broken))}"]


def test_broken_list_price_among_doubles_is_refused(target, order, line):
    assert target().judge("orders", order(line(OriginalPrice="x"), line())).rejected
