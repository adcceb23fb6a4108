"""Deliver a Shopify shop to Replenit: what changed since the last run, nothing else.

    python pipelines/shopify_to_replenit.py --demo        try it: no account, no network
    python pipelines/shopify_to_replenit.py               your shop, settings from .dlt/

Exit codes: 0 everything was delivered · 1 some documents were refused, all others delivered ·
2 could not run, nothing is lost · 3 interrupted, run it again to go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed
from shopify import ShopifyError, missing_settings, shopify

from replenit_destination import (
    ActivationError,
    MissingSettingsError,
    SettingsError,
    push,
    replenit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dlt.extract import DltSource

DEMO_FOLDER = Path(".demo")
NOT_RUN, INTERRUPTED = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once and return the exit code."""
    options = parse(arguments)
    try:
        report = demo(options) if options.demo else live()
    except KeyboardInterrupt:
        print("Interrupted; run it again to go on where it stopped.", file=sys.stderr)
        return INTERRUPTED
    except (ActivationError, ShopifyError) as error:
        print(error, file=sys.stderr)
        return NOT_RUN
    except PipelineStepFailed as error:
        return explain(error)
    print(report.summary)
    if options.report:
        text = json.dumps(report.to_dict(), indent=2, default=str)
        options.report.write_text(f"{text}\n", encoding="utf-8")
    return int(report.exit_code)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    head, _, tail = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=head,
        epilog=tail[tail.index("Exit codes") :],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help=f"sample shop to sandbox, both on this machine; everything is kept in {DEMO_FOLDER}/",
    )
    parser.add_argument(
        "--new-day",
        action="store_true",
        help="with --demo: first let a few things happen in the sample shop",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write the run's report there as JSON"
    )
    options = parser.parse_args(arguments)
    if options.new_day and not options.demo:
        parser.error("--new-day changes the sample shop: it needs --demo")
    return options


def live() -> Any:
    """Deliver the configured shop to the configured tenant."""
    missing = missing_live_settings()
    if missing:
        raise MissingSettingsError(missing)
    mapping = dlt.config.get("destination.replenit.mapping", str) or "shopify"
    pipeline = dlt.pipeline(
        "shopify_to_replenit",
        destination=replenit(mapping=mapping, deliver="manual"),
        dataset_name="shopify",
    )
    return deliver(pipeline, shopify())


def missing_live_settings() -> dict[str, str]:
    """Return every setting of both sides that is not set: its name → where to put it."""
    missing = missing_settings(
        shop=dlt.config.get("sources.shopify.shop", str),
        access_token=dlt.secrets.get("sources.shopify.access_token", str),
        client_id=dlt.secrets.get("sources.shopify.client_id", str),
        client_secret=dlt.secrets.get("sources.shopify.client_secret", str),
    )
    config = "`.dlt/config.toml` under [destination.replenit], or DESTINATION__REPLENIT__{}"
    closed = "`.dlt/secrets.toml` under [destination.replenit], or DESTINATION__REPLENIT__{}"
    places = {
        "api_key": "the key from Replenit's dashboard: " + closed,
        "tenant_id": "the tenant's GUID, from the same page: " + config,
        "customer_identifier_priority": "`email` or `customerid`, as the tenant is set up: "
        + config,
        "gdpr_optin": "whom Replenit may process, for instance `email_or_sms_optin`: " + config,
    }
    for name, place in places.items():
        stores = dlt.secrets if name == "api_key" else dlt.config
        # A mapping of one's own may say who consented.
        own = name == "gdpr_optin" and dlt.config.get("destination.replenit.mapping", str)
        if not own and not stores.get(f"destination.replenit.{name}", str):
            missing[f"destination.replenit.{name}"] = place.format(name.upper())
    return missing


def demo(options: argparse.Namespace) -> Any:
    """Deliver the sample shop to a sandbox, both started here and kept between runs."""
    try:
        from replenit_destination.sandbox import ReplenitSandbox
        from replenit_destination.sandbox.shopify import ShopifySandbox, new_day
    except ModuleNotFoundError as error:
        message = (
            f"the demo needs more packages (`{error.name}` is missing): pip install -e '.[demo]'"
        )
        raise SettingsError(message) from error
    DEMO_FOLDER.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as running:
        try:
            # The profile of the vendor's guide: guests may order without a customer id.
            state = DEMO_FOLDER / "replenit.sqlite"
            box = ReplenitSandbox(profile="gitbook", state=state, port=demo_port())
            vendor = running.enter_context(box)
        except OSError as error:
            message = (
                f"the sandbox cannot listen on port {demo_port()} ({error.strerror}): is another "
                f"demo running? Delete {DEMO_FOLDER}/ to begin anew on another port."
            )
            raise SettingsError(message) from error
        shop = running.enter_context(ShopifySandbox(state=DEMO_FOLDER / "shop.json"))
        remember_port(vendor.url)
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
        source = shopify(shop=shop.url, access_token=shop.access_token, lag_minutes=0)
        return deliver(pipeline, source)


def demo_port() -> int:
    """Return the sandbox's port of the last run, 0 in the first.

    What a host has accepted is remembered under its address, port included: on another port the
    sandbox would be another vendor and get everything anew.
    """
    kept = DEMO_FOLDER / "port"
    return int(kept.read_text(encoding="ascii")) if kept.exists() else 0


def remember_port(url: str) -> None:
    """Keep the port that the first run was given."""
    (DEMO_FOLDER / "port").write_text(url.rpartition(":")[2], encoding="ascii")


def deliver(pipeline: dlt.Pipeline, source: DltSource) -> Any:
    """Stage what changed, deliver it, and return the report."""
    if pipeline.has_pending_data:
        # What an interrupted run had staged; dlt would load it in place of the new data.
        pipeline.run()
    pipeline.run(source, loader_file_format="parquet")
    return push(pipeline)


def explain(error: PipelineStepFailed) -> int:
    """Print why a step of the pipeline failed, in the words of what failed, and return the code."""
    for cause in causes(error):
        if isinstance(cause, KeyboardInterrupt):
            print("Interrupted; run it again to go on where it stopped.", file=sys.stderr)
            return INTERRUPTED
        if isinstance(cause, (ActivationError, ShopifyError)):
            print(cause, file=sys.stderr)
            return NOT_RUN
    print(error, file=sys.stderr)
    return NOT_RUN


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


if __name__ == "__main__":
    sys.exit(main())
