# mypy: ignore-errors
# Its packages are in an environment of their own.
"""An Airbyte destination: buffer records, post, pass a state on when all before it is flushed.

https://docs.airbyte.com/platform/connector-development/cdk-python/
https://docs.airbyte.com/platform/understanding-airbyte/airbyte-protocol (state and checkpoints)
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airbyte_cdk.destinations import Destination
from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    ConfiguredAirbyteCatalog,
    ConnectorSpecification,
    Status,
    Type,
)
from airbyte_cdk.sources.streams.call_rate import (
    APIBudget,
    HttpRequestMatcher,
    MovingWindowCallRatePolicy,
    Rate,
)
from airbyte_cdk.sources.streams.http.http_client import HttpClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

logger = logging.getLogger("airbyte")
ENDPOINT = f"{os.environ['URL']}/orders/{os.environ['TENANT']}"
BATCH = int(os.environ["BATCH"])


def budget() -> APIBudget | None:
    limit, seconds = int(os.environ["QUOTA_LIMIT"]), float(os.environ["QUOTA_SECONDS"])
    if not limit:
        return None
    rate = Rate(limit=limit, interval=timedelta(seconds=seconds))
    policy = MovingWindowCallRatePolicy(rates=[rate], matchers=[HttpRequestMatcher()])
    # The default of 100 tries to wait is for short windows.
    return APIBudget(policies=[policy], maximum_attempts_to_acquire=100_000)


class Api(Destination):
    def write(
        self,
        config: Mapping[str, Any],
        configured_catalog: ConfiguredAirbyteCatalog,
        input_messages: Iterable[AirbyteMessage],
    ) -> Iterable[AirbyteMessage]:
        client = HttpClient("api", logger, api_budget=budget())
        waiting: list[Mapping[str, Any]] = []

        def post() -> None:
            if waiting:
                headers = {"x-replenit-auth-key": os.environ["KEY"]}
                client.send_request("POST", ENDPOINT, {}, json=waiting, headers=headers)
                waiting.clear()

        for message in input_messages:
            if message.type == Type.STATE:
                post()
                yield message
            elif message.type == Type.RECORD and message.record:
                waiting.append(message.record.data)
                if len(waiting) == BATCH:
                    post()
        post()

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        return AirbyteConnectionStatus(status=Status.SUCCEEDED)

    def spec(self, logger: logging.Logger) -> ConnectorSpecification:
        return ConnectorSpecification(connectionSpecification={"type": "object", "properties": {}})


if __name__ == "__main__":
    Api().run(sys.argv[1:])
