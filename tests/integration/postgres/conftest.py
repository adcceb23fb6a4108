"""A real Postgres for these tests, a database of its own for each of them."""

from __future__ import annotations

import json
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "pipelines"))

from postgres import postgres  # noqa: E402
from postgres.needed import needed_by  # noqa: E402
from postgres.server import PostgresServer, find_binaries  # noqa: E402

from replenit_destination import push, replenit  # noqa: E402
from replenit_destination.sandbox import ReplenitSandbox  # noqa: E402
from replenit_destination.targets.replenit.target import ReplenitTarget  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

SKIPS = tomllib.loads((ROOT / "tests" / "skips.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    if find_binaries() is None:
        pytest.skip(SKIPS["postgres"]["reason"])
    made = PostgresServer()
    with made:
        yield made
    made.remove()


class Database:
    """One database of the server, written to like a shop does."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.address = server.url(name)
        self.connection = psycopg.connect(self.address, autocommit=True)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run statements, and return the rows of the last one."""
        cursor = self.connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a transaction of another client; it is committed when the block ends."""
        with psycopg.connect(self.address) as connection:
            yield connection

    def others(self) -> int:
        """Return how many other connections stay; a server needs a moment to end one."""
        left = 0
        for _ in range(100):
            ((left,),) = self.run(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if left == 0:
                break
            self.run("SELECT pg_sleep(0.02)")
        return left

    def scans(self) -> dict[str, int]:
        """Return table → how often it was read from its beginning to its end."""
        # A connection reports its counts when it ends, this one when it is told to.
        assert self.others() == 0
        self.run("SELECT pg_stat_force_next_flush()")
        rows = self.run("SELECT relname, seq_scan FROM pg_stat_user_tables")
        return {str(name): int(count) for name, count in rows}


@pytest.fixture
def database(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[Database]:
    name = f"shop_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        made = Database(server, name)
        yield made
        made.connection.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class Loaded:
    """A pipeline into plain DuckDB: what the source alone does."""

    def __init__(self, database: Database, here: Path) -> None:
        self.database = database
        self.here = here

    def run(self, tables: Any = None, **settings: Any) -> dict[str, int]:
        """Load, and return table → rows that were loaded; a deleted one is loaded too."""
        source = postgres(self.database.address, tables=tables, **settings)
        made = self.pipeline()
        made.run(source, loader_file_format="parquet")
        counts: dict[str, int] = made.last_trace.last_normalize_info.row_counts
        return {name: n for name, n in counts.items() if not name.startswith("_dlt") and n}

    def pipeline(self) -> dlt.Pipeline:
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        return dlt.pipeline(
            "postgres_source",
            destination=dlt.destinations.duckdb(str(self.here / "staged.duckdb")),
            dataset_name="shop",
            pipelines_dir=str(self.here / "pipelines"),
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of what is staged, in order."""
        with self.pipeline().sql_client() as client:
            found: list[tuple[Any, ...]] = client.native_connection.execute(query).fetchall()
            return sorted(found)


@pytest.fixture
def loaded(database: Database, tmp_path: Path) -> Loaded:
    return Loaded(database, tmp_path)


class Delivered:
    """The script's parts, from the database to a sandbox."""

    def __init__(self, database: Database, here: Path, box: ReplenitSandbox) -> None:
        self.database = database
        self.here = here
        self.box = box
        self.settings: dict[str, Any] = {}

    def run(self, mapping: Any, *, entities: Any = None, full: bool = False, **source: Any) -> Any:
        """Stage what the mapping needs, deliver it, and return the report."""
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        (self.here / "staged").mkdir(mode=0o700, exist_ok=True)
        made = dlt.pipeline(
            "postgres_shop",
            destination=replenit(
                self.here / "staged" / "shop.duckdb",
                mapping=mapping,
                api_key=self.box.api_key,
                tenant_id=self.box.tenant_id,
                base_url=self.box.url,
                **{"customer_identifier_priority": "email", **self.settings},
                requests_per_minute=1_000_000,
                requests_per_hour=1_000_000,
                deliver="manual",
            ),
            dataset_name="shop_data",
            pipelines_dir=str(self.here / "pipelines"),
        )
        config: Any = made.destination_client().config
        target = ReplenitTarget(config.target_settings())
        needed = needed_by(
            config.delivery_mapping(), target, self.database.address, entities=entities
        )
        rows = postgres(self.database.address, tables=needed, full=full, **source)
        made.run(rows, loader_file_format="parquet")
        return push(made, entities=entities, full=full or None)

    def columns(self, table: str) -> set[str]:
        """Return the columns that were staged of a table."""
        with duckdb.connect(str(self.here / "staged" / "shop.duckdb")) as staged:
            rows = staged.execute(f"DESCRIBE shop_data.{table}").fetchall()
        return {str(row[0]) for row in rows}

    def calls(self) -> list[tuple[str, str, list[str]]]:
        """Return the calls since the last question: method, path below the tenant, keys."""
        found = []
        for entry in self.box.requests():
            path = entry.path.replace(f"/{self.box.tenant_id}", "")
            documents = json.loads(entry.body) if entry.body else []
            keys = [one.get("OrderId") or one.get("ProductId") or one["Email"] for one in documents]
            found.append((entry.method, path, sorted(keys)))
        self.box.journal.clear()
        return sorted(found)


@pytest.fixture
def delivered(database: Database, tmp_path: Path) -> Iterator[Delivered]:
    with ReplenitSandbox(profile="strict", limits=None, keep_bodies=True) as box:
        yield Delivered(database, tmp_path, box)
