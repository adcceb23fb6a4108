"""Two DAGs for Airflow 3: what changed, every hour; a longer stretch of time, by hand.

`replenit` delivers for every tenant of `tenants.toml`, a mapped task each. `replenit_backfill`
takes its window from the run's params: one started by hand has no logical date in Airflow 3.

Every task starts the tenant's own script, in its folder and with its Python: this file needs
Airflow and nothing else. The tenants of one account share its quota through a file beside their
ledgers, so that any number of tasks may run at once.

    REPLENIT_TENANTS    the file with the tenants; default tenants.toml beside this one
    REPLENIT_ALERT_URL  where a failure is posted to as {"text": …}, as Slack takes it; default none
    REPLENIT_RETRIES    of a task that could not run or was interrupted; default 2
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

TENANTS = Path(os.environ.get("REPLENIT_TENANTS") or Path(__file__).with_name("tenants.toml"))
GRACE_SECONDS = 4.0  # Airflow 3 kills a task's process five seconds after it asked it to end
REFUSED, INTERRUPTED = 1, 3
WHY = {
    REFUSED: "documents were refused or held; the log says which and why",
    2: "it could not run; the log says why, and nothing is lost",
    INTERRUPTED: "it was stopped before the end; the next run goes on there",
}


class Deliver(BaseOperator):
    """Runs a tenant's script; anything but exit code 0 is a failure.

    A refused document needs a person, so exit code 1 is not retried. When the task is killed, the
    script gets TERM: it records what is in flight and ends in order.

    Args:
        tenant: A table of `tenants.toml`, with its name.
        program: The script's file in the tenant's folder; None is the tenant's own.
        arguments: Of the script; templates.
    """

    template_fields = ("arguments",)

    def __init__(
        self,
        *,
        tenant: dict[str, str],
        program: str | None = None,
        arguments: list[str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.tenant = tenant
        self.program = program
        self.arguments = arguments or []
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        """Run the script, its output in the task's log.

        Raises:
            AirflowFailException: Documents were refused or held; trying again changes nothing.
            AirflowException: It could not run, was stopped or killed; trying again may help.
        """
        name, script = self.tenant["name"], self.program or self.tenant["script"]
        # An option whose value is empty was not asked for.
        given = [part for part in self.arguments if not part.endswith("=")]
        with subprocess.Popen(  # noqa: S603 - what tenants.toml names
            [self.tenant.get("python") or sys.executable, script, *given],
            cwd=self.tenant["folder"],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            self._process = process
            for line in process.stdout or ():
                self.log.info("%s: %s", name, line.rstrip())
        code = process.returncode
        if code == REFUSED:
            message = f"{name}: {WHY[code]}"
            raise AirflowFailException(message)
        if code:
            killed = f"signal {-code} ended it" if code < 0 else f"exit code {code}"
            message = f"{name}: {WHY.get(code, killed)}"
            raise AirflowException(message)

    def on_kill(self) -> None:
        """Ask the script to end, and wait as long as Airflow lets us."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.log.warning("%s: still recording; it ends by itself", self.tenant["name"])


def alert(context: Any) -> None:
    """Tell that a task failed, and for which tenant; exit codes and words of ours, no data."""
    instance = context["task_instance"]
    text = f"{instance.dag_id}.{instance.task_id} failed: {context.get('exception')}"
    url = os.environ.get("REPLENIT_ALERT_URL", "")
    if not url.startswith(("https://", "http://127.0.0.1:")):
        print(text)
        return
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - the scheme is checked above
        pass


@task
def tenants(only: str) -> list[dict[str, str]]:
    """Return the tenants to deliver for: all, or the one that the run's params name."""
    tables = tomllib.loads(TENANTS.read_text(encoding="utf-8"))["tenants"]
    if only and only not in tables:
        message = f"{TENANTS.name} has no tenant `{only}`"
        raise AirflowFailException(message)
    return [{**table, "name": name} for name, table in tables.items() if only in ("", name)]


SHARED: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=timezone.utc),  # noqa: UP017
    "catchup": False,  # every run delivers all that changed since the last one
    "max_active_runs": 1,
    "tags": ["replenit"],
    "default_args": {
        "retries": int(os.environ.get("REPLENIT_RETRIES", "2")),
        "retry_delay": timedelta(minutes=5),
        "on_failure_callback": alert,
    },
}
ONE_TENANT = Param("", type="string", title="Tenant", description="Only this one; empty is all")

with DAG("replenit", schedule="17 * * * *", params={"tenant": ONE_TENANT}, **SHARED):
    Deliver.partial(
        task_id="deliver",
        execution_timeout=timedelta(minutes=50),
        max_active_tis_per_dag=8,
        map_index_template="{{ task.tenant['name'] }}",
    ).expand(tenant=tenants("{{ params.tenant }}"))

BACKFILL_PARAMS = {
    "tenant": ONE_TENANT,
    "since": Param(type="string", format="date", title="From", description="Such as 2025-01-01"),
    "until": Param("", type="string", title="Up to", description="Not including it; empty is now"),
    "chunk_days": Param(30, type="integer", minimum=1, title="Days in a piece"),
    "max_requests": Param(4000, type="integer", minimum=1, title="Requests in this run, at most"),
}
with DAG("replenit_backfill", schedule=None, params=BACKFILL_PARAMS, **SHARED):
    Deliver.partial(
        task_id="deliver",
        program="backfill.py",
        arguments=[
            "--since={{ params.since }}",
            "--until={{ params.until }}",
            "--chunk-days={{ params.chunk_days }}",
            "--max-requests={{ params.max_requests }}",
        ],
        execution_timeout=timedelta(hours=8),
        map_index_template="{{ task.tenant['name'] }}",
    ).expand(tenant=tenants("{{ params.tenant }}"))
