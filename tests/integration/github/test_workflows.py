"""The workflow files: their schema, what is unsafe in them, and what their shell lines do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from replenit_destination.destinations.project import KINDS, make_project

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "pipelines" / "github" / "replenit.yml"
OURS = [TEMPLATE, ROOT / ".github" / "workflows" / "ci.yml"]
PROGRAMS = Path(sys.executable).parent
PINNED = re.compile(r"^[\w./-]+@[0-9a-f]{40}$")


def said(*command: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def jobs(workflow: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return found


def steps_of(job: dict[str, Any], word: str) -> dict[str, Any]:
    (step,) = [step for step in job["steps"] if word in step.get("name", "")]
    return dict(step)


def test_workflows_keep_to_the_schema() -> None:
    schema = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
    assert said(*schema, *map(str, OURS)) == (0, "ok -- validation done\n")


@pytest.mark.parametrize(("workflow", "persona"), [(TEMPLATE, "pedantic"), (OURS[1], "regular")])
def test_workflows_hold_nothing_unsafe(workflow: Path, persona: str) -> None:
    """Template injection, broad permissions, unpinned actions, kept credentials."""
    code, output = said("zizmor", "--offline", "--quiet", "--persona", persona, str(workflow))
    assert code == 0, output


def test_unsafe_workflow_is_found(tmp_path: Path) -> None:
    """The check can fail: an input in a shell line, an action that is not pinned."""
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text.replace('"$MAX_REQUESTS"', '"${{ inputs.max_requests }}"')
    unsafe = tmp_path / "unsafe.yml"
    unsafe.write_text(re.sub(r"checkout@\w+", "checkout@v7", text), encoding="utf-8")
    code, output = said("zizmor", "--offline", "--quiet", str(unsafe))
    assert code != 0
    assert "template-injection" in output
    assert "unpinned-uses" in output


def test_actions_are_pinned_and_permissions_are_the_least() -> None:
    workflow = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert all(PINNED.match(step["uses"]) for step in job["steps"] if "uses" in step)
        assert job["permissions"]["contents"] == "read"
        assert job["timeout-minutes"] <= 90
        assert "group" in job["concurrency"]


def test_plan_never_runs_for_a_fork() -> None:
    """And pull_request_target, which would hand secrets to a fork's code, is not used."""
    plan = jobs(TEMPLATE)["plan"]
    assert "head.repo.full_name == github.repository" in plan["if"]
    assert "pull_request_target" not in TEMPLATE.read_text(encoding="utf-8")
    assert jobs(TEMPLATE)["deliver"]["if"] == "github.event_name != 'pull_request'"


@pytest.mark.parametrize("kind", KINDS)
def test_project_gets_the_workflow_of_its_kind(kind: str, tmp_path: Path) -> None:
    project = make_project(kind, tmp_path / "shop", github=True)
    made = (project.folder / ".github" / "workflows" / "replenit.yml").read_text(encoding="utf-8")
    assert project.script in made
    assert f"--source {kind} " in made
    pinned = (project.folder / "requirements.txt").read_text(encoding="utf-8")
    assert re.fullmatch(r"dlt-replenit\[[\w,]+\]==[\w.]+\n", pinned)


class Runner:
    """Runs the shell lines of a step; `python` and `dlt` only tell what they are given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".dlt").mkdir()
        (folder / ".dlt" / "config.toml").write_text("", encoding="utf-8")
        programs = folder / "programs"
        programs.mkdir()
        told = '#!/bin/sh\necho "$(basename "$0") $*"\nenv | grep -E "__" | sort\n'
        for name in ("python", "dlt"):
            (programs / name).write_text(told, encoding="utf-8")
            (programs / name).chmod(0o755)

    def run(self, step: dict[str, Any], **settings: str) -> tuple[int, list[str]]:
        empty = dict.fromkeys(step["env"], "")
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder / 'programs'}{os.pathsep}{os.environ['PATH']}",
                "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
                "DESTINATION__REPLENIT__STATE_URL": "",
                **empty,
                **settings,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


DELIVER = steps_of(jobs(TEMPLATE)["deliver"], "Deliver")
STATE = {"DESTINATION__REPLENIT__STATE_URL": "s3://bucket/shop"}


def test_without_a_place_for_state_nothing_runs(runner: Runner) -> None:
    code, lines = runner.run(DELIVER, MAX_REQUESTS="9")
    assert (code, "REPLENIT_STATE_URL" in lines[0], len(lines)) == (2, True, 1)


def test_schedule_delivers_what_changed_with_settings_and_masked_secrets(runner: Runner) -> None:
    more = "SOURCES__SHOPIFY__CLIENT_SECRET=a=b c\n\nAWS__KEY=k"
    settings = {"MORE_SECRETS": more, "DESTINATION__REPLENIT__API_KEY": "key", **STATE}
    code, lines = runner.run(DELIVER, MAX_REQUESTS="9", **settings)
    assert code == 0
    assert lines == [
        "::add-mask::a=b c",
        "::add-mask::k",
        "python csv_to_replenit.py --max-requests 9",
        "AWS__KEY=k",
        "DESTINATION__REPLENIT__API_KEY=key",
        "DESTINATION__REPLENIT__STATE_URL=s3://bucket/shop",
        "SOURCES__SHOPIFY__CLIENT_SECRET=a=b c",
    ]


def test_backfill_gets_its_window_and_nothing_is_read_as_shell(runner: Runner) -> None:
    window = {"SINCE": "2025-01-01; echo hacked", "UNTIL": "2025-02-01", "CHUNK_DAYS": "7"}
    _, lines = runner.run(DELIVER, MAX_REQUESTS="9", **window, **STATE)
    assert lines[0] == (
        "python backfill.py --source csv --since 2025-01-01; echo hacked --chunk-days 7"
        " --until 2025-02-01 --max-requests 9"
    )


def test_plan_stages_only_and_is_kept_for_the_comment(runner: Runner) -> None:
    plan = steps_of(jobs(TEMPLATE)["plan"], "plan")
    code, lines = runner.run(plan, **STATE)
    assert (code, lines[0]) == (0, "python csv_to_replenit.py --stage-only")
    assert "DESTINATION__REPLENIT__STATE_READ_ONLY=true" in lines
    assert (runner.folder / "plan.md").read_text(encoding="utf-8").startswith("dlt replenit plan")
    assert (runner.folder / "summary.md").exists()
