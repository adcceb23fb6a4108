"""Deliver a Postgres shop to Replenit: what changed since the last run, nothing else.

    python pipelines/postgres_to_replenit.py --demo
        try it: no account, no database, no network
    python pipelines/postgres_to_replenit.py --propose-mapping shop.toml
        a draft of the mapping, from your tables
    python pipelines/postgres_to_replenit.py --demo --mapping shop.toml
        your database to a sandbox on this machine
    python pipelines/postgres_to_replenit.py
        your database to Replenit, settings in .dlt/

Exit codes: 0 everything was delivered · 1 some documents refused or kept back ·
2 could not run, nothing is lost · 3 interrupted, run it again to go on.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
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

with needing_extra("postgres"):
    from postgres import PostgresError, Window, postgres
    from postgres.description import describe
    from postgres.needed import needed_by

from proposal import propose, write

from replenit_destination import MissingSettingsError, replenit
from replenit_destination.targets.replenit.target import ReplenitTarget

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from dlt.extract import DltSource

FOLDER = DEMO_FOLDER / "postgres"
SECTION = "sources.postgres"
SOURCE_ERRORS = (PostgresError,)
PRESET = "relational"
DATABASE = {
    f"{SECTION}.credentials": "postgresql://user:password@host:5432/database: "
    f"`.dlt/secrets.toml` under [{SECTION}], or SOURCES__POSTGRES__CREDENTIALS"
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once and return the exit code."""
    options = parse(arguments)
    work = propose_mapping if options.propose_mapping else demo if options.demo else live
    return finish(lambda: work(options), options.report, *SOURCE_ERRORS)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what it leaves out is looked for in dlt's configuration."""
    given = parser(__doc__ or "")
    given.add_argument(
        "--demo",
        action="store_true",
        help="deliver to a sandbox on this machine, from the configured database, or from a sample "
        f"shop where none is configured; everything is kept in {FOLDER}/",
    )
    given.add_argument(
        "--new-day",
        action="store_true",
        help="with --demo: first let a few things happen in the sample shop",
    )
    given.add_argument(
        "--mapping",
        metavar="FILE",
        help=f"how the tables become documents: a TOML file; default is the preset `{PRESET}`",
    )
    given.add_argument(
        "--propose-mapping",
        type=Path,
        metavar="FILE",
        help="write a draft of a mapping, made from the names and types of your tables, and stop",
    )
    given.add_argument("--schema", metavar="NAME", help="of the tables; default public")
    options = given.parse_args(arguments)
    if options.new_day and not options.demo:
        given.error("--new-day changes the sample shop: it needs --demo")
    return options


def live(options: argparse.Namespace) -> Any:
    """Deliver the configured database to the configured tenant."""
    own = options.mapping or dlt.config.get("destination.replenit.mapping", str)
    missing = missing_replenit_settings(own or PRESET)
    credentials = configured_database()
    if not credentials:
        missing |= DATABASE
    if missing:
        raise MissingSettingsError(missing)
    made = dlt.pipeline(
        "postgres_to_replenit",
        destination=replenit(mapping=own or PRESET, deliver="manual"),
        dataset_name="shop",
    )
    return run(made, credentials, options)


def demo(options: argparse.Namespace) -> Any:
    """Deliver the configured database, or a sample, to a sandbox that is kept between runs."""
    with ExitStack() as running:
        vendor = running.enter_context(demo_vendor(FOLDER))
        credentials, sampled = configured_database(), {}
        if not credentials:
            from postgres.sample import REMOVALS, new_day, sample_shop

            credentials = running.enter_context(sample_shop(FOLDER / "server"))
            sampled = {"removals": REMOVALS}
            if options.new_day:
                print("Today in the sample shop:", *new_day(credentials), sep="\n  ")
        own = options.mapping or dlt.config.get("destination.replenit.mapping", str)
        made = dlt.pipeline(
            "postgres_to_replenit",
            destination=replenit(
                FOLDER / "staging.duckdb",
                mapping=own or PRESET,
                api_key=vendor.api_key,
                tenant_id=vendor.tenant_id,
                base_url=vendor.url,
                customer_identifier_priority="email",
                # A mapping of one's own says who consented.
                gdpr_optin=None if own else "email_or_sms_optin",
                deliver="manual",
            ),
            dataset_name="shop",
            pipelines_dir=str(FOLDER / "pipelines"),
        )
        return run(made, credentials, options, **sampled)


def propose_mapping(options: argparse.Namespace) -> None:
    """Write a draft of a mapping for the configured database; with `--demo` for the sample shop."""
    schema = configured_schema(options)
    with ExitStack() as running:
        credentials = configured_database()
        if not credentials and options.demo:
            from postgres.sample import sample_shop

            FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
            credentials = running.enter_context(sample_shop(FOLDER / "server"))
        if not credentials:
            raise MissingSettingsError(DATABASE)
        tables, notes = describe(credentials, schema=schema)
    text = propose(tables, origin=f"the tables in schema `{schema}`", notes=notes)
    write(text, options.propose_mapping)
    print(f"{options.propose_mapping} is a draft: read it, and answer the lines that begin with #?")


def configured_schema(options: argparse.Namespace) -> str:
    """Return the schema of the tables."""
    return options.schema or dlt.config.get(f"{SECTION}.schema", str) or "public"


def configured_database() -> str:
    """Return the address of the configured database; empty when there is none."""
    return str(dlt.secrets.get(f"{SECTION}.credentials", str) or "")


def run(
    pipeline: dlt.Pipeline, credentials: str, options: argparse.Namespace, **settings: Any
) -> Any:
    """Read what the mapping needs, and deliver it."""
    # Arrow tables carry load ids only when asked to; by them a delivery finds what is new.
    dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
    schema = configured_schema(options)
    config: Any = pipeline.destination_client().config
    tables = needed_by(
        config.delivery_mapping(),
        ReplenitTarget(config.target_settings()),
        credentials,
        schema=schema,
        entities=options.entities,
    )
    source: DltSource = postgres(
        credentials,
        schema=schema,
        tables=tables,
        full=options.full,
        window=Window(options.since, options.until),
        **settings,
    )
    return deliver(pipeline, source, options)


if __name__ == "__main__":
    sys.exit(main())
