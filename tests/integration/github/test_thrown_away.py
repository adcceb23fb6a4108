"""The workflow's own shell lines, with the real programs, on machines that are thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from replenit_destination.destinations.project import make_project
from replenit_destination.sandbox import ReplenitSandbox

PROGRAMS = Path(sys.executable).parent
MAPPING = """
[customers]
table = "customers"
[customers.fields]
CustomerId = "customer_id"
Email = "email"
GdprOptin = "gdpr_optin = 'true'"
"""


def run(folder: Path, job: str, word: str, **settings: str) -> str:
    """Run one step of a job in a checkout without state; return what it said."""
    shutil.rmtree(folder / "state")
    (folder / "state").mkdir(mode=0o700)
    workflow = yaml.safe_load((folder / ".github/workflows/replenit.yml").read_text("utf-8"))
    steps: list[dict[str, Any]] = workflow["jobs"][job]["steps"]
    (step,) = [one for one in steps if word in one.get("name", "")]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            **dict.fromkeys(step["env"], ""),
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_increment_and_plan_go_on_where_another_machine_stopped(tmp_path: Path) -> None:
    folder = make_project("csv", tmp_path / "shop", github=True).folder
    (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    exports = folder / "exports"
    exports.mkdir()
    rows = ["customer_id,email,gdpr_optin", *(f"{n},p{n}@example.com,true" for n in range(9)), ""]
    (exports / "customers.csv").write_text("\n".join(rows), encoding="utf-8")
    with ReplenitSandbox() as box:
        settings = {
            "DESTINATION__REPLENIT__STATE_URL": f"file://{tmp_path / 'remote'}",
            "DESTINATION__REPLENIT__API_KEY": box.api_key,
            "DESTINATION__REPLENIT__TENANT_ID": box.tenant_id,
            "DESTINATION__REPLENIT__BASE_URL": box.url,
            "DESTINATION__REPLENIT__CUSTOMER_IDENTIFIER_PRIORITY": "email",
            "MORE_SECRETS": 'SOURCES__CSV_FILES__TABLES={"customers": "customers*.csv"}',
            "SOURCES__CSV_FILES__FOLDER": str(exports),
        }
        run(folder, "deliver", "Deliver", MAX_REQUESTS="50", **settings)
        assert len(box.requests("POST")) == 1
        changed = rows[1].replace("p0@", "changed@")
        (exports / "customers_2.csv").write_text(f"{rows[0]}\n{changed}\n", encoding="utf-8")
        run(folder, "plan", "plan", **settings)
        plan = (folder / "plan.md").read_text(encoding="utf-8")
        assert "changed@example.com" not in plan
        assert len(box.requests()) == 1, "a plan sends nothing"
        run(folder, "deliver", "Deliver", MAX_REQUESTS="50", **settings)
        assert len(box.requests("POST")) == 2
        assert f"would send {len(box.requests()) - 1} request" in plan
        assert "changed@example.com" in box.state()["customers"]
