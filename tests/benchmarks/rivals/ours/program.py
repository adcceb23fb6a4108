"""Ours: deliver what is staged, through the public `push`."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import dlt

from replenit_destination import push, replenit

SITE = Path(os.environ["SITE"])
# Processes of one account keep their ledgers, and with them its quota, in one folder.
LEDGER = SITE.parent / "account" / f"{SITE.name}.ledger.duckdb"
UNLIMITED = 1_000_000

MAPPING = {
    "orders": {
        "table": "orders",
        "fields": {
            "OrderId": "id",
            "CustomerId": "customer_id",
            "Email": "email",
            "OrderDate": "created_at",
            "TotalRevenue": "total",
            "Currency": "currency",
            "IsOrderCancelled": "cancelled_at IS NOT NULL",
        },
        "items": {
            "table": "orders__line_items",
            "fields": {
                "ProductId": "product_id",
                "Sku": "sku",
                "Quantity": "quantity",
                "Price": "price",
                "Brand": "brand",
            },
        },
    }
}


def quota() -> dict[str, Any]:
    """Return the settings that tell the account's quota.

    The product knows windows of a minute and an hour. Where the suite shortens the minute, the
    windows are given to the engine, which is the same otherwise.
    """
    limit, seconds = int(os.environ["QUOTA_LIMIT"]), float(os.environ["QUOTA_SECONDS"])
    if not limit:
        return {"requests_per_minute": UNLIMITED, "requests_per_hour": UNLIMITED}
    if seconds == 60:
        return {"requests_per_minute": limit}
    from replenit_destination.engine import run
    from replenit_destination.engine.clock import SystemClock
    from replenit_destination.engine.quota import QuotaShares, SharedQuota, Window, account_path

    shared = SharedQuota(
        account_path(LEDGER.parent, "shop"),
        [Window(limit, seconds)],
        clock=SystemClock(),
        shares=QuotaShares(share=1),
    )
    return {"engine": partial(run.push, quota=shared)}


def main() -> int:
    destination = replenit(
        str(SITE / "staged.duckdb"),
        api_key=os.environ["KEY"],
        tenant_id=os.environ["TENANT"],
        base_url=os.environ["URL"],
        mapping=MAPPING,
        customer_identifier_priority="customerid",
        guests="drop",
        ledger=LEDGER,
        deliver="manual",
        account="shop",
        quota_share=1,
        orders_per_request=int(os.environ["BATCH"]),
        **quota(),
    )
    pipeline = dlt.pipeline(
        "staging",
        destination=destination,
        dataset_name="shop",
        pipelines_dir=str(SITE / "pipelines"),
    )
    report = push(pipeline)
    print(report.summary)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
