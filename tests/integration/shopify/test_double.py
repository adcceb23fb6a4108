"""The double over HTTP: protocol, errors, and the numbers Shopify was recorded to give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from replenit_destination.sandbox.shopify import Shop, ShopifySandbox
from replenit_destination.sandbox.shopify.shop import Basket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOTALS = """
query Totals($id: ID!) {
  order(id: $id) {
    displayFinancialStatus cancelledAt
    totalPriceSet { shopMoney { amount currencyCode } }
    currentTotalPriceSet { shopMoney { amount currencyCode } }
    totalRefundedSet { shopMoney { amount currencyCode } }
    netPaymentSet { shopMoney { amount currencyCode } }
    lineItems(first: 5) { nodes { quantity currentQuantity product { id } } }
  }
}
"""
LISTING = """
query Listing($first: Int!, $after: String, $query: String) {
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes { id }
  }
}
"""


@pytest.fixture
def sandbox() -> Iterator[ShopifySandbox]:
    shop = Shop(currency="CAD", taxes_included=False)
    for number in range(7):
        shop.add_product(f"Thing {number}", variants=[{"price": "100.00", "sku": f"T-{number}"}])
    with ShopifySandbox(shop) as running:
        yield running


def post(sandbox: ShopifySandbox, text: str, **options: Any) -> httpx.Response:
    version = options.pop("version", "2026-10")
    token = options.pop("token", sandbox.access_token)
    return httpx.post(
        f"{sandbox.url}/admin/api/{version}/graphql.json",
        json={"query": text, "variables": options},
        headers={"X-Shopify-Access-Token": token},
    )


def totals(sandbox: ShopifySandbox, order: int) -> dict[str, Any]:
    answer = post(sandbox, TOTALS, id=f"gid://shopify/Order/{order}").json()
    found: dict[str, Any] = answer["data"]["order"]
    return found


def amount(order: dict[str, Any], field: str) -> str:
    text: str = order[field]["shopMoney"]["amount"]
    return text


def buy(shop: Shop, *, quantity: int, price: str, tax: str = "0.0") -> int:
    return shop.place_order(
        None,
        [Basket(title="Thing", price=price, quantity=quantity)],
        shipping="0.0",
        tax_rate=tax,
    )


def test_removed_unit_lowers_only_the_current_values_as_recorded(sandbox: ShopifySandbox) -> None:
    order = buy(sandbox.shop, quantity=2, price="100.00", tax="0.13")
    sandbox.shop.edit_order(order, line=0, quantity=1)
    seen = totals(sandbox, order)
    assert amount(seen, "totalPriceSet") == "226.0"
    assert amount(seen, "currentTotalPriceSet") == "113.0"
    assert seen["lineItems"]["nodes"] == [{"quantity": 2, "currentQuantity": 1, "product": None}]


def test_cancelled_and_refunded_order_ends_at_zero_as_recorded(
    sandbox: ShopifySandbox, recorded: Callable[[str], Any]
) -> None:
    order = buy(sandbox.shop, quantity=2, price="10.00")
    sandbox.shop.cancel_order(order)
    seen = totals(sandbox, order)
    content = recorded(
        "orders/2026-04__harry-test-heelo__orderCancel-restock-refundMethod-parity.json"
    )
    response = content["downstreamRead"]["response"]
    truth = response.get("payload", response)["data"]["order"]
    fields = ("currentTotalPriceSet", "totalRefundedSet", "netPaymentSet")
    assert [amount(seen, field) for field in fields] == [amount(truth, field) for field in fields]
    assert seen["displayFinancialStatus"] == truth["displayFinancialStatus"] == "REFUNDED"


def test_answer_has_shopifys_frame(sandbox: ShopifySandbox, recorded: Callable[[str], Any]) -> None:
    answer = post(sandbox, LISTING, first=3)
    assert answer.headers["X-Shopify-API-Version"] == "2026-10"
    truth = recorded("bulk/2026-04__search_index_lag_probes.json")["searchProbes"][0]["response"]
    ours, theirs = answer.json()["extensions"]["cost"], truth["extensions"]["cost"]
    assert ours.keys() == theirs.keys()
    assert ours["throttleStatus"].keys() == theirs["throttleStatus"].keys()
    spent = ours["throttleStatus"]["maximumAvailable"] - ours["actualQueryCost"]
    assert ours["throttleStatus"]["currentlyAvailable"] == spent


def test_pages_follow_each_other_by_cursor(sandbox: ShopifySandbox) -> None:
    seen: list[str] = []
    after = None
    while True:
        page = post(sandbox, LISTING, first=3, after=after).json()["data"]["products"]
        seen += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) == 7


def test_row_that_moves_behind_the_cursor_is_neither_lost_nor_doubled_elsewhere(
    sandbox: ShopifySandbox,
) -> None:
    first = post(sandbox, LISTING, first=3).json()["data"]["products"]
    moved = int(first["nodes"][0]["id"].rpartition("/")[2])
    sandbox.shop.set_product_status(moved, "ARCHIVED")
    after = first["pageInfo"]["endCursor"]
    rest = post(sandbox, LISTING, first=9, after=after).json()["data"]["products"]["nodes"]
    assert len(rest) == 5, "the four others, and the moved one again at the end"
    assert rest[-1]["id"] == first["nodes"][0]["id"]


def test_wrong_token_is_answered_like_shopify(sandbox: ShopifySandbox) -> None:
    answer = post(sandbox, LISTING, token="wrong")
    assert answer.status_code == 401
    assert answer.json()["errors"].startswith("[API] Invalid API key or access token")


@pytest.mark.parametrize(
    ("asked", "status", "served"),
    [("2026-01", 200, "2026-01"), ("2024-04", 200, "2026-01"), ("2026-02", 404, None)],
)
def test_versions_fall_forward_or_are_unknown(
    sandbox: ShopifySandbox, asked: str, status: int, served: str | None
) -> None:
    answer = post(sandbox, LISTING, first=1, version=asked)
    assert answer.status_code == status
    assert answer.headers.get("X-Shopify-API-Version") == served


def test_empty_bucket_throttles_with_the_cost_block(sandbox: ShopifySandbox) -> None:
    sandbox.api.bucket.restore_rate = 0
    sandbox.api.bucket.drain(leave=2)
    answer = post(sandbox, LISTING, first=3).json()
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert answer["extensions"]["cost"]["actualQueryCost"] is None
    assert answer["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 2
    assert "data" not in answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ products(first: 1) { nodes { nonsense } } }", "undefinedField"),
        ("{ products { nodes { id } } }", "BAD_REQUEST"),
        ("{ products(first: 1, last: 1) { nodes { id } } }", "BAD_REQUEST"),
        ('{ products(first: 1, after: "x") { nodes { id } } }', "BAD_REQUEST"),
        ('{ product(id: "not-a-gid") { id } }', "argumentLiteralsIncompatible"),
        (
            "{ products(first: 250) { nodes { variants(first: 250) { nodes { media(first: 250)"
            " { nodes { id } } } } } } }",
            "MAX_COST_EXCEEDED",
        ),
    ],
)
def test_faults_are_named_as_recorded(sandbox: ShopifySandbox, text: str, code: str) -> None:
    answer = post(sandbox, text)
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == code


def test_missing_scope_denies_the_field(sandbox: ShopifySandbox) -> None:
    sandbox.api.scopes = ("read_orders",)
    answer = post(sandbox, LISTING, first=1).json()
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert "read_products" in answer["errors"][0]["message"]


def test_unknown_filter_returns_everything_with_a_warning(sandbox: ShopifySandbox) -> None:
    answer = post(sandbox, LISTING, first=50, query="updatedat:>='2030-01-01T00:00:00Z'").json()
    assert len(answer["data"]["products"]["nodes"]) == 7
    assert answer["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_field"


def test_search_index_lags_writes(sandbox: ShopifySandbox) -> None:
    sandbox.api.index_lag_seconds = 3600
    query = "updated_at:>='2020-01-01T00:00:00Z'"
    assert post(sandbox, LISTING, first=9, query=query).json()["data"]["products"]["nodes"] == []
    assert len(post(sandbox, LISTING, first=9).json()["data"]["products"]["nodes"]) == 7


def test_client_credentials_grant_a_token_that_opens_the_api(sandbox: ShopifySandbox) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": sandbox.api.client_id,
        "client_secret": sandbox.api.client_secret,
    }
    url = f"{sandbox.url}/admin/oauth/access_token"
    granted = httpx.post(url, data=form).json()
    assert granted["expires_in"] == 86_399
    token = granted["access_token"]
    assert post(sandbox, LISTING, first=1, token=token).status_code == 200
    sandbox.api.expire_tokens()
    assert post(sandbox, LISTING, first=1, token=token).status_code == 401
    assert httpx.post(url, data=form | {"client_secret": "no"}).status_code == 401
