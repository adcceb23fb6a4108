"""The HTTP face: one GraphQL route, one token route, Shopify's headers and error bodies."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from graphql import (
    GraphQLError,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from replenit_destination.sandbox.shopify.bulk import BulkJobs
from replenit_destination.sandbox.shopify.cost import MAX_QUERY_COST, CostBucket, QueryCost
from replenit_destination.sandbox.shopify.downloads import Downloads
from replenit_destination.sandbox.shopify.resolvers import ALL_SCOPES, Execution
from replenit_destination.sandbox.shopify.schema import VERSIONS, serving_version, versioned_schema
from replenit_destination.sandbox.shopify.store import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from replenit_destination.sandbox.shopify.store import ShopStore

__all__ = ["AdminApi", "Call"]

TOKEN_SECONDS = (
    86_399  # client-credentials tokens live 24 hours (shopify.dev, "Client credentials grant")
)


@dataclass(frozen=True)
class Call:
    """One GraphQL request as it arrived, for tests to look at."""

    operation: str
    variables: dict[str, Any]
    version: str
    status: int
    codes: tuple[str, ...] = ()


@dataclass
class AdminApi:
    """The state of the served API: credentials, cost bucket, and what it is told to refuse.

    Args:
        shop: What is served.
        clock: Seconds, for the bucket and for the life of granted tokens.
        lost_answers: Operations whose next request is carried out and then answered with HTTP 502.
        versions: The versions it says it supports.
        unlisted: Ids that no listing shows, although the objects are there.
    """

    shop: ShopStore
    access_token: str = "shpat_sample"  # noqa: S105 - opens nothing but this double
    client_id: str = "sample-client"
    client_secret: str = "sample-secret"  # noqa: S105
    scopes: tuple[str, ...] = ALL_SCOPES
    pii_denied: bool = False
    index_lag_seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    bucket: CostBucket = field(init=False)
    bulk: BulkJobs = field(init=False)
    calls: list[Call] = field(default_factory=list)
    failures: list[Response] = field(default_factory=list)
    lost_answers: set[str] = field(default_factory=set)
    unlisted: set[int] = field(default_factory=set)
    versions: tuple[str, ...] = VERSIONS
    _granted: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bucket = CostBucket(self.clock)
        self.bulk = BulkJobs(self.shop, self.clock)
        self.downloads = Downloads(self.bulk)

    def routes(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
                Route("/admin/oauth/access_token", self._token, methods=["POST"]),
                Route("/bulk-results/{number:int}.jsonl", self.downloads.answer),
            ]
        )

    def fail_next(
        self, status: int, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        """Answer the next GraphQL request with this status instead; several calls queue up."""
        self.failures.append(
            JSONResponse(body or {"errors": "Unavailable"}, status, headers=headers)
        )

    def expire_tokens(self) -> None:
        """Let every token of the client-credentials grant expire now."""
        self._granted.clear()

    async def _token(self, request: Request) -> Response:
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        right = form.get("grant_type") == "client_credentials" and (
            form.get("client_id"),
            form.get("client_secret"),
        ) == (self.client_id, self.client_secret)
        if not right:
            return JSONResponse({"error": "invalid_client"}, 401)
        token = f"shpca_{secrets.token_hex(16)}"
        self._granted[token] = self.clock() + TOKEN_SECONDS
        return JSONResponse(
            {"access_token": token, "scope": ",".join(self.scopes), "expires_in": TOKEN_SECONDS}
        )

    async def _graphql(self, request: Request) -> Response:
        version = serving_version(request.path_params["version"])
        if version is None:
            return JSONResponse({"errors": "Not Found"}, 404)
        headers = {"X-Shopify-API-Version": version}
        if not self._known(request.headers.get("x-shopify-access-token", "")):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": message}, 401, headers=headers)
        if self.failures:
            failure = self.failures.pop(0)
            self.calls.append(Call("", {}, version, failure.status_code))
            return failure
        self.bulk.base_url = str(request.base_url)
        try:
            body = json.loads(await request.body())
            query, variables = str(body["query"]), dict(body.get("variables") or {})
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"errors": "Bad Request"}, 400, headers=headers)
        answer = await run_in_threadpool(
            self.answer, query, variables, version, body.get("operationName")
        )
        name = body.get("operationName") or ""
        if name in self.lost_answers:
            self.lost_answers.discard(name)
            return JSONResponse({"errors": "Bad Gateway"}, 502)
        return JSONResponse(answer, headers=headers)

    def _known(self, token: str) -> bool:
        if secrets.compare_digest(token.encode(), self.access_token.encode()):
            return True
        return self._granted.get(token, -1.0) > self.clock()

    def answer(
        self, query: str, variables: dict[str, Any], version: str, name: str | None = None
    ) -> dict[str, Any]:
        """Answer one GraphQL request; never raises, as the service answers errors with HTTP 200."""
        with self.shop.lock:
            body, label = self._answer(query, variables, version, name)
        codes = tuple(
            str(error.get("extensions", {}).get("code", "")) for error in body.get("errors", ())
        )
        self.calls.append(Call(label, variables, version, 200, codes))
        return body

    def _answer(
        self, query: str, variables: dict[str, Any], version: str, name: str | None
    ) -> tuple[dict[str, Any], str]:
        schema = versioned_schema(version)
        try:
            document = parse(query)
        except GraphQLError as error:
            return {"errors": [_shown(error, "parse_error")]}, ""
        operation = get_operation_ast(document, name)
        label = operation.name.value if operation and operation.name else ""
        faults = validate(schema, document)
        if faults or not isinstance(operation, OperationDefinitionNode):
            return {"errors": [_shown(fault, _code(fault)) for fault in faults]}, label
        cost = QueryCost(schema, document, variables, operation)
        requested = cost.requested(operation.selection_set)
        refusal = self._refused(requested)
        if refusal:
            return refusal, label
        lag = timedelta(seconds=self.index_lag_seconds)
        execution = Execution(
            self.shop,
            scopes=self.scopes,
            versions=self.versions,
            pii_denied=self.pii_denied,
            indexed_until=stamp(self.shop.clock() - lag) if self.index_lag_seconds else None,
            bulk=self.bulk,
            schema=schema,
            unlisted=self.unlisted,
        )
        result = execute_sync(
            schema,
            document,
            variable_values=variables,
            operation_name=name,
            field_resolver=execution.resolve,
        )
        actual = cost.actual(operation.selection_set, result.data)
        self.bucket.spend(actual)
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [_shown(error, "INTERNAL_SERVER_ERROR") for error in result.errors]
        body["extensions"] = {"cost": self.bucket.block(requested, actual)}
        if execution.searches:
            body["extensions"]["search"] = execution.searches
        return body, label

    def _refused(self, requested: int) -> dict[str, Any] | None:
        documentation = "https://shopify.dev/api/usage/rate-limits"
        if requested > MAX_QUERY_COST:
            message = (
                f"Query cost is {requested}, which exceeds the single query max cost limit "
                f"({MAX_QUERY_COST})."
            )
            extensions = {
                "code": "MAX_COST_EXCEEDED",
                "cost": requested,
                "maxCost": MAX_QUERY_COST,
                "documentation": documentation,
            }
            return {"errors": [{"message": message, "extensions": extensions}]}
        if requested > self.bucket.available():
            throttled = {"code": "THROTTLED", "documentation": documentation}
            return {
                "errors": [{"message": "Throttled", "extensions": throttled}],
                "extensions": {"cost": self.bucket.block(requested, None)},
            }
        return None


def _code(fault: GraphQLError) -> str:
    if "Cannot query field" in fault.message:
        return "undefinedField"
    return "argumentLiteralsIncompatible"


def _shown(error: GraphQLError, code: str) -> dict[str, Any]:
    shown: dict[str, Any] = dict(error.formatted)
    shown["extensions"] = {"code": code, **(error.extensions or {})}
    return shown
