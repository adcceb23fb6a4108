"""What dlt promises around a load holds for the staged data, also on another machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dlt
import pytest

from .shop import first_shop, mapping, put_order

if TYPE_CHECKING:
    from .conftest import Delivery


@pytest.mark.parametrize("form", ["nested", "table", "arrow"])
def test_machine_without_the_working_folder_goes_on_where_the_last_one_ended(
    delivery: Delivery, here: Path, form: str
) -> None:
    """Only the folder with the database and the ledger travels."""
    delivery.settings["mapping"] = mapping(form)
    shop = first_shop()
    delivery.run(shop.source(form, "merge"))
    delivery.calls()
    shutil.rmtree(here / "pipelines")

    report = delivery.run(shop.source(form, "merge", everything=True))
    assert report["requests"] == 0
    assert delivery.calls() == []

    shutil.rmtree(here / "pipelines")
    put_order(shop, 1, total=99)
    shop.destroy("orders", 2)
    delivery.run(shop.source(form, "merge"))
    assert delivery.calls() == [("POST", "/orders", ("1",)), ("DELETE", "/orders/2", ())]
    assert delivery.held() == shop.expected()


def test_incremental_source_asks_only_for_what_is_new_after_a_restore(
    delivery: Delivery, here: Path
) -> None:
    delivery.settings["mapping"] = {"customers": mapping("nested")["customers"]}
    people = [{"id": n, "email": f"person{n}@example.com", "optin": True} for n in (1, 2)]
    asked: list[int] = []

    @dlt.resource(name="customers", primary_key="id", write_disposition="merge")
    def customers(since: dlt.sources.incremental[int] = dlt.sources.incremental("id")) -> object:  # noqa: B008
        asked.append(since.last_value or 0)
        yield [row for row in people if row["id"] >= (since.last_value or 0)]

    delivery.run(customers())
    delivery.calls()
    shutil.rmtree(here / "pipelines")
    people.append({"id": 3, "email": "person3@example.com", "optin": True})
    delivery.run(customers())
    assert asked == [0, 2]
    assert delivery.calls() == [("POST", "/customers", ("person3@example.com",))]


def test_dataset_reads_what_was_staged(delivery: Delivery) -> None:
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    dataset = delivery.pipeline().dataset()

    assert dict(dataset.row_counts().fetchall())["orders__lines"] == 12
    tables = dataset["orders"].select("id").iter_arrow(chunk_size=100)
    assert [table.num_rows for table in tables] == [6]
    joined = "SELECT count(*) FROM orders JOIN customers ON customers.id = orders.customer_id"
    assert dataset(joined).fetchall() == [(6,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["info"], "Synchronized state"), (["trace"], "COMPLETED"), (["schema"], "orders__lines")],
    ids=["info", "trace", "schema"],
)
def test_command_line_of_dlt_reads_a_delivered_pipeline(
    delivery: Delivery, here: Path, arguments: list[str], said: str
) -> None:
    delivery.settings["mapping"] = mapping("nested")
    delivery.run(first_shop().source("nested", "merge"))
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
    assert delivery.box.api_key not in done.stdout + done.stderr
