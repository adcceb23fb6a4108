"""Any sequence of edits, removals, failures and runs ends with what the oracle says."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replenit_destination.sandbox import Fault

from .conftest import Delivery
from .shop import FORMS, Shop, first_shop, line, mapping, put_order, variant

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

FEW = st.integers(1, 4)
SIZES = st.lists(st.sampled_from("sml"), min_size=1, unique=True)
EDITS = st.one_of(
    st.tuples(st.just("total of order"), FEW, st.sampled_from([1, 20.5, 30])),
    st.tuples(st.just("cancel order"), FEW, st.booleans()),
    st.tuples(st.just("lines of order"), FEW, SIZES),
    st.tuples(st.just("add order"), st.integers(1, 9), st.integers(1, 3)),
    st.tuples(st.just("destroy order"), st.integers(1, 9), st.none()),
    st.tuples(st.just("consent of customer"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("address of customer"), st.integers(1, 3), st.sampled_from("ab")),
    st.tuples(st.just("destroy customer"), st.integers(2, 5), st.none()),
    st.tuples(st.just("add customer"), st.integers(2, 5), st.booleans()),
    st.tuples(st.just("variants of product"), FEW, SIZES),
    st.tuples(st.just("title of product"), FEW, st.sampled_from(["Pot", "Bowl"])),
    st.tuples(st.just("destroy product"), FEW, st.none()),
)
FAULTS = st.sampled_from(
    [
        None,
        None,
        Fault("status", status=401, path="/orders"),
        Fault("status", status=401, times=1),
        Fault("status", status=403, method="DELETE"),
        Fault("close", path="/customers", times=1),
        Fault("truncate", path="/orders", times=1),
    ]
)
ROUNDS = st.lists(
    st.tuples(st.lists(EDITS, min_size=1, max_size=6), FAULTS), min_size=1, max_size=3
)


def apply(shop: Shop, edit: tuple[str, int, Any]) -> None:
    """Carry out an edit where it makes sense; the last line and the last variant always stay."""
    what, number, value = edit
    entity = {"order": "orders", "customer": "customers", "product": "products"}[what.split()[-1]]
    known = number in shop.rows[entity]
    if what.startswith("destroy") and known:
        shop.destroy(entity, number)
    elif entity == "orders":
        edit_order(shop, what, number, value, known=known)
    elif entity == "customers":
        edit_customer(shop, what, number, value, known=known)
    else:
        edit_product(shop, what, number, value, known=known)


def edit_order(shop: Shop, what: str, number: int, value: Any, *, known: bool) -> None:
    if what == "add order" and not known:
        put_order(shop, number, customer_id=value, lines=[line(number, value, "s")])
    elif what == "total of order" and known:
        put_order(shop, number, total=value)
    elif what == "cancel order" and known:
        put_order(shop, number, cancelled=value)
    elif what == "lines of order" and known:
        shop.put("orders", number, lines=[line(number, 1, size) for size in value])


def edit_customer(shop: Shop, what: str, number: int, value: Any, *, known: bool) -> None:
    if what == "add customer" and not known:
        shop.put("customers", number, email=f"person{number}@example.com", optin=value)
    elif what == "consent of customer" and known:
        shop.put("customers", number, optin=value)
    elif what == "address of customer" and known:
        shop.put("customers", number, email=f"{value}{number}@example.com")


def edit_product(shop: Shop, what: str, number: int, value: Any, *, known: bool) -> None:
    if what == "variants of product":
        title = {} if known else {"title": f"Pot {number}"}
        shop.put("products", number, variants=[variant(number, size) for size in value], **title)
    elif what == "title of product" and known:
        shop.put("products", number, title=f"{value} {number}")


def deliver(delivery: Delivery, source: Any, fault: Fault | None) -> None:
    """Run; where the delivery stops, mend the cause and run again until nothing is pending."""
    if fault is not None:
        delivery.box.faults.add(fault)
    try:
        delivery.run(source)
    except PipelineStepFailed:
        delivery.box.faults.clear()
        delivery.run()
    delivery.box.faults.clear()


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_any_sequence_ends_as_the_oracle_says(form: str, box: ReplenitSandbox, here: Path) -> None:
    number = iter(range(1000))

    @settings(
        max_examples=int(os.environ.get("REPLENIT_DLT_SEQUENCES", "2")),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(rounds=ROUNDS, strategy=st.sampled_from(["merge", "upsert"]))
    def sequence(rounds: list[Any], strategy: str) -> None:
        box.reset()
        folder = here / f"sequence-{next(number)}"
        folder.mkdir()
        delivery = Delivery(box, folder)
        delivery.settings = {
            "mapping": mapping(form),
            "credentials": folder / "data" / "staged.duckdb",
        }
        shop = first_shop()
        delivery.run(shop.source(form, strategy))
        for edits, fault in rounds:
            for edit in edits:
                apply(shop, edit)
            deliver(delivery, shop.source(form, strategy), fault)
        delivery.push(allow_removals=["customers", "orders", "products"])
        box.settle()
        assert delivery.held() == shop.expected()

        assert delivery.push(full=True).requests == 0
        shutil.rmtree(folder)

    sequence()
