"""Real dlt, real DuckDB; the engine behind the face is a recorder handed in as an argument."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from replenit_destination import replenit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replenit_destination.engine.run import Staged

API_KEY = "a2V5LXRoYXQtbXVzdC1uZXZlci1hcHBlYXI="
TENANT = "11111111-1111-4111-8111-111111111111"

MAPPING = {
    "orders": {
        "table": "orders",
        "fields": {
            "OrderId": "id",
            "Email": "email",
            "OrderDate": "created_at",
            "TotalRevenue": "total",
            "Currency": "'EUR'",
        },
        "items": {
            "table": "orders__lines",
            "fields": {"ProductId": "sku", "Sku": "sku", "Quantity": "1", "Price": "price"},
        },
    }
}


@dataclass
class Delivered:
    """A report as far as the dlt face reads it."""

    exit_code: int = 0
    halted: str = ""
    refusals: dict[Any, int] = field(default_factory=dict)
    summary: str = "delivered nothing, this is a recorder"

    @property
    def too_many_refused(self) -> bool:
        return bool(self.refusals)

    def to_dict(self) -> dict[str, Any]:
        return {"requests": 0, "exit_code": self.exit_code}


@dataclass
class Call:
    staged: Staged
    target: Any
    mapping: Any
    options: Any
    ledger: Path
    tables: set[str]
    loads: list[str]


@dataclass
class Engine:
    """Stands in for `engine.run.push`: looks at what it is given, delivers nothing."""

    calls: list[Call] = field(default_factory=list)
    report: Delivered = field(default_factory=Delivered)
    error: Exception | None = None
    during: Callable[..., None] | None = None

    def __call__(self, staged: Staged, target: Any, mapping: Any, **given: Any) -> Delivered:
        assert staged.connection is not None
        with staged.connection.cursor() as cursor:
            found = cursor.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = ?",
                [staged.dataset],
            ).fetchall()
            tables = {name for (name,) in found if not name.startswith("_dlt")}
            relation = f'SELECT load_id FROM "{staged.dataset}"._dlt_loads ORDER BY load_id'
            loads = [load_id for (load_id,) in cursor.execute(relation).fetchall()]
        self.calls.append(
            Call(staged, target, mapping, given["options"], given["ledger"], tables, loads)
        )
        if self.during:
            self.during(**given)
        if self.error:
            raise self.error
        return self.report

    @property
    def last(self) -> Call:
        return self.calls[-1]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own, where dlt puts databases and the face its ledger."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    context = Container()[PipelineContext]
    if context.is_active():
        context.deactivate()


@pytest.fixture
def destination(here: Path, engine: Engine) -> Callable[..., replenit]:
    def make(**settings: Any) -> replenit:
        complete = {
            "api_key": API_KEY,
            "tenant_id": TENANT,
            "mapping": MAPPING,
            "customer_identifier_priority": "email",
            "engine": engine,
        }
        return replenit(**{**complete, **settings})

    return make


@pytest.fixture
def pipeline(here: Path, destination: Callable[..., replenit]) -> Callable[..., dlt.Pipeline]:
    def make(
        name: str = "shop", folder: str = "pipelines", progress: Any = None, **settings: Any
    ) -> dlt.Pipeline:
        extra = {"progress": progress} if progress else {}
        return dlt.pipeline(
            name,
            destination=destination(**settings),
            dataset_name="shop_data",
            pipelines_dir=str(here / folder),
            **extra,
        )

    return make
