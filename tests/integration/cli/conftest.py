"""A shop that was delivered to a sandbox, and a person at the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from replenit_destination.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

MAPPING = """
[customers]
table = "customers"
id = "id"
fields = { CustomerId = "id", Email = "email", GdprOptin = "optin", Name = "name" }

[orders]
table = "orders"
id = "id"
where = "NOT coalesce(test, false)"
[orders.fields]
OrderId = "id"
CustomerId = "customer_id"
Email = "email"
OrderDate = "placed_at"
TotalRevenue = "total"
Currency = "currency"
[orders.items]
table = "orders__lines"
fields = { ProductId = "product_id", Sku = "sku", Quantity = "quantity", Price = "price" }

[products]
table = "products"
id = "id"
fields = { ProductId = "id", ProductName = "title" }
[products.variants]
table = "products__variants"
[products.variants.fields]
VariantId = "id"
Sku = "sku"
Name = "products.title"
OriginalPrice = "price"
Currency = "'EUR'"
IsAvailable = "true"
"""

Row = dict[str, Any]


def customer(number: int, **changed: Any) -> Row:
    email = f"Person{number}@example.com"
    return {"id": number, "email": email, "name": "Ada", "optin": True, **changed}


def order(number: int, **changed: Any) -> Row:
    line = {"product_id": 1, "sku": "POT-1", "quantity": 1, "price": 9.5}
    row = {
        "id": number,
        "customer_id": 1,
        "email": "person1@example.com",
        "placed_at": "2026-11-01T10:00:00Z",
        "total": 9.5,
        "currency": "EUR",
        "test": False,
        "lines": [line],
    }
    return {**row, **changed}


def product(number: int, **changed: Any) -> Row:
    variant = {"id": number * 10, "sku": f"POT-{number}", "price": 9.5}
    return {"id": number, "title": "Clay pot", "variants": [variant], **changed}


@dataclass
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """Where a person works: the shop's rows, the pipeline that delivers them, the commands."""

    here: Path
    box: ReplenitSandbox
    capture: pytest.CaptureFixture[str]
    set_setting: Callable[[str, str], None]
    seen: int = 0
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def set(self, name: str, value: object) -> None:
        """Set a setting of the destination, for this process and those it starts."""
        self.set_setting(f"DESTINATION__REPLENIT__{name.upper()}", str(value))

    def map(self, text: str = MAPPING) -> None:
        (self.here / "mapping.toml").write_text(text, encoding="utf-8")

    def pipeline(self, name: str = "shop") -> dlt.Pipeline:
        return dlt.pipeline(
            name,
            destination="replenit",
            dataset_name=f"{name}_data",
            pipelines_dir=str(self.here / "pipelines"),
        )

    def load(self, *, name: str = "shop", **tables: list[Row]) -> None:
        """Load rows, which delivers them."""
        hints = {"write_disposition": "merge", "primary_key": "id"}
        pipeline = self.pipeline(name)
        pipeline.run([dlt.resource(rows, name=table, **hints) for table, rows in tables.items()])
        Container()[PipelineContext].deactivate()
        self.capture.readouterr()

    def type(self, *words: str) -> Answer:
        """Run a command in this process."""
        code = main([words[0], *words[1:], *self._where(words[0])])
        out, err = self.capture.readouterr()
        return Answer(code, out, err)

    def start(self, program: list[str], *words: str) -> Answer:
        """Run a command as a process of its own."""
        done = subprocess.run(
            [*program, *words, *self._where(words[0])],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def python(self, *words: str) -> Answer:
        return self.start([sys.executable, "-m", "replenit_destination"], *words)

    def calls(self) -> list[tuple[str, str, list[str]]]:
        """Return the requests since the last question: method, what, and keys."""
        entries = [entry for entry in self.box.requests() if entry.number > self.seen]
        self.seen = self.box.journal.total
        return [_call(entry) for entry in entries]

    def sent(self) -> list[tuple[str, str, list[str]]]:
        """Return the requests since the last question: method, path without tenant, and keys."""
        entries = [entry for entry in self.box.requests() if entry.number > self.seen]
        self.seen = self.box.journal.total
        return [(*_path(entry), _call(entry)[2]) for entry in entries]

    def held(self) -> dict[str, set[str]]:
        return {entity: set(documents) for entity, documents in self.box.state().items()}

    def _where(self, command: str) -> list[str]:
        free = {"schema", "sandbox"}
        return [] if command in free else ["--pipelines-dir", str(self.here / "pipelines")]


def _path(entry: Any) -> tuple[str, str]:
    parts = entry.path.strip("/").split("/")
    return entry.method, "/".join([parts[0], *parts[2:]])


def _call(entry: Any) -> tuple[str, str, list[str]]:
    what = (
        entry.path.split("/")[-1] if entry.method == "POST" else "/".join(entry.path.split("/")[3:])
    )
    if entry.method == "DELETE":
        return "DELETE", what, [entry.query] if entry.query else []
    names = ("OrderId", "ProductId", "Email")
    documents = json.loads(entry.body or b"[]")
    return "POST", what, sorted(next(str(d[n]) for n in names if n in d) for d in documents)


@pytest.fixture
def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    replenit_sandbox_factory: Callable[..., ReplenitSandbox],
) -> Iterator[Desk]:
    """An empty shop whose pipeline is set up, and where nothing was delivered yet."""
    monkeypatch.chdir(tmp_path)
    box = replenit_sandbox_factory(limits=None, keep_bodies=True)
    made = Desk(tmp_path, box, capsys, monkeypatch.setenv)
    made.set("api_key", box.api_key)
    made.set("tenant_id", box.tenant_id)
    made.set("base_url", box.url)
    made.set("customer_identifier_priority", "email")
    made.set("mapping", "mapping.toml")
    made.map()
    yield made
    context = Container()[PipelineContext]
    if context.is_active():
        context.deactivate()


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """Two customers, a product and three orders, delivered; nobody has asked for the calls yet."""
    desk.load(
        customers=[customer(1), customer(2)],
        orders=[order(1001), order(1002), order(1003)],
        products=[product(1)],
    )
    desk.calls()
    return desk
