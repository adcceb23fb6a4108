"""A custom destination of dlt, as its page describes it.

https://dlthub.com/docs/dlt-ecosystem/destinations/destination
https://dlthub.com/docs/general-usage/incremental-loading
https://dlthub.com/docs/general-usage/http/requests (retries of 429 and 5xx, Retry-After)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
from dlt.common.json import json
from dlt.sources.helpers import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = Path(os.environ["SITE"])
MODEL = Path(os.environ["MODEL"]).read_text()
ENDPOINT = f"{os.environ['URL']}/orders/{os.environ['TENANT']}"
HEADERS = {"x-replenit-auth-key": os.environ["KEY"], "content-type": "application/json"}


@dlt.destination(
    batch_size=int(os.environ["BATCH"]), naming_convention="direct", max_table_nesting=0
)
def api(items: Any, table: Any) -> None:
    requests.post(ENDPOINT, data=json.dumpb(items), headers=HEADERS)


@dlt.resource(primary_key="OrderId")
def orders(
    updated: Any = dlt.sources.incremental("updated_at", initial_value=""),  # noqa: B008 - dlt's way
) -> Iterator[list[dict[str, Any]]]:
    with duckdb.connect(str(SITE / "staged.duckdb"), read_only=True) as shop:
        rows = shop.execute(f"SELECT * FROM ({MODEL}) WHERE updated_at > ?", [updated.last_value])
        names = [column[0] for column in rows.description or ()]
        while found := rows.fetchmany(5000):
            yield [dict(zip(names, row, strict=True)) for row in found]


if __name__ == "__main__":
    pipeline = dlt.pipeline(
        "activation", destination=api, pipelines_dir=str(SITE / "state" / "pipelines")
    )
    pipeline.run(orders())
