"""What dlt users do around a load works: the name, the command line, datasets, other machines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pytest

from replenit_destination import push, replenit
from replenit_destination.destinations.configuration import DESTINATION_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Engine

ORDERS = [{"id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]}]


@dlt.resource(name="orders", write_disposition="merge", primary_key="id")
def orders(since: Any = dlt.sources.incremental("id", initial_value=0)) -> Any:  # noqa: B008
    yield [row for row in ({"id": 1}, {"id": 2}) if row["id"] > since.last_value]


def test_plain_name_finds_the_factory_and_stores_its_public_path(here: Path) -> None:
    shop = dlt.pipeline("shop", destination="replenit", pipelines_dir=str(here / "pipelines"))

    assert isinstance(shop.destination, replenit)
    assert shop.destination.destination_name == "replenit"
    assert (
        shop.state["destination_type"]
        == DESTINATION_TYPE
        == "replenit_destination.destinations.replenit"
    )


def test_dataset_reads_rows_arrow_and_counts(pipeline: Callable[..., dlt.Pipeline]) -> None:
    shop = pipeline()
    shop.run(ORDERS, table_name="orders")
    dataset = shop.dataset()

    assert dataset["orders__lines"].select("sku").fetchall() == [("a",), ("b",)]
    assert [batch.num_rows for batch in dataset["orders__lines"].iter_arrow(chunk_size=100)] == [2]
    assert dict(dataset.row_counts().fetchall())["orders__lines"] == 2
    with shop.sql_client() as client:
        assert client.execute_sql("SELECT count(*) FROM orders") == [(1,)]


def test_other_duckdb_destination_joins_the_staged_tables(
    here: Path, destination: Callable[..., replenit]
) -> None:
    """A reader without our package opens the same file with dlt's own destination."""
    shop = dlt.pipeline(
        "shop",
        destination=destination(),
        dataset_name="shop_data",
        pipelines_dir=str(here / "pipelines"),
    )
    shop.run(ORDERS, table_name="orders")
    reader = dlt.destinations.duckdb(str(here / "replenit_data" / "shop_replenit.duckdb"))

    assert dlt.dataset(reader, "shop_data")("SELECT count(*) FROM orders").fetchall() == [(1,)]


def test_state_comes_back_on_a_machine_without_the_working_folder(
    here: Path, pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    pipeline().run(orders())
    shutil.rmtree(here / "pipelines")
    shop = pipeline(folder="elsewhere")
    info = shop.run(orders())

    assert info is not None
    assert shop.dataset()("SELECT count(*) FROM orders").fetchall() == [(2,)]
    counts = shop.last_trace.last_normalize_info
    assert counts is None or "orders" not in counts.row_counts
    assert shop.default_schema_name == "shop"
    push(shop)
    assert engine.last.tables == {"orders"}


def test_push_attaches_a_pipeline_by_name(
    here: Path,
    pipeline: Callable[..., dlt.Pipeline],
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline().run(ORDERS, table_name="orders")
    attached = dlt.attach("shop", pipelines_dir=str(here / "pipelines"))
    assert isinstance(attached.destination, replenit)

    attached = dlt.attach(
        "shop", pipelines_dir=str(here / "pipelines"), destination=pipeline().destination
    )
    push(attached)
    assert engine.last.tables == {"orders", "orders__lines"}


def test_dropped_tables_are_gone_and_named_as_written(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline()
    shop.run(ORDERS, table_name="orders")
    shop.run(ORDERS, table_name="others", refresh="drop_sources")

    assert engine.last.tables == {"others", "others__lines"}
    assert engine.last.staged.tables_written is not None
    assert {"orders", "orders__lines", "others"} <= engine.last.staged.tables_written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info"], "Synchronized state:"),
        (["trace"], "COMPLETED"),
        (["schema"], "orders__lines"),
        (["load-package"], "LOADED"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_command_line_of_dlt_reads_the_pipeline(
    here: Path, pipeline: Callable[..., dlt.Pipeline], arguments: list[str], said: str
) -> None:
    pipeline().run(ORDERS, table_name="orders")
    program = Path(sys.executable).with_name("dlt")
    done = subprocess.run(
        [program, "pipeline", "--pipelines-dir", here / "pipelines", "shop", *arguments],
        cwd=here,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert "failed to load" not in done.stderr
