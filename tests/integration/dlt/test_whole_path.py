"""dlt, the face and the real engine together; only the network is a function."""

from __future__ import annotations

import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination import CredentialsRefusedError, push
from replenit_destination.engine.target import Answer, Request

from .conftest import API_KEY, MAPPING, TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

HINTS: dict[str, Any] = {
    "table_name": "orders",
    "primary_key": "id",
    "write_disposition": "merge",
    "columns": {"deleted": {"data_type": "bool", "hard_delete": True}},
}


def order(number: int, lines: str = "ab", **changes: Any) -> dict[str, Any]:
    rows = [{"sku": sku, "price": 2.5} for sku in lines]
    plain = {"id": number, "customer": f"c{number}", "email": f"person{number}@example.com"}
    plain |= {"created_at": "2026-01-01T10:00:00Z", "total": 5, "lines": rows}
    return {**plain, **changes}


class Service:
    """Answers 200, or what it is told to, and remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, list[str]]] = []
        self.status = 200

    def __call__(self, request: Request) -> Answer:
        documents = json.loads(request.body) if request.body else []
        path = request.path.replace(f"/{TENANT}", "")
        keys = sorted(one.get("OrderId") or one["Email"] for one in documents)
        self.calls.append((request.method, path, keys))
        answer = {"success": self.status == 200, "count": len(documents)}
        return Answer(self.status, {}, json.dumps(answer).encode())

    def taken(self) -> list[tuple[str, str, list[str]]]:
        calls, self.calls = sorted(self.calls), []
        return calls


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def shop(pipeline: Callable[..., dlt.Pipeline], service: Service) -> Callable[..., dlt.Pipeline]:
    fields = {**MAPPING["orders"]["fields"], "CustomerId": "customer"}
    mapping = {"orders": {**MAPPING["orders"], "fields": fields}}

    def make(**settings: Any) -> dlt.Pipeline:
        return pipeline(**{"engine": None, "transport": service, "mapping": mapping, **settings})

    return make


def test_second_load_sends_exactly_what_changed(
    shop: Callable[..., dlt.Pipeline], service: Service
) -> None:
    shop().run([order(number) for number in range(1, 6)], **HINTS)
    assert service.taken() == [("POST", "/orders", ["1", "2", "3", "4", "5"])]

    shop().run([order(1, total=7), order(2, lines="a"), order(3, deleted=True), order(4)], **HINTS)
    assert service.taken() == [
        ("DELETE", "/orders/2/items", []),
        ("DELETE", "/orders/3", []),
        ("POST", "/orders", ["1", "2"]),
    ]

    assert push(shop()).requests == 0


def test_refused_key_keeps_the_load_pending_and_says_nothing_personal(
    shop: Callable[..., dlt.Pipeline], service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.status = 401
    pending = shop()
    with pytest.raises(PipelineStepFailed) as stopped:
        pending.run([order(1)], **HINTS)
    assert isinstance(stopped.value.__cause__, CredentialsRefusedError)
    said = str(stopped.value) + caplog.text + str(pending.last_trace.asdict())
    said += pickle.dumps(pending.last_trace).decode("latin-1")
    assert [word for word in (API_KEY, "person1@example.com") if word in said] == []

    service.status = 200
    service.taken()
    pending.run()
    assert service.taken() == [("POST", "/orders", ["1"])]
    assert not pending.has_pending_data
    assert pending.dataset()("SELECT count(*) FROM _dlt_loads").fetchall() == [(1,)]


def test_two_schemas_of_one_run_arrive_in_one_delivery(
    shop: Callable[..., dlt.Pipeline], service: Service
) -> None:
    @dlt.source(name="crm")
    def crm() -> Any:
        people = [{"id": "c1", "email": "person1@example.com"}]
        return dlt.resource(people, name="customers", primary_key="id", write_disposition="merge")

    @dlt.source(name="webshop")
    def webshop() -> Any:
        return dlt.resource([order(1)], name="orders", primary_key="id", write_disposition="merge")

    people = {"CustomerId": "id", "Email": "email", "GdprOptin": {"rule": "never"}}
    mapping = {**MAPPING, "customers": {"table": "customers", "fields": people}}
    mapping["orders"] = {**MAPPING["orders"]}
    mapping["orders"]["fields"] = {**MAPPING["orders"]["fields"], "CustomerId": "customer"}
    shop(mapping=mapping).run([webshop(), crm()])

    assert service.calls == [
        ("POST", "/customers", ["person1@example.com"]),
        ("POST", "/orders", ["1"]),
    ]


@pytest.mark.parametrize("form", ["nested", "json", "arrow", "table"])
def test_lines_arrive_alike_in_every_form(
    shop: Callable[..., dlt.Pipeline], service: Service, form: str
) -> None:
    items: dict[str, Any] = {**MAPPING["orders"]["items"]}
    if form == "json":
        items = {**items, "column": "lines"}
        del items["table"]
    if form in {"arrow", "table"}:
        items = {**items, "table": "lines", "on": {"order_id": "id"}}
    fields = {**MAPPING["orders"]["fields"], "CustomerId": "customer"}
    mapping = {"orders": {"table": "orders", "fields": fields, "items": items}}

    def load(*orders: dict[str, Any]) -> None:
        @dlt.source(name="shop", max_table_nesting=0 if form == "json" else None)
        def source() -> Any:
            if form in {"nested", "json"}:
                yield dlt.resource(orders, name="orders", write_disposition="replace")
                return
            parents = [{k: v for k, v in one.items() if k != "lines"} for one in orders]
            children = [{"order_id": one["id"], **line} for one in orders for line in one["lines"]]
            if form == "arrow":
                parents = pa.Table.from_pylist(parents)
                children = pa.Table.from_pylist(children)
            yield dlt.resource(parents, name="orders", write_disposition="replace")
            yield dlt.resource(children, name="lines", write_disposition="replace")

        shop(mapping=mapping).run(source())

    load(order(1), order(2))
    assert service.taken() == [("POST", "/orders", ["1", "2"])]
    load(order(1), order(2, lines="b"))
    assert service.taken() == [("DELETE", "/orders/2/items", []), ("POST", "/orders", ["2"])]
    load(order(1), order(2, lines="b"))
    assert service.taken() == []
