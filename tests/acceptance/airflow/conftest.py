"""An environment of Airflow's own, made once, and tenants that deliver to the sandbox."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from replenit_destination.destinations.project import make_project

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

AIRFLOW = "apache-airflow>=3.1,<4"
EXPORTS = {
    "customers.csv": ("customer_id,email,gdpr_optin", "{n}", "person{n}@example.com", "true"),
    "products.csv": ("product_id,product_name", "p{n}", "Tea {n}"),
    "product_variants.csv": (
        "product_id,variant_id,sku,name,original_price,currency,is_available",
        *("p{n}", "v{n}", "s{n}", "Tea", "9", "EUR", "true"),
    ),
    "orders.csv": (
        "order_id,customer_id,email,order_date,total_revenue,currency",
        *("o{n}", "{n}", "person{n}@example.com", "2026-01-05T10:00:00Z", "9", "EUR"),
    ),
    "order_items.csv": (
        "order_id,line,product_id,sku,quantity,price",
        *("o{n}", "1", "p{n}", "s{n}", "1", "9"),
    ),
}


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `bin/airflow` and a migrated `home`; all workers of a run share one."""
    root = tmp_path_factory.getbasetemp()
    root = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "airflow"
    root.mkdir(exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "made").exists():
            make_environment(root)
            (root / "made").touch()
    return root


def make_environment(root: Path) -> None:
    """Install Airflow, with uv where it can reach a registry, else with pip; make its database."""
    uv = [sys.executable, "-m", "uv"]
    python = str(root / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
    made = subprocess.run([*uv, "pip", "install", "-q", "--python", python, AIRFLOW], check=False)
    if made.returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", AIRFLOW], check=True)
    subprocess.run(
        [str(root / "bin" / "airflow"), "db", "migrate"],
        env=settings(root / "home", root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def settings(home: Path, dags: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "PYTHONWARNINGS": "default",
    }


@dataclass
class Airflow:
    """Tenants, and `airflow dags test` over them."""

    programs: Path
    folder: Path
    tenants: dict[str, Path] = field(default_factory=dict)

    @property
    def dags(self) -> Path:
        return next(iter(self.tenants.values())) / "airflow"

    def add(self, name: str, box: ReplenitSandbox, tenant: str, **settings: str) -> Path:
        """Make a project as `init` does, fill in its settings, and put it into tenants.toml."""
        project = make_project("csv", self.folder / name, state=self.folder / "state", airflow=True)
        self.tenants[name] = project.folder
        exports = project.folder / "exports"
        exports.mkdir()
        for file, (head, *columns) in EXPORTS.items():
            rows = [",".join(columns).format(n=n) for n in range(20)]
            (exports / file).write_text("\n".join([head, *rows, ""]), encoding="utf-8")
        answers = {"tenant_id": tenant, "customer_identifier_priority": "email"}
        fill_in(project.folder / ".dlt" / "config.toml", folder=str(exports), **answers)
        fill_in(project.folder / ".dlt" / "secrets.toml", **{"api_key": box.api_key, **settings})
        config = project.folder / ".dlt" / "config.toml"
        section = "[destination.replenit]"
        text = config.read_text(encoding="utf-8").replace(
            section, f'{section}\nbase_url = "{box.url}"\nretry_budget_seconds = 1'
        )
        config.write_text(text, encoding="utf-8")
        return project.folder

    def write_tenants(self) -> None:
        """Every tenant's scripts run with the Python that has this package."""
        tables = [
            f'[tenants.{name}]\nfolder = "{folder}"\nscript = "csv_to_replenit.py"\n'
            f'python = "{sys.executable}"\n'
            for name, folder in self.tenants.items()
        ]
        (self.dags / "tenants.toml").write_text("\n".join(tables), encoding="utf-8")

    def start(self, dag: str, params: dict[str, str | int], **more: str) -> subprocess.Popen[str]:
        """Start one run of a DAG; no scheduler, tasks in the same process."""
        self.write_tenants()
        home = self.folder / "home"
        shutil.copytree(self.programs / "home", home)
        command = [str(self.programs / "bin" / "airflow"), "dags", "test", dag]
        return subprocess.Popen(
            [*command, "-c", json.dumps(params)],
            env={**settings(home, self.dags), "REPLENIT_RETRIES": "0", **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def fill_in(file: Path, **answers: str) -> None:
    text = file.read_text(encoding="utf-8")
    for name, value in answers.items():
        text = re.sub(rf'^{name} = ""', f'{name} = "{value}"', text, flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")


@pytest.fixture
def airflow(airflow_home: Path, tmp_path: Path) -> Airflow:
    return Airflow(airflow_home, tmp_path)
