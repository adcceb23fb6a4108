"""Bulk operations of the double: life cycle, refusals as recorded, lines in both orders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from replenit_destination.sandbox.shopify import Shop, ShopifySandbox
from replenit_destination.sandbox.shopify.bulk import Fate
from replenit_destination.sandbox.shopify.bulk_rules import bulk_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphql import GraphQLSchema

RUN = """
mutation Run($query: String!, $group: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $group) {
    bulkOperation { id status objectCount rootObjectCount fileSize url query }
    userErrors { field message code }
  }
}
"""
POLL = """
query Poll($id: ID!) {
  bulkOperation(id: $id) {
    id status errorCode objectCount rootObjectCount fileSize url partialDataUrl completedAt
  }
}
"""
CANCEL = """
mutation Cancel($id: ID!) {
  bulkOperationCancel(id: $id) { bulkOperation { id status } userErrors { field message } }
}
"""
PRODUCTS = """
{ products { edges { node { __typename id title
  variants { edges { node { id sku media { edges { node { id preview { image { url } } } } } } } }
} } } }
"""


class Double:
    """The double with a clock that the test moves."""

    def __init__(self, sandbox: ShopifySandbox, seconds: list[float]) -> None:
        self.sandbox = sandbox
        self.seconds = seconds
        self.http = httpx.Client()

    def post(self, text: str, **variables: Any) -> dict[str, Any]:
        answer = self.http.post(
            f"{self.sandbox.url}/admin/api/2026-10/graphql.json",
            json={"query": text, "variables": variables},
            headers={"X-Shopify-Access-Token": self.sandbox.access_token},
        ).json()
        found: dict[str, Any] = answer
        return found

    def run(self, query: str = PRODUCTS, *, group: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = self.post(RUN, query=query, group=group)["data"]
        started: dict[str, Any] = found["bulkOperationRunQuery"]
        return started

    def poll(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = self.post(POLL, id=job)["data"]["bulkOperation"]
        return found

    def finished(self, **options: Any) -> dict[str, Any]:
        job = self.run(**options)["bulkOperation"]["id"]
        self.seconds[0] += 60
        return self.poll(job)

    def lines(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.http.get(job["url"]).text.splitlines()]


@pytest.fixture
def double() -> Iterator[Double]:
    seconds = [0.0]
    shop = Shop()
    for number in range(3):
        sizes = [{"values": (s,), "price": "9.00", "sku": f"T{number}-{s}"} for s in "SM"]
        shop.add_product(f"Tee/{number}", options=("Size",), variants=sizes)
    with ShopifySandbox(shop, clock=lambda: seconds[0]) as sandbox:
        made = Double(sandbox, seconds)
        yield made
        made.http.close()


def test_job_is_created_runs_and_completes_with_counts_as_strings(double: Double) -> None:
    started = double.run()["bulkOperation"]
    assert (started["status"], started["objectCount"], started["url"]) == ("CREATED", "0", None)
    double.seconds[0] += 0.6
    assert double.poll(started["id"])["status"] == "RUNNING"
    double.seconds[0] += 1
    done = double.poll(started["id"])
    assert done["status"] == "COMPLETED"
    assert (done["objectCount"], done["rootObjectCount"]) == ("15", "3")
    body = double.http.get(done["url"]).content
    assert len(body) == int(done["fileSize"])
    assert b"Tee\\/0" in body, "slashes are escaped as recorded"


def test_grouped_children_follow_their_parent_ungrouped_ones_all_roots(double: Double) -> None:
    grouped = double.lines(double.finished())
    depth = [line["id"].split("/")[3] for line in grouped[:5]]
    assert depth == ["Product", "ProductVariant", "MediaImage", "ProductVariant", "MediaImage"]
    scattered = double.lines(double.finished(group=False))
    kinds = [line["id"].split("/")[3] for line in scattered]
    assert kinds == ["Product"] * 3 + ["ProductVariant"] * 6 + ["MediaImage"] * 6
    assert sorted(map(str, grouped)) == sorted(map(str, scattered))
    parents = {line["id"] for line in grouped}
    assert all(line["__parentId"] in parents for line in grouped if "__parentId" in line)


def test_lines_are_the_objects_that_pages_give(double: Double) -> None:
    listing = double.post("{ products(first: 9) { nodes { __typename id title } } }")
    pages = listing["data"]["products"]["nodes"]
    lines = [line for line in double.lines(double.finished()) if "__typename" in line]
    assert lines == pages


def test_nothing_found_completes_without_a_file(double: Double) -> None:
    query = "{ orders { edges { node { id } } } }"
    done = double.finished(query=query)
    assert (done["status"], done["url"], done["objectCount"]) == ("COMPLETED", None, "0")


def test_sixth_job_is_refused_with_the_running_ids_as_recorded(
    double: Double, recorded: Callable[[str], Any]
) -> None:
    ids = [double.run()["bulkOperation"]["id"] for _ in range(5)]
    refused = double.run()
    name = "bulk/2026-04__harry-test-heelo__bulk-operation-run-query-concurrency-limit.json"
    truth = recorded(name)["sixthRun"]["response"]["data"]["bulkOperationRunQuery"]
    theirs, ours = truth["userErrors"][0], refused["userErrors"][0]
    assert refused["bulkOperation"] is truth["bulkOperation"] is None
    assert (ours["field"], ours["code"]) == (theirs["field"], theirs["code"])
    assert ours["message"].partition(": ")[0] == theirs["message"].partition(": ")[0]
    assert all(job in ours["message"] for job in ids)


def test_cancelled_job_is_canceling_first_as_recorded(double: Double) -> None:
    job = double.run()["bulkOperation"]["id"]
    answer = double.post(CANCEL, id=job)["data"]["bulkOperationCancel"]
    assert answer == {"bulkOperation": {"id": job, "status": "CANCELING"}, "userErrors": []}
    double.seconds[0] += 1
    assert double.poll(job)["status"] == "CANCELED"


def test_failed_job_leaves_partial_data(double: Double) -> None:
    fate = Fate("FAILED", "INTERNAL_SERVER_ERROR", after_roots=1)
    double.sandbox.api.bulk.fates.append(fate)
    failed = double.finished()
    assert (failed["status"], failed["errorCode"]) == ("FAILED", "INTERNAL_SERVER_ERROR")
    assert (failed["url"], failed["rootObjectCount"]) == (None, "1")
    assert double.http.get(failed["partialDataUrl"]).text.count("\n") == 5


def test_query_without_its_scope_fails_as_denied(double: Double) -> None:
    double.sandbox.api.scopes = ("read_orders",)
    assert double.finished()["errorCode"] == "ACCESS_DENIED"


def test_download_takes_ranges_and_no_token(double: Double) -> None:
    url = double.finished()["url"]
    whole = double.http.get(url).content
    rest = double.http.get(url, headers={"Range": "bytes=100-"})
    assert (rest.status_code, rest.content) == (206, whole[100:])
    assert double.http.get(url, headers={"X-Shopify-Access-Token": "t"}).status_code == 400


def test_expired_address_is_replaced_by_the_next_look(double: Double) -> None:
    done = double.finished()
    double.sandbox.api.bulk.expire_urls()
    assert double.http.get(done["url"]).status_code == 400
    assert double.http.get(double.poll(done["id"])["url"]).status_code == 200


def test_interrupted_download_loses_its_connection(double: Double) -> None:
    url = double.finished()["url"]
    double.sandbox.api.downloads.cuts = [50]
    with pytest.raises(httpx.TransportError):
        double.http.get(url)


def test_own_jobs_are_listed_with_their_comments(double: Double) -> None:
    job = double.run("# a comment\n" + PRODUCTS)["bulkOperation"]["id"]
    text = """{ bulkOperations(first: 5, query: "operation_type:query status:created") {
      nodes { id query } } }"""
    nodes = double.post(text)["data"]["bulkOperations"]["nodes"]
    assert [(node["id"], node["query"][:11]) for node in nodes] == [(job, "# a comment")]


def test_listing_with_wrong_arguments_answers_as_recorded(
    double: Double, recorded: Callable[[str], Any]
) -> None:
    name = "bulk/2026-04__harry-test-heelo__bulk-operations-read-arg-validation.json"
    for case, seen in recorded(name)["cases"].items():
        ours, theirs = double.post(seen["query"]), seen["response"]
        codes = [
            [(e["message"], e["extensions"]["code"]) for e in body.get("errors", ())]
            for body in (ours, theirs)
        ]
        assert codes[0] == codes[1], case
        searches = [body.get("extensions", {}).get("search") for body in (ours, theirs)]
        assert searches[0] == searches[1], case


def test_queries_that_cannot_run_in_bulk_are_refused_as_recorded(
    published_schema: Callable[[str], GraphQLSchema], recorded: Callable[[str], Any]
) -> None:
    seen = 0
    for file in ("validators", "user-error-codes"):
        name = f"bulk/2026-04__harry-test-heelo__bulk-operation-run-query-{file}.json"
        for case, call in recorded(name)["validations"].items():
            answer = call["response"]["data"]["bulkOperationRunQuery"]
            expected = [error["message"] for error in answer["userErrors"]]
            assert (
                bulk_faults(published_schema("2026-07"), call["variables"]["query"]) == expected
            ), case
            seen += 1
    assert seen == 10
