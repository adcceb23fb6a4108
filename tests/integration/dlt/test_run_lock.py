"""Two runs of one pipeline at a time, without the lock and with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dlt.common.configuration.container import Container
from dlt.common.storages import LoadStorage
from dlt.common.storages.load_package import LoadPackageStateInjectableContext

from replenit_destination import LedgerBusyError, run_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import dlt

ORDERS = [{"id": 1, "lines": [{"sku": "a"}]}]


def test_run_whose_package_another_one_loaded_says_so(
    pipeline: Callable[..., dlt.Pipeline],
) -> None:
    """As dlt opens the database for a package it listed before it had to wait."""
    shop = pipeline(deliver="manual")
    shop.extract(ORDERS, table_name="orders")
    shop.normalize()
    (loaded,) = shop.list_normalized_load_packages()
    packages = LoadStorage(False, [], shop._load_storage_config()).normalized_packages
    client = shop.destination_client()
    with Container().injectable_context(LoadPackageStateInjectableContext(packages, loaded)):
        shop.load()
        with pytest.raises(LedgerBusyError, match=f"{loaded}.*`with run_lock"), client:
            pytest.fail("it was let in")
    assert not client.sql_client.native_connection
    shop.run(ORDERS, table_name="orders")
    assert len(shop.dataset().table("_dlt_loads").fetchall()) == 2


def test_lock_is_taken_once_at_a_time_and_left_when_the_block_raises(
    pipeline: Callable[..., dlt.Pipeline], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__REPLENIT__LOCK_WAIT_SECONDS", "0")
    shop = pipeline(deliver="manual")
    for _ in range(2):
        with (
            pytest.raises(LedgerBusyError, match=r"`shop` is being run by `.*\(PID \d+, running"),
            run_lock(shop),
            run_lock(shop.pipeline_name, pipelines_dir=shop.pipelines_dir),
        ):
            pytest.fail("it was let in twice")
    assert [path.name for path in tmp_path.rglob("shop.run*")] == ["shop.run"]
