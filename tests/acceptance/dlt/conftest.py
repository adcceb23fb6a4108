"""Real dlt, real DuckDB, and a sandbox behind real sockets; nothing is replaced."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from replenit_destination import push, replenit
from replenit_destination.destinations.packages import REPORT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replenit_destination.engine.run import Report
    from replenit_destination.sandbox import ReplenitSandbox

# What the service adds to documents that leave it out.
DEFAULTS = {"EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "IsExcluded"}
DEFAULTS |= {"IsGift", "IsOfflineExclusive"}

Call = tuple[str, str, tuple[str, ...]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own, where dlt puts databases and the face its ledger."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    context = Container()[PipelineContext]
    if context.is_active():
        context.deactivate()


@pytest.fixture
def box(replenit_sandbox_factory: Callable[..., ReplenitSandbox]) -> ReplenitSandbox:
    return replenit_sandbox_factory(limits=None, keep_bodies=True)


@dataclass
class Delivery:
    """A pipeline that delivers to the sandbox, and what arrived there since one last asked."""

    box: ReplenitSandbox
    here: Path
    settings: dict[str, Any] = field(default_factory=dict)
    name: str = "shop"
    folder: str = "pipelines"
    dataset: str = "shop_data"
    seen: int = 0

    def pipeline(self, **settings: Any) -> dlt.Pipeline:
        complete = {
            "api_key": self.box.api_key,
            "tenant_id": self.box.tenant_id,
            "base_url": self.box.url,
            "customer_identifier_priority": "email",
        }
        return dlt.pipeline(
            self.name,
            destination=replenit(**{**complete, **self.settings, **settings}),
            dataset_name=self.dataset,
            pipelines_dir=str(self.here / self.folder),
        )

    def run(self, source: Any = None, **settings: Any) -> dict[str, Any]:
        """Run the pipeline and return the report its delivery left; empty when nothing loaded."""
        return self.report(self.pipeline(**settings).run(source))

    def report(self, info: Any) -> dict[str, Any]:
        """Return the report that the last package of a load carries; empty when it has none."""
        found: dict[str, Any] = {}
        for load_id in info.loads_ids if info is not None else ():
            state = self.pipeline().get_load_package_state(load_id)
            found = state.get("destination_state", {}).get(REPORT_KEY, found)
        return found

    def push(self, **options: Any) -> Report:
        return push(self.pipeline(), **options)

    def calls(self) -> list[Call]:
        """Return the requests since the last question in their order: method, path and keys.

        The keys are those of an upsert's documents, or the query of a delete.
        """
        entries = [entry for entry in self.box.requests() if entry.number > self.seen]
        self.seen = self.box.journal.total
        return [_call(entry) for entry in entries]

    def held(self, tenant: str | None = None) -> dict[str, dict[str, Any]]:
        """Return what a tenant holds, without the flags that the service fills in."""
        return {
            entity: {key: _without_defaults(one) for key, one in documents.items()}
            for entity, documents in self.box.state(tenant).items()
        }


@pytest.fixture
def delivery(here: Path, box: ReplenitSandbox) -> Delivery:
    return Delivery(box, here)


def _without_defaults(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [_without_defaults(one) for one in value] if isinstance(value, list) else value
        for name, value in document.items()
        if name not in DEFAULTS
    }


def _call(entry: Any) -> Call:
    parts = entry.path.split("/")
    path = "/".join(part for place, part in enumerate(parts) if place != 2)
    if entry.method == "DELETE":
        return entry.method, path, tuple(entry.query.split("&")) if entry.query else ()
    names = ("OrderId", "ProductId", "Email", "CustomerId")
    documents = json.loads(entry.body or b"[]")
    keys = [next(one[name] for name in names if name in one) for one in documents]
    return entry.method, path, tuple(sorted(keys))
