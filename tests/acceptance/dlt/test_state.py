"""A state behind a url: machines that are thrown away after every run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replenit_destination.cli.app import main
from replenit_destination.destinations import state as sessions
from replenit_destination.destinations import state_sessions
from replenit_destination.exceptions import SettingsError, StateError
from replenit_destination.sandbox import Fault

from . import state_runner
from .conftest import Delivery
from .shop import FORMS, first_shop, mapping, put_order
from .test_sequences import ROUNDS, apply

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.sandbox import ReplenitSandbox

    from .shop import Shop


PEOPLE = """
[customers]
table = "customers"
fields = { CustomerId = "id", Email = "email", GdprOptin = "optin" }
"""


def throw_away(here: Path) -> None:
    """What is left of the machine is the storage behind the url."""
    sessions._release_all()
    state_sessions._sessions.clear()
    for name in ("pipelines", "replenit_data"):
        shutil.rmtree(here / name)


def light(delivery: Delivery, here: Path, form: str = "nested", **settings: Any) -> Shop:
    """Set a first shop up whose state is stored with every run."""
    delivery.settings |= {
        "mapping": mapping(form),
        "state_url": f"file://{here}/remote",
        "state": "light",
        **settings,
    }
    return first_shop()


@pytest.mark.parametrize(("form", "kept"), [("table", "light"), ("nested", "full")])
def test_new_machine_sends_only_what_changed(
    delivery: Delivery, here: Path, form: str, kept: str
) -> None:
    shop = light(delivery, here, form, state=kept)
    delivery.run(shop.source(form, "merge"))
    delivery.calls()

    throw_away(here)
    report = delivery.run(shop.source(form, "merge", everything=True))
    assert report["requests"] == 0
    assert delivery.calls() == []

    throw_away(here)
    put_order(shop, 1, total=99)
    shop.destroy("orders", 2)
    delivery.run(shop.source(form, "merge"))
    assert delivery.calls() == [("POST", "/orders", ("1",)), ("DELETE", "/orders/2", ())]
    assert delivery.held() == shop.expected()


@pytest.mark.slow
def test_any_sequence_on_machines_of_one_run_each_ends_as_the_oracle_says(
    box: ReplenitSandbox, here: Path
) -> None:
    number = iter(range(10_000))

    @settings(max_examples=2, suppress_health_check=list(HealthCheck))
    @given(rounds=ROUNDS, form=st.sampled_from(FORMS))
    def sequence(rounds: list[Any], form: str) -> None:
        box.reset()
        folder = here / f"sequence-{next(number)}"
        folder.mkdir()
        delivery = Delivery(box, folder)
        credentials = folder / "replenit_data" / "staged.duckdb"
        shop = light(delivery, folder, form, credentials=credentials)
        delivery.run(shop.source(form, "merge"))
        for edits, fault in rounds:
            throw_away(folder)
            for edit in edits:
                apply(shop, edit)
            if fault is not None:
                box.faults.add(fault)
            try:
                delivery.run(shop.source(form, "merge"))
            except PipelineStepFailed:
                throw_away(folder)  # the unfinished package is completed elsewhere
                box.faults.clear()
                delivery.run()
            box.faults.clear()
        throw_away(folder)
        delivery.pipeline().sync_destination()
        delivery.push(allow_removals=["customers", "orders", "products"])
        box.settle()
        assert delivery.held() == shop.expected()

        assert delivery.push(full=True).requests == 0
        throw_away(folder)
        shutil.rmtree(folder)

    sequence()


def test_delivery_that_raised_is_stored_and_completed_on_the_next_machine(
    delivery: Delivery, here: Path
) -> None:
    shop = light(delivery, here, "nested")
    delivery.box.faults.add(Fault("status", status=401, path="/orders"))
    with pytest.raises(PipelineStepFailed):
        delivery.run(shop.source("nested", "merge"))
    delivery.box.faults.clear()
    before = {name: len(rows) for name, rows in delivery.held().items()}
    assert before["customers"]
    assert not before["orders"]
    delivery.calls()

    throw_away(here)
    delivery.run()
    assert {path for _, path, _ in delivery.calls()} == {"/orders"}
    assert delivery.held() == shop.expected()


def test_failed_upload_fails_the_run_and_the_next_one_here_stores_it(
    delivery: Delivery, here: Path
) -> None:
    shop = light(delivery, here)
    delivery.run(shop.source("nested", "merge"))
    delivery.calls()
    put_order(shop, 1, total=99)

    def lose() -> None:
        shutil.rmtree(here / "remote")
        (here / "remote").write_text("a file where the folder was")

    pipeline = delivery.pipeline()
    session = state_sessions.session_of(pipeline.destination_client())
    assert session is not None
    session.step = lambda step: lose() if step == "packed" else None
    shutil.copytree(here / "remote", here / "kept")
    with pytest.raises(PipelineStepFailed, match="dlt replenit state store"):
        pipeline.run(shop.source("nested", "merge"))
    assert delivery.calls() == [("POST", "/orders", ("1",))]

    (here / "remote").unlink()
    (here / "kept").rename(here / "remote")
    sessions._release_all()
    state_sessions._sessions.clear()
    delivery.run()
    throw_away(here)
    assert delivery.run(shop.source("nested", "merge", everything=True))["requests"] == 0
    assert delivery.calls() == []


def test_mapping_that_reads_what_light_left_out_is_refused_until_it_was_loaded(
    delivery: Delivery, here: Path
) -> None:
    shop = light(delivery, here)
    for row in shop.rows["customers"].values():
        row["nickname"] = "Ada"
    delivery.run(shop.source("nested", "merge"))
    throw_away(here)
    delivery.settings["mapping"]["customers"]["fields"]["Name"] = "nickname"
    put_order(shop, 1, total=99.5)
    delivery.calls()
    with pytest.raises(PipelineStepFailed, match=r"customers\.nickname.*left out") as raised:
        delivery.run(shop.source("nested", "merge"))
    assert isinstance(raised.value.__cause__, SettingsError)
    assert delivery.calls() == []

    throw_away(here)
    with pytest.raises(PipelineStepFailed, match=r"customers\.nickname"):
        delivery.run()  # still so on the next machine
    pipeline = delivery.pipeline(deliver="manual")
    pipeline.run()
    pipeline.run(shop.source("nested", "merge", everything=True), refresh="drop_resources")
    report = delivery.push(accept_schema=True)
    assert report.exit_code == 0, report.summary
    assert all(one["Name"] == "Ada" for one in delivery.held()["customers"].values())


def test_of_two_machines_one_wins_and_the_other_stops_before_it_sends(
    delivery: Delivery, tmp_path: Path
) -> None:
    people = [{"id": n, "email": f"person{n}@example.com", "optin": True} for n in (1, 2)]
    state_settings = {
        "api_key": delivery.box.api_key,
        "tenant_id": delivery.box.tenant_id,
        "base_url": delivery.box.url,
        "customer_identifier_priority": "email",
        "mapping": {"customers": mapping("nested")["customers"]},
        "state_url": f"file://{tmp_path}/remote",
    }

    def start(machine: str, rows: list[Any], *, waits: bool = False) -> subprocess.Popen[str]:
        (tmp_path / machine).mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, state_runner.__file__],
            cwd=tmp_path / machine,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        told = {
            "settings": state_settings,
            "rows": rows,
            "tells": str(tmp_path / "has"),
            "waits_for": str(tmp_path / "go") if waits else "",
        }
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        return process

    def end(process: subprocess.Popen[str]) -> tuple[int, str]:
        assert process.stderr
        with process.stderr as stream:
            said = stream.read()
        return process.wait(timeout=60), said

    winner = start("first", people, waits=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "has").exists() and time.monotonic() < deadline:
        winner.poll()
    code, said = end(start("second", people))
    assert code == 2
    assert f"PID {winner.pid}" in said
    assert "Nothing was sent" in said
    assert delivery.calls() == []

    (tmp_path / "go").touch()
    assert end(winner)[0] == 0
    both = ("person1@example.com", "person2@example.com")
    assert delivery.calls() == [("POST", "/customers", both)]

    more = [*people, {"id": 3, "email": "person3@example.com", "optin": True}]
    code, said = end(start("second", more))
    assert code == 0, said
    assert delivery.calls() == [("POST", "/customers", ("person3@example.com",))]


def test_new_machine_works_by_hand_after_a_fetch(
    delivery: Delivery,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (here / "shop.toml").write_text(PEOPLE)
    shop = light(delivery, here, mapping="shop.toml")
    delivery.run(shop.source("nested", "merge"))
    delivery.calls()
    throw_away(here)
    values = {
        **delivery.settings,
        "api_key": delivery.box.api_key,
        "tenant_id": delivery.box.tenant_id,
        "base_url": delivery.box.url,
        "customer_identifier_priority": "email",
        "mapping": "shop.toml",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"DESTINATION__REPLENIT__{name.upper()}", value)

    folder = ["--pipelines-dir", str(here / "pipelines")]
    assert main(["state", "fetch", "--json", "--pipeline", "shop", *folder]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["generation"], told["mode"], told["runner"]) == (1, "light", "")
    assert main(["push", "--pipeline", "shop", *folder]) == 0
    assert delivery.calls() == []
    assert len(list((here / "remote").glob("payload-*"))) == 2
    assert state_sessions.replace_all_copies("shop", pipelines_dir=here / "pipelines") > 0
    assert len(list((here / "remote").glob("payload-*"))) == 1
    assert main(["state", "unlock", "--json", "--pipeline", "shop", *folder]) == 0
    assert main(["state", "key"]) == 0
    with pytest.raises(StateError):
        state_sessions.fetch_new("other", pipelines_dir=str(here / "others"))
