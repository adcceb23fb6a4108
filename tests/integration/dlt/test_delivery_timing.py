"""When a load delivers, and what dlt keeps when a delivery stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.runtime.collector import NullCollector
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination import (
    LedgerBusyError,
    RejectedDocumentsError,
    ServiceUnavailableError,
    push,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Engine

ORDERS = [{"id": 1, "lines": [{"sku": "a"}]}]


def loads(pipeline: dlt.Pipeline) -> list[tuple[Any, ...]]:
    return pipeline.dataset()("SELECT schema_name FROM _dlt_loads").fetchall()


@dlt.source(name="crm")
def crm() -> Any:
    return dlt.resource([{"id": 7}], name="customers")


@dlt.source(name="webshop")
def webshop() -> Any:
    return dlt.resource(ORDERS, name="orders")


def test_load_delivers_once_before_it_is_marked_complete(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline()
    shop.run(ORDERS, table_name="orders")

    assert len(engine.calls) == 1
    assert engine.last.tables == {"orders", "orders__lines"}
    assert engine.last.loads == []
    assert loads(shop) == [("shop",)]


def test_two_schemas_deliver_once_when_the_tables_of_both_are_there(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline()
    shop.run([crm(), webshop()])

    assert len(engine.calls) == 1
    assert engine.last.tables == {"customers", "orders", "orders__lines"}
    assert engine.last.staged.tables_written is not None
    assert {"customers", "orders", "orders__lines"} <= engine.last.staged.tables_written
    assert sorted(loads(shop)) == [("crm",), ("webshop",)]


def test_two_schemas_in_datasets_of_their_own_deliver_the_pipeline_s_dataset(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USE_SINGLE_DATASET", "false")
    shop = pipeline()
    shop.run([crm(), webshop()])

    assert len(engine.calls) == 1
    assert engine.last.staged.dataset == "shop_data"


def test_tables_of_a_finished_package_are_handed_over_across_a_failure(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    engine.error = ServiceUnavailableError("the service kept answering 503")
    with pytest.raises(PipelineStepFailed):
        pipeline().run([crm(), webshop()])
    engine.error = None
    pipeline().run()  # as a new process does: a pipeline made from its folder

    assert len(engine.calls) == 2
    assert engine.last.staged.tables_written == engine.calls[0].staged.tables_written
    assert "customers" in engine.last.staged.tables_written


def test_later_package_of_the_same_schema_does_not_postpone(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    """Loading it would empty the staging tables with the evidence of hard deletes."""
    shop = pipeline()
    for number in (1, 2):
        shop.extract(
            [{"id": number}], table_name="orders", write_disposition="merge", primary_key="id"
        )
    shop.normalize()
    shop.load()

    assert len(engine.calls) == 2


def test_staging_dataset_that_dlt_empties_is_delivered_before(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__TRUNCATE_STAGING_DATASET", "true")
    shop = pipeline()
    shop.run([crm(), webshop()])

    assert [call.tables for call in engine.calls] == [
        {"customers"},
        {"customers", "orders", "orders__lines"},
    ]


def test_stopped_delivery_keeps_the_package_and_the_next_run_resumes_it(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    engine.error = ServiceUnavailableError("the service kept answering 503")
    shop = pipeline()
    with pytest.raises(PipelineStepFailed, match="kept answering 503") as stopped:
        shop.run(ORDERS, table_name="orders")
    assert isinstance(stopped.value.__cause__, ServiceUnavailableError)
    assert shop.has_pending_data
    assert loads(shop) == []

    engine.error = None
    shop.run()

    assert not shop.has_pending_data
    assert loads(shop) == [("shop",)]
    assert shop.dataset()("SELECT count(*) FROM orders").fetchall() == [(1,)]
    assert len(engine.calls) == 2


def test_refused_documents_complete_the_load(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    engine.report.exit_code = 1
    shop = pipeline(on_rejected="raise")
    info = shop.run(ORDERS, table_name="orders")

    assert not shop.has_pending_data
    kept = shop.get_load_package_state(info.loads_ids[0])["destination_state"]
    assert kept["replenit_report"] == {"requests": 0, "exit_code": 1}


def test_push_raises_for_refused_documents_only_when_asked_to(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline(deliver="manual")
    shop.run(ORDERS, table_name="orders")
    engine.report.exit_code = 1
    engine.report.refusals = {("orders", "Email", "is not an e-mail address"): 2}
    push(shop)
    with pytest.raises(RejectedDocumentsError, match="all others were delivered"):
        push(pipeline(deliver="manual", on_rejected="raise"))


def test_manual_delivery_only_stages(pipeline: Callable[..., dlt.Pipeline], engine: Engine) -> None:
    shop = pipeline(deliver="manual")
    shop.run(ORDERS, table_name="orders")
    assert engine.calls == []

    push(shop)
    assert engine.last.tables == {"orders", "orders__lines"}


def test_load_without_new_rows_delivers_nothing_and_push_does(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline()
    shop.run(ORDERS, table_name="orders")
    shop.run([], table_name="orders")
    before = len(engine.calls)
    report: Any = push(shop)

    assert report is engine.report
    assert len(engine.calls) == before + 1
    assert engine.last.staged.tables_written is None


def test_first_term_is_asked_for_and_the_load_completes(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    asked: list[bool] = []

    def interrupted(*, stop: Callable[[], bool], **_: Any) -> None:
        asked.append(stop())
        os.kill(os.getpid(), signal.SIGTERM)
        asked.append(stop())

    engine.during = interrupted
    shop = pipeline()
    shop.run(ORDERS, table_name="orders")

    assert asked == [False, True]
    assert not shop.has_pending_data


def test_push_stops_on_term_and_restores_the_handlers(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline(deliver="manual")
    shop.run(ORDERS, table_name="orders")
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    asked: list[bool] = []

    def interrupted(*, stop: Callable[[], bool], **_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        asked.append(stop())

    engine.during = interrupted
    push(shop)

    assert asked == [True]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


class Counted(NullCollector):
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def update(self, name: str, inc: int = 1, *_: Any, **__: Any) -> None:
        self.counts[name] = self.counts.get(name, 0) + inc


@pytest.mark.parametrize("deliver", ["load", "manual"])
def test_pipeline_s_own_progress_bar_shows_the_push(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine, deliver: str
) -> None:
    bar = Counted()
    engine.during = lambda *, progress, **_: progress.update("orders", 3, total=3)
    shop = pipeline(progress=bar, deliver=deliver)
    shop.run(ORDERS, table_name="purchases")
    if deliver == "manual":
        push(shop)

    assert bar.counts["orders"] == 3


def test_database_open_elsewhere_is_named_with_its_holder(
    here: Path, pipeline: Callable[..., dlt.Pipeline]
) -> None:
    shop = pipeline(lock_wait_seconds=0)
    shop.run(ORDERS, table_name="orders")
    database = here / "replenit_data" / "shop_replenit.duckdb"
    script = f"import duckdb; c = duckdb.connect({str(database)!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LedgerBusyError, match=rf"`python.*\(PID {holder.pid}, running"):
            push(shop)
        with pytest.raises(PipelineStepFailed) as stopped:
            shop.run(ORDERS, table_name="orders")
        assert isinstance(stopped.value.__cause__, LedgerBusyError)
        holder.kill()
    shop.run()
    assert not shop.has_pending_data


def test_push_passes_budgets_over_the_configured_ones(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    shop = pipeline(max_requests=10, max_seconds=60, quota_share=0.5)
    shop.run(ORDERS, table_name="orders")
    assert engine.last.options.max_requests == 10
    push(shop, max_requests=3, full=True, allow_removals=["orders"])

    options = engine.last.options
    assert (options.max_requests, options.max_seconds, options.quota_share) == (3, 60, 0.5)
    assert (options.full, tuple(options.allow_removals)) == (True, ("orders",))
