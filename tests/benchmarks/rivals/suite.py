"""Runs scenarios with programs and gathers the scores."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.rivals.measuring import Server, run
from tests.benchmarks.rivals.scoring import compare, score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.rivals.programs import Program
    from tests.benchmarks.rivals.scenarios import Scenario
    from tests.benchmarks.rivals.scoring import Score
    from tests.benchmarks.rivals.shop import Staging

__all__ = ["measure", "measure_all"]

WAITING_AT_ONCE = 3
"""Programs under way at once where a scenario is mostly waiting."""


def measure(
    scenario: Scenario, program: Program, python: Path, staging: Staging, folder: Path
) -> Score:
    """Play one scenario with one program, on a server and in a folder of its own."""
    work = Path(tempfile.mkdtemp(dir=folder))
    sites = [work / f"site-{place}" for place in range(scenario.processes)]
    behaviour = scenario.behaviour
    runs, states = [], []
    try:
        with Server.started(behaviour) as server:
            before = server.ask("counts")
            for step in scenario.steps:
                for place, site in enumerate(sites):
                    shard = f"/{place}of{len(sites)}" if len(sites) > 1 else ""
                    staging.hand_out(step.version + shard, site)
                done = run(program, python, sites, server, behaviour.quota, hold=step.hold)
                if not step.measured:
                    before = server.ask("counts")
                    continue
                runs.append(done)
                if not done.killed:
                    wanted = staging.shop.documents(step.version)
                    held = server.ask("result")["orders"]
                    states.append(compare(wanted, held, behaviour.poison))
            return score(runs, states, before, server.ask("counts"))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure_all(
    scenario: Scenario,
    programs: Sequence[Program],
    pythons: dict[str, Path],
    staging: Staging,
    folder: Path,
    at_once: int,
    tell: Callable[[Scenario, Program, Score], None],
) -> dict[str, Score]:
    """Play one scenario with every program, `at_once` or, if it mostly waits, three at a time."""
    for step in scenario.steps:
        parts = scenario.processes
        for place in range(parts):
            staging.made(step.version + (f"/{place}of{parts}" if parts > 1 else ""))

    def one(program: Program) -> Score:
        result = measure(scenario, program, pythons[program.key], staging, folder)
        tell(scenario, program, result)
        return result

    workers = max(WAITING_AT_ONCE, at_once) if scenario.waits else at_once
    with ThreadPoolExecutor(workers) as pool:
        return dict(zip((each.key for each in programs), pool.map(one, programs), strict=True))
