"""Deliver a Shopify shop to Replenit: what changed since the last run, nothing else.

    python pipelines/shopify_to_replenit.py --demo        try it: no account, no network
    python pipelines/shopify_to_replenit.py               your shop, settings from .dlt/

Exit codes: 0 everything was delivered · 1 some documents refused or kept back ·
2 could not run, nothing is lost · 3 interrupted, run it again to go on.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import dlt
from launch import (
    DEMO_FOLDER,
    deliver,
    demo_vendor,
    finish,
    missing_replenit_settings,
    needing_extra,
    parser,
)
from shopify import ShopifyError, missing_settings, shopify

from replenit_destination import MissingSettingsError, replenit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from dlt.extract import DltSource

SOURCE_ERRORS = (ShopifyError,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once and return the exit code."""
    options = parse(arguments)
    return finish(
        lambda: demo(options) if options.demo else live(options), options.report, *SOURCE_ERRORS
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    given = parser(__doc__ or "")
    given.add_argument(
        "--demo",
        action="store_true",
        help=f"sample shop to sandbox, both on this machine; everything is kept in {DEMO_FOLDER}/",
    )
    given.add_argument(
        "--new-day",
        action="store_true",
        help="with --demo: first let a few things happen in the sample shop",
    )
    options = given.parse_args(arguments)
    if options.new_day and not options.demo:
        given.error("--new-day changes the sample shop: it needs --demo")
    return options


def live(options: argparse.Namespace) -> Any:
    """Deliver the configured shop to the configured tenant."""
    missing = missing_live_settings()
    if missing:
        raise MissingSettingsError(missing)
    pipeline = dlt.pipeline(
        "shopify_to_replenit",
        destination=replenit(mapping=configured_mapping(), deliver="manual"),
        dataset_name="shopify",
    )
    return deliver(pipeline, source(options), options)


def missing_live_settings() -> dict[str, str]:
    """Return every setting of both sides that is not set: its name → where to put it."""
    missing = missing_settings(
        shop=dlt.config.get("sources.shopify.shop", str),
        access_token=dlt.secrets.get("sources.shopify.access_token", str),
        client_id=dlt.secrets.get("sources.shopify.client_id", str),
        client_secret=dlt.secrets.get("sources.shopify.client_secret", str),
    )
    return missing | missing_replenit_settings(configured_mapping())


def configured_mapping() -> str:
    """Return the mapping: a file's path, or a preset's name."""
    return str(dlt.config.get("destination.replenit.mapping", str) or "shopify")


def demo(options: argparse.Namespace) -> Any:
    """Deliver the sample shop to a sandbox, both started here and kept between runs."""
    with needing_extra("demo"):
        from replenit_destination.sandbox.shopify import ShopifySandbox, new_day
    # The profile of the vendor's guide: guests may order without a customer id.
    with (
        demo_vendor(DEMO_FOLDER, profile="gitbook") as vendor,
        ShopifySandbox(state=DEMO_FOLDER / "shop.json") as shop,
    ):
        if options.new_day:
            print(
                "Today in the sample shop:",
                *new_day(shop.shop, seed=len(shop.shop.events)),
                sep="\n  ",
            )
        pipeline = dlt.pipeline(
            "shopify_to_replenit",
            destination=replenit(
                DEMO_FOLDER / "staging.duckdb",
                mapping="shopify",
                api_key=vendor.api_key,
                tenant_id=vendor.tenant_id,
                base_url=vendor.url,
                customer_identifier_priority="email",
                gdpr_optin="email_or_sms_optin",
                deliver="manual",
            ),
            dataset_name="shopify",
            pipelines_dir=str(DEMO_FOLDER / "pipelines"),
        )
        # A real shop's search index lags; this one does not.
        demo_shop = {"shop": shop.url, "access_token": shop.access_token, "lag_minutes": 0}
        return deliver(pipeline, source(options, **demo_shop), options)


def source(options: argparse.Namespace, **settings: Any) -> DltSource:
    """Return the shop as a source, in the window and with the entities asked for."""
    asked = shopify(
        read_since=options.since, read_until=options.until, full=options.full, **settings
    )
    return asked.with_resources(*options.entities) if options.entities else asked


if __name__ == "__main__":
    sys.exit(main())
