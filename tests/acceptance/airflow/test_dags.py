"""The DAGs, run by a real Airflow 3: green, red, killed, and a window from params."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from replenit_destination.sandbox import ReplenitSandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Airflow

KEY = "c2FuZGJveC1rZXk="
TENANTS = [f"5a11d0b0-0000-4000-8000-00000000000{n}" for n in (1, 2, 3)]
ONE_RUN_SECONDS = 180


def finished(run: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = run.communicate(timeout=ONE_RUN_SECONDS)
    return run.returncode, out


def test_dags_import_without_a_warning_and_a_killed_task_lets_its_script_end_in_order(
    airflow_home: Path, project: Path
) -> None:
    """The task is red even so, and may be tried again."""
    program = Path(__file__).with_name("stopping.py")
    done = subprocess.run(
        [str(airflow_home / "bin" / "python"), "-W", "error", str(program)],
        env={
            "AIRFLOW_HOME": str(airflow_home / "home"),
            "PYTHONPATH": str(project / "pipelines" / "airflow"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "de: recorded" in done.stdout + done.stderr
    assert "AirflowException: de: it was stopped before the end" in done.stdout


def test_increment_delivers_for_every_tenant_inside_one_quota(airflow: Airflow) -> None:
    """A mapped task each; both count in one account's file."""
    with ReplenitSandbox(tenants={KEY: TENANTS}) as box:
        for name, tenant in zip(("de", "fr"), TENANTS, strict=False):
            airflow.add(name, box, tenant)
        code, out = finished(airflow.start("replenit", {}))
        assert (code, "successful" in out) == (0, True), out
        for tenant in TENANTS[:2]:
            assert len(box.requests("POST", f"/orders/{tenant}")) == 1
        assert not box.requests("POST", f"/orders/{TENANTS[2]}")
    quotas = list((airflow.folder / "state").glob("quota-*.sqlite"))
    assert len(quotas) == 1


def test_refused_key_and_killed_script_are_red_and_told_and_hold_up_nobody(
    airflow: Airflow,
) -> None:
    with ReplenitSandbox(tenants={KEY: TENANTS}) as box, Alerts() as alerts:
        airflow.add("refused", box, TENANTS[0], api_key="d3Jvbmc=")
        killed = airflow.add("killed", box, TENANTS[1])
        airflow.add("well", box, TENANTS[2])
        run = airflow.start("replenit", {}, REPLENIT_ALERT_URL=alerts.url)
        killing = threading.Thread(target=kill_script_of, args=(killed, run))
        killing.start()
        code, out = finished(run)
        killing.join()
        assert code == 1, out
        assert len(box.requests("POST", f"/orders/{TENANTS[2]}")) == 1, "the third still delivers"
        assert not box.state(TENANTS[0])["orders"]
    assert sorted(alerts.texts) == [
        "replenit.deliver failed: killed: signal 9 ended it",
        "replenit.deliver failed: refused: it could not run; the log says why, and nothing is lost",
    ]


def test_backfill_takes_tenant_and_window_from_params(airflow: Airflow) -> None:
    with ReplenitSandbox(tenants={KEY: TENANTS}) as box:
        for name, tenant in zip(("de", "fr"), TENANTS, strict=False):
            airflow.add(name, box, tenant)
        params: dict[str, str | int] = {"since": "2020-01-01", "chunk_days": 9000, "tenant": "fr"}
        code, out = finished(airflow.start("replenit_backfill", params))
        assert (code, "2020-01-01 to now: delivered" in out) == (0, True), out
        assert len(box.requests("POST", f"/orders/{TENANTS[1]}")) == 1
        assert not box.requests("POST", f"/orders/{TENANTS[0]}")


def kill_script_of(folder: Path, run: subprocess.Popen[str]) -> None:
    """Wait until the tenant's script runs, and kill it as the kernel does when memory is short."""
    beat = threading.Event()
    while run.poll() is None:
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(folder) and "csv_to_replenit.py" in process.cmdline():
                    process.kill()
                    return
            except psutil.Error:
                continue
        beat.wait(0.05)


class Alerts:
    """Takes what the failure callback posts."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._server = HTTPServer(("127.0.0.1", 0), _taking(self.texts.append))
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Alerts:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _taking(take: Callable[[str], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            take(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *ignored: object) -> None:
            pass

    return Handler
