# mypy: ignore-errors
# Its packages are in an environment of their own.
"""A hotglue target: a batch sink that posts. https://github.com/hotgluexyz/HotglueSingerSDK"""

from __future__ import annotations

import os
from typing import Any

from hotglue_singer_sdk.target_sdk.client import HotglueBatchSink
from hotglue_singer_sdk.target_sdk.target import TargetHotglue


class OrdersSink(HotglueBatchSink):
    name = "orders"
    endpoint = f"/orders/{os.environ['TENANT']}"
    base_url = os.environ["URL"]
    unified_schema = None
    max_size = int(os.environ["BATCH"])
    http_headers = {"x-replenit-auth-key": os.environ["KEY"]}  # noqa: RUF012 - the SDK's way

    def process_batch_record(self, record: dict[str, Any], index: int) -> dict[str, Any]:
        return record

    def make_batch_request(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.request_api("POST", request_data=records)
        return records

    def handle_batch_response(self, response: list[dict[str, Any]]) -> dict[str, Any]:
        return {"state_updates": [{"id": one["OrderId"], "success": True} for one in response]}


class TargetApi(TargetHotglue):
    name = "target-api"
    SINK_TYPES = [OrdersSink]  # noqa: RUF012 - the SDK's way
    config_jsonschema = {"properties": {}}  # noqa: RUF012 - the SDK's way


if __name__ == "__main__":
    TargetApi.cli()
