# mypy: ignore-errors
# Its packages are in an environment of their own.
"""A Singer target on Meltano's SDK: a batch sink that posts. https://sdk.meltano.com/en/latest/sinks.html"""

from __future__ import annotations

import os
from typing import Any

import requests
import simplejson
from singer_sdk import BatchSink, Target

ENDPOINT = f"{os.environ['URL']}/orders/{os.environ['TENANT']}"


class OrdersSink(BatchSink):
    max_size = int(os.environ["BATCH"])
    session = requests.Session()

    def process_batch(self, context: dict[str, Any]) -> None:
        response = self.session.post(
            ENDPOINT,
            data=simplejson.dumps(context["records"], use_decimal=True),
            headers={
                "x-replenit-auth-key": os.environ["KEY"],
                "content-type": "application/json",
            },
            timeout=60,
        )
        response.raise_for_status()


class TargetApi(Target):
    name = "target-api"
    default_sink_class = OrdersSink
    config_jsonschema = {"properties": {}}  # noqa: RUF012 - the SDK's way


if __name__ == "__main__":
    TargetApi.cli()
