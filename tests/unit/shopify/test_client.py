"""Pacing, retries and the sorting of errors, with a handler for a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from shopify import (
    AccessDeniedError,
    QueryRefusedError,
    SearchIgnoredError,
    ShopifyClient,
    ShopifyUnavailableError,
)
from shopify.pager import Pager
from shopify.settings import PageSizes, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

SHOP = "https://my-shop.myshopify.com"
TOKEN = "shpat_very_secret"


class FakeTime:
    """A clock that waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def cost(requested: int, available: int, rate: int = 100) -> dict[str, Any]:
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": rate}
    return {"requestedQueryCost": requested, "actualQueryCost": 1, "throttleStatus": status}


def client(
    handler: Callable[[httpx.Request], httpx.Response], time: FakeTime, **settings: Any
) -> ShopifyClient:
    return ShopifyClient(
        Settings(SHOP, **{"access_token": TOKEN, **settings}),
        transport=httpx.MockTransport(handler),
        clock=time.clock,
        wait=time.wait,
    )


def replies(*bodies: Any) -> Callable[[httpx.Request], httpx.Response]:
    queue = list(bodies)

    def handle(_: httpx.Request) -> httpx.Response:
        body = queue.pop(0)
        return body if isinstance(body, httpx.Response) else httpx.Response(200, json=body)

    return handle


def error(code: str, message: str = "no") -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def test_throttled_query_waits_for_the_missing_points(time: FakeTime) -> None:
    throttled = error("THROTTLED") | {"extensions": {"cost": cost(400, 100)}}
    shopify = client(replies(throttled, {"data": {"ok": 1}}), time)
    assert shopify.query("Q", "query Q { shop { name } }") == {"ok": 1}
    assert time.waits == [3.0]
    assert shopify.pacer.throttled == 1


def test_known_cost_is_waited_for_before_sending(time: FakeTime) -> None:
    answer = {"data": {"ok": 1}, "extensions": {"cost": cost(400, 150)}}
    shopify = client(replies(answer, answer), time)
    shopify.query("Q", "…")
    shopify.query("Q", "…")
    assert time.waits == [2.5]
    assert shopify.pacer.throttled == 0


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429, json={"errors": "Too many"}),
        httpx.Response(430),
        httpx.Response(503, text="<html>"),
        httpx.Response(200, text="<html>"),
        error("INTERNAL_SERVER_ERROR"),
    ],
)
def test_transient_trouble_is_survived(trouble: Any, time: FakeTime) -> None:
    shopify = client(replies(trouble, {"data": {"ok": 1}}), time)
    assert shopify.query("Q", "…") == {"ok": 1}
    assert len(time.waits) == 1


def test_lasting_trouble_ends_in_an_error_that_names_it(time: FakeTime) -> None:
    shopify = client(lambda _: httpx.Response(503), time)
    with pytest.raises(ShopifyUnavailableError, match="HTTP 503"):
        shopify.query("Q", "…")
    assert len(time.waits) == 8


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error("ACCESS_DENIED", "protected"), AccessDeniedError, "protected"),
        (error("undefinedField", "no field x"), QueryRefusedError, "no field x"),
        (httpx.Response(200, json={"errors": "Bad"}), QueryRefusedError, "Bad"),
        (httpx.Response(401, json={"errors": "[API] Invalid"}), AccessDeniedError, "access_token"),
        (httpx.Response(403), AccessDeniedError, "allowlist"),
        (httpx.Response(404), QueryRefusedError, "no such shop"),
        (httpx.Response(423), QueryRefusedError, "locked"),
        (
            httpx.Response(301, headers={"location": "https://evil.example.com"}),
            QueryRefusedError,
            "moved",
        ),
    ],
)
def test_final_trouble_stops_at_once_and_says_what_to_do(
    answer: Any, kind: type[Exception], words: str, time: FakeTime
) -> None:
    with pytest.raises(kind, match=words) as caught:
        client(replies(answer), time).query("Q", "…")
    assert not time.waits
    assert TOKEN not in str(caught.value)


def test_partial_data_with_denied_fields_is_an_error_not_a_gap(time: FakeTime) -> None:
    denied = error("ACCESS_DENIED", "PII") | {"data": {"customers": None}}
    with pytest.raises(AccessDeniedError):
        client(replies(denied), time).query("Q", "…")


def test_ignored_filter_is_an_error(time: FakeTime) -> None:
    warning = {"field": "updatedat", "message": "Invalid search field", "code": "invalid_field"}
    answer = {"data": {}, "extensions": {"search": [{"path": ["orders"], "warnings": [warning]}]}}
    with pytest.raises(SearchIgnoredError, match="updatedat"):
        client(replies(answer), time).query("Q", "…")


def test_granted_token_is_used_renewed_on_401_and_before_it_ends(time: FakeTime) -> None:
    granted: list[str] = []
    used: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/admin/oauth/access_token":
            granted.append(f"shpca_{len(granted)}")
            return httpx.Response(200, json={"access_token": granted[-1], "expires_in": 86_399})
        used.append(request.headers["x-shopify-access-token"])
        if len(used) == 2:
            return httpx.Response(401)
        return httpx.Response(200, json={"data": {"ok": 1}})

    shopify = client(handle, time, access_token="", client_id="c", client_secret="s")
    shopify.query("Q", "…")
    shopify.query("Q", "…")
    time.now += 86_200
    shopify.query("Q", "…")
    assert used == ["shpca_0", "shpca_0", "shpca_1", "shpca_2"]


def test_answer_of_another_version_is_warned_about_once(
    time: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    older = {"X-Shopify-API-Version": "2026-07"}
    answers = [httpx.Response(200, json={"data": {"ok": 1}}, headers=older) for _ in range(2)]
    shopify = client(replies(*answers), time)
    shopify.query("Q", "…")
    shopify.query("Q", "…")
    assert [record.args for record in caplog.records] == [("2026-07", "2026-10")]


def test_page_that_costs_too_much_is_halved_until_it_fits(time: FakeTime) -> None:
    asked: list[tuple[int, int]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)["variables"]
        asked.append((variables["first"], variables["variants"]))
        if variables["first"] > 30:
            return httpx.Response(200, json=error("MAX_COST_EXCEEDED"))
        page = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []}
        return httpx.Response(200, json={"data": {"products": page}})

    shopify = client(handle, time, pages=PageSizes(products=100, variants=50))
    assert list(Pager(shopify).products("")) == [[]]
    assert asked == [(100, 50), (50, 25), (25, 12)]
