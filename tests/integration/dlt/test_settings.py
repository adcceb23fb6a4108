"""Settings come from where dlt users put them, and what is missing is said once, all of it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.pipeline.exceptions import PipelineStepFailed

from replenit_destination import (
    ActivationError,
    Mapping,
    MissingSettingsError,
    SettingsError,
    push,
    replenit,
)
from replenit_destination.destinations.configuration import (
    ReplenitClientConfiguration,
    TargetConfiguration,
)
from replenit_destination.targets.replenit.configuration import ReplenitSettings

from .conftest import API_KEY, TENANT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Engine

ORDERS = [{"id": 1}]

SCRIPT = """
import dlt, json, sys
name = sys.argv[1]
pipeline = dlt.pipeline("shop", destination=name, pipelines_dir="pipelines")
config = pipeline.destination_client().config
settings = config.target_settings()
print(json.dumps({
    "key": settings.api_key, "tenant": settings.tenant_id, "url": settings.base_url,
    "priority": settings.customer_identifier_priority, "caps": settings.caps,
    "truncate": settings.truncate, "orders": settings.orders_per_request,
    "mapping": config.delivery_mapping().tables["preset"], "share": config.quota_share,
    "deliver": config.deliver, "database": str(config.database), "ledger": str(config.ledger_path),
}))
"""


@pytest.fixture
def resolve(here: Path) -> Callable[..., dict[str, Any]]:
    """Resolve the settings in a process of its own, since dlt reads its files once per process."""
    (here / "script.py").write_text(SCRIPT)
    (here / ".dlt").mkdir()

    def run(name: str = "replenit", **environment: str) -> dict[str, Any]:
        import os

        done = subprocess.run(
            [sys.executable, "script.py", name],
            cwd=here,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def write_files(here: Path, section: str = "replenit") -> None:
    (here / ".dlt" / "secrets.toml").write_text(
        f'[destination.{section}]\napi_key = "{API_KEY}"\n', encoding="utf-8"
    )
    (here / ".dlt" / "config.toml").write_text(
        f"""
[destination.{section}]
tenant_id = "{TENANT}"
mapping = "shopify"
customer_identifier_priority = "email"
orders_per_request = 50
truncate = ["products.Name"]
caps = {{ "customers.Surname" = 40 }}
quota_share = 0.5
deliver = "manual"
""",
        encoding="utf-8",
    )


def test_files_fill_a_destination_that_is_only_a_name(
    here: Path, resolve: Callable[..., dict[str, Any]]
) -> None:
    write_files(here)

    assert resolve() == {
        "key": API_KEY,
        "tenant": TENANT,
        "url": "https://api.replen.it",
        "priority": "email",
        "caps": {"customers.Surname": 40},
        "truncate": ["products.Name"],
        "orders": 50,
        "mapping": "shopify",
        "share": 0.5,
        "deliver": "manual",
        "database": str(here / "replenit_data" / "shop_replenit.duckdb"),
        "ledger": str(here / "replenit_data" / "shop_replenit.ledger.duckdb"),
    }


def test_environment_wins_over_files(here: Path, resolve: Callable[..., dict[str, Any]]) -> None:
    write_files(here)
    found = resolve(
        DESTINATION__REPLENIT__API_KEY="ZnJvbS10aGUtZW52aXJvbm1lbnQ=",
        DESTINATION__REPLENIT__BASE_URL="http://127.0.0.1:8099",
        DESTINATION__REPLENIT__CREDENTIALS="elsewhere/staged.duckdb",
        DESTINATION__REPLENIT__TRUNCATE='["products.Brand"]',
    )

    assert found["key"] == "ZnJvbS10aGUtZW52aXJvbm1lbnQ="
    assert found["url"] == "http://127.0.0.1:8099"
    assert found["database"] == str(here / "elsewhere" / "staged.duckdb")
    assert found["ledger"] == str(here / "elsewhere" / "staged.ledger.duckdb")
    assert found["truncate"] == ["products.Brand"]


def test_named_destination_has_settings_database_and_ledger_of_its_own(
    here: Path, resolve: Callable[..., dict[str, Any]]
) -> None:
    write_files(here, section="second_shop")
    with (here / ".dlt" / "config.toml").open("a", encoding="utf-8") as file:
        file.write('destination_type = "replenit"\n')
    found = resolve("second_shop")

    assert found["key"] == API_KEY
    assert found["database"] == str(here / "replenit_data" / "second_shop_replenit.duckdb")


def test_arguments_win_over_everything(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__REPLENIT__TENANT_ID", "22222222-2222-4222-8222-222222222222")
    pipeline(ledger="ledgers/one.duckdb").run(ORDERS, table_name="orders")

    assert engine.last.target.tenant == TENANT
    assert engine.last.ledger.parts[-2:] == ("ledgers", "one.duckdb")


@pytest.mark.parametrize(
    "mapping",
    [{"preset": "shopify"}, Mapping({"preset": "shopify"}), "shopify", "mapping.toml"],
    ids=["dict", "object", "preset", "file"],
)
def test_mapping_is_taken_in_every_form_with_the_rule_of_consent(
    here: Path, pipeline: Callable[..., dlt.Pipeline], engine: Engine, mapping: Any
) -> None:
    (here / "mapping.toml").write_text('preset = "shopify"\n', encoding="utf-8")
    pipeline(mapping=mapping, gdpr_optin="always").run(ORDERS, table_name="orders")

    assert engine.last.mapping["orders"].table == "orders"
    assert engine.last.mapping["customers"].rules["GdprOptin"] == "true"


def test_consent_without_a_rule_is_asked_for(pipeline: Callable[..., dlt.Pipeline]) -> None:
    shop = pipeline(mapping="shopify", deliver="manual")
    shop.run(ORDERS, table_name="orders")
    with pytest.raises(ActivationError, match="GdprOptin"):
        push(shop)


def test_missing_settings_are_named_together_with_their_places(here: Path) -> None:
    shop = dlt.pipeline("shop", destination="replenit", pipelines_dir=str(here / "pipelines"))
    with pytest.raises(PipelineStepFailed) as stopped:
        shop.run(ORDERS, table_name="orders")
    error = stopped.value.__cause__

    assert isinstance(error, MissingSettingsError)
    assert set(error.missing) == {
        "api_key",
        "tenant_id",
        "mapping",
        "customer_identifier_priority",
    }
    assert "[destination.replenit] api_key = … in .dlt/secrets.toml" in str(error)
    assert "DESTINATION__REPLENIT__TENANT_ID in the environment" in str(error)
    # what was staged can be looked at, for instance to write the mapping
    assert shop.dataset()("SELECT id FROM orders").fetchall() == [(1,)]


def test_open_choice_is_asked_with_its_place(pipeline: Callable[..., dlt.Pipeline]) -> None:
    shop = pipeline(deliver="manual", customer_identifier_priority=None)
    shop.run(ORDERS, table_name="orders")
    with pytest.raises(SettingsError, match=r"(?s)match customers.*config\.toml"):
        push(shop)


def test_mistyped_argument_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="did you mean `product_removal`"):
        replenit(product_remval="delete")


def test_mistyped_deliver_is_refused_before_anything_is_staged(
    pipeline: Callable[..., dlt.Pipeline],
) -> None:
    with pytest.raises(Exception, match=r"deliver: .*`load` or `manual`"):
        pipeline(deliver="later").run(ORDERS, table_name="orders")


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ({}, ("488.2 MiB", "512MB")),
        ({"memory_limit": "1 GiB"}, ("1.0 GiB", "1 GiB")),
        ({"credentials": {"global_config": {"memory_limit": "2GiB"}}}, ("2.0 GiB", "512MB")),
    ],
)
def test_memory_limit_holds_for_loads_and_deliveries(
    pipeline: Callable[..., dlt.Pipeline],
    engine: Engine,
    settings: dict[str, Any],
    limits: tuple[str, str],
) -> None:
    found: list[Any] = []

    def look(**given: Any) -> None:
        connection = engine.last.staged.connection
        assert connection is not None
        found.append(connection.execute("SELECT current_setting('memory_limit')").fetchone()[0])
        found.append(given["options"].memory_limit)

    engine.during = look
    if credentials := settings.pop("credentials", None):
        settings["credentials"] = DuckDbCredentials("shop_replenit.duckdb", **credentials)
    pipeline(**settings).run(ORDERS, table_name="orders")
    assert tuple(found) == limits


def test_mistyped_memory_limit_is_refused_before_anything_is_staged(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    with pytest.raises(PipelineStepFailed, match="memory_limit: write a size with its unit"):
        pipeline(memory_limit="512").run(ORDERS, table_name="orders")
    assert engine.calls == []


def test_every_setting_of_the_target_can_be_configured() -> None:
    target = {field.name for field in dataclasses.fields(ReplenitSettings)}

    assert set(TargetConfiguration.get_resolvable_fields()) - {"gdpr_optin"} == target
    assert target <= set(ReplenitClientConfiguration.get_resolvable_fields())


def test_push_needs_a_pipeline_that_delivers_here(here: Path) -> None:
    with pytest.raises(SettingsError, match="no pipeline is active"):
        push()
    other = dlt.pipeline(
        "other",
        destination=dlt.destinations.duckdb(str(here / "other.duckdb")),
        pipelines_dir=str(here / "pipelines"),
    )
    with pytest.raises(SettingsError, match="pipeline `other` loads to `duckdb`"):
        push(other)


def test_ledger_stays_out_of_a_folder_that_dlt_wipes(
    here: Path, pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    pipeline(credentials=":pipeline:").run(ORDERS, table_name="orders")

    assert engine.last.staged.database.is_relative_to(here / "pipelines")
    assert engine.last.ledger.parent == here / "replenit_data"


def test_open_connection_without_a_file_needs_a_place_for_the_ledger(
    pipeline: Callable[..., dlt.Pipeline], engine: Engine
) -> None:
    import duckdb

    with duckdb.connect() as connection:
        shop = pipeline(credentials=connection, ledger="ledgers/one.duckdb")
        shop.run(ORDERS, table_name="orders")
        assert engine.last.tables == {"orders"}
        with pytest.raises(PipelineStepFailed, match=r"destination\.replenit\.ledger"):
            pipeline("again", credentials=connection).run(ORDERS, table_name="orders")
