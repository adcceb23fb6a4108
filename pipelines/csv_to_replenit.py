"""Deliver a folder of CSV, JSON Lines or Parquet files to Replenit: what changed, nothing else.

    python pipelines/csv_to_replenit.py --demo            try it: no account, no files, no network
    python pipelines/csv_to_replenit.py --demo --folder exports --mapping shop.toml
                                                          your files to a sandbox on this machine
    python pipelines/csv_to_replenit.py --folder exports --propose-mapping shop.toml
                                                          a draft of the mapping, from your files
    python pipelines/csv_to_replenit.py                   your files to Replenit, settings in .dlt/

Exit codes: 0 everything was delivered · 1 some documents refused or kept back ·
2 could not run, nothing is lost · 3 interrupted, run it again to go on.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from csv_files import LAYOUT, TABLES, CsvError, Format, Span, csv_files
from csv_files.description import describe
from csv_files.sample import write_sample
from launch import DEMO_FOLDER, deliver, demo_vendor, finish, missing_replenit_settings, parser
from proposal import propose, write

from replenit_destination import MissingSettingsError, replenit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from dlt.extract import DltSource

FOLDER = DEMO_FOLDER / "csv"
SECTION = "sources.csv_files"
SOURCE_ERRORS = (CsvError, OSError)
PLACE = {
    f"{SECTION}.folder": "the folder or bucket with the files: --folder, or `.dlt/config.toml` "
    f"under [{SECTION}], or SOURCES__CSV_FILES__FOLDER"
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
        help=f"deliver to a sandbox on this machine; everything is kept in {FOLDER}/",
    )
    given.add_argument(
        "--folder", metavar="PATH", help="where the files are: a path, or a bucket's address"
    )
    given.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="NAME=PATTERN",
        help="a table and the files it is read from, for instance sales='Sales_*.csv'; repeatable; "
        f"default {', '.join(f'{name}={pattern}' for name, pattern in TABLES.items())}",
    )
    given.add_argument(
        "--mapping",
        metavar="FILE",
        help="how the tables become documents: a TOML file; default is csv_files/layout.toml",
    )
    given.add_argument(
        "--propose-mapping",
        type=Path,
        metavar="FILE",
        help="write a draft of a mapping, made from the files' first lines, and stop",
    )
    given.add_argument("--delimiter", metavar="CHAR", help="between values; default `,`")
    given.add_argument("--encoding", metavar="NAME", help="of the files; default utf-8")
    options = given.parse_args(arguments)
    pairs = [pair.partition("=") for pair in options.table]
    if not all(name and pattern for name, _, pattern in pairs):
        given.error("--table: write NAME=PATTERN, for instance sales='Sales_*.csv'")
    options.tables = {name: pattern for name, _, pattern in pairs}
    return options


@dataclass(frozen=True)
class Files:
    """Which files, and what becomes of them: the command line first, then the configuration."""

    folder: str | None
    tables: dict[str, str] | None
    mapping: str
    written: dict[str, str]
    span: Span
    full: bool

    @classmethod
    def chosen(cls, options: argparse.Namespace) -> Files:
        """Return what was asked for."""
        mapping = options.mapping or dlt.config.get("destination.replenit.mapping", str)
        written = {name: getattr(options, name) for name in ("delimiter", "encoding")}
        return cls(
            folder=options.folder or dlt.config.get(f"{SECTION}.folder", str),
            tables=options.tables or None,
            mapping=mapping or str(LAYOUT),
            written={name: value for name, value in written.items() if value},
            span=Span(options.since, options.until),
            full=options.full,
        )

    def source(self) -> DltSource:
        """Return the dlt source; what is not chosen here it takes from its own settings."""
        chosen: dict[str, Any] = {"folder": self.folder, "tables": self.tables, **self.written}
        given = {name: value for name, value in chosen.items() if value}
        source: DltSource = csv_files(span=self.span, full=self.full, **given)
        return source


def live(options: argparse.Namespace) -> Any:
    """Deliver the configured folder to the configured tenant."""
    files = Files.chosen(options)
    missing = missing_replenit_settings(files.mapping)
    if not files.folder:
        missing |= PLACE
    if missing:
        raise MissingSettingsError(missing)
    destination = replenit(mapping=files.mapping, deliver="manual")
    return run(pipeline(destination), files, options)


def demo(options: argparse.Namespace) -> Any:
    """Deliver the given files, or a sample, to a sandbox that is kept between runs."""
    with demo_vendor(FOLDER) as vendor:
        files = Files.chosen(options)
        if not files.folder:
            sample = FOLDER / "files"
            if write_sample(sample):
                print(f"Sample files are in {sample}/. Change them and run again.")
            files = replace(files, folder=str(sample), mapping=options.mapping or str(LAYOUT))
        destination = replenit(
            FOLDER / "staging.duckdb",
            mapping=files.mapping,
            api_key=vendor.api_key,
            tenant_id=vendor.tenant_id,
            base_url=vendor.url,
            customer_identifier_priority="email",
            deliver="manual",
        )
        return run(pipeline(destination, FOLDER / "pipelines"), files, options)


def run(made: dlt.Pipeline, files: Files, options: argparse.Namespace) -> Any:
    """Read what is new, and deliver it."""
    return deliver(made, files.source(), options)


def propose_mapping(options: argparse.Namespace) -> None:
    """Write a draft of a mapping for the files in the folder."""
    files = Files.chosen(options)
    if not files.folder:
        raise MissingSettingsError(PLACE)
    delimiter = files.written.get("delimiter") or dlt.config.get(f"{SECTION}.delimiter", str)
    configured = dlt.config.get(f"{SECTION}.tables", dict)
    tables, notes = describe(files.folder, files.tables or configured, Format(delimiter or ","))
    write(
        propose(tables, origin=f"the files in `{files.folder}`", notes=notes),
        options.propose_mapping,
    )
    print(f"{options.propose_mapping} is a draft: read it, and answer the lines that begin with #?")


def pipeline(destination: Any, folder: Path | None = None) -> dlt.Pipeline:
    """Return the pipeline; its name and dataset are where the staged rows are found later."""
    # Arrow tables carry load ids only when asked to; by them a delivery finds what is new.
    dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
    place: dict[str, Any] = {"pipelines_dir": str(folder)} if folder else {}
    made: dlt.Pipeline = dlt.pipeline(
        "csv_to_replenit", destination=destination, dataset_name="csv", **place
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
