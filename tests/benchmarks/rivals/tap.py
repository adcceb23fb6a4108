"""The source of the Singer and the Airbyte programs: the model's rows as messages on stdout.

    python tap.py singer|airbyte

It starts behind the bookmark in `$SITE/state/bookmark` and emits a state message after every 500
rows, so that a target which passes states on can resume in the middle.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import duckdb

SITE = Path(os.environ["SITE"])
STATE_EVERY = 500
TEXT, NUMBER, INTEGER = ({"type": ["null", one]} for one in ("string", "number", "integer"))
LINE = {"ProductId": TEXT, "Sku": TEXT, "Quantity": INTEGER, "Price": NUMBER, "Brand": TEXT}
SCHEMA = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("OrderId", "CustomerId", "Email", "OrderDate", "Currency"), TEXT),
        "TotalRevenue": NUMBER,
        "TotalQuantity": INTEGER,
        "UniqueQuantity": INTEGER,
        "IsOrderCancelled": {"type": ["null", "boolean"]},
        "OrderItems": {"type": "array", "items": {"type": "object", "properties": LINE}},
        "updated_at": TEXT,
    },
}


def record(protocol: str, row: str) -> str:
    if protocol == "singer":
        return '{"type":"RECORD","stream":"orders","record":' + row + "}"
    message = '{"type":"RECORD","record":{"stream":"orders","emitted_at":0,"data":'
    return message + row + "}}"


def state(protocol: str, bookmark: str) -> str:
    if protocol == "singer":
        value = {"bookmarks": {"orders": {"replication_key_value": bookmark}}}
        return json.dumps({"type": "STATE", "value": value})
    return json.dumps({"type": "STATE", "state": {"type": "LEGACY", "data": {"orders": bookmark}}})


def bookmark() -> str:
    """Return the bookmark of the last state that a target passed on."""
    file = SITE / "state" / "bookmark"
    found: Any = json.loads(file.read_text()) if file.exists() and file.stat().st_size else {}
    if "bookmarks" in found:
        return str(found["bookmarks"]["orders"]["replication_key_value"])
    return str(found.get("state", {}).get("data", {}).get("orders", ""))


def main(protocol: str) -> None:
    write = sys.stdout.write
    if protocol == "singer":
        schema = {
            "type": "SCHEMA",
            "stream": "orders",
            "schema": SCHEMA,
            "key_properties": ["OrderId"],
        }
        write(json.dumps(schema) + "\n")
    model = Path(os.environ["MODEL"]).read_text()
    with duckdb.connect(str(SITE / "staged.duckdb"), read_only=True) as shop:
        rows = shop.execute(
            f"SELECT to_json(m)::VARCHAR, updated_at FROM ({model}) AS m WHERE updated_at > ?",
            [bookmark()],
        )
        while found := rows.fetchmany(STATE_EVERY):
            for row, _ in found:
                write(record(protocol, row) + "\n")
            write(state(protocol, found[-1][1]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
