"""The side-by-side suite: one server, one staged shop, every program in an environment of its own.

    python tests/benchmarks/rivals/run.py [--only ours,drt] [--scenarios a,f10,h] [--orders 10000]
        [--at-once 1] [--environments FOLDER] [--results FILE | --read FILE] [--write-docs]
        [--verbose]

Environments are made by pip when they are not there yet; with `--environments` they stay for the
next time. `--write-docs` writes docs/rivals.md. Programs measured at once slow each other down: for
looking at everything but seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

# Run as a script, its own folder is where imports come from; the suite is a package of the project.
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.rivals.pages import line, page  # noqa: E402
from tests.benchmarks.rivals.programs import environment, programs  # noqa: E402
from tests.benchmarks.rivals.results import Results  # noqa: E402
from tests.benchmarks.rivals.scenarios import scenarios  # noqa: E402
from tests.benchmarks.rivals.shop import Shop, Staging  # noqa: E402
from tests.benchmarks.rivals.suite import measure_all  # noqa: E402

if TYPE_CHECKING:
    from tests.benchmarks.rivals.programs import Program
    from tests.benchmarks.rivals.scenarios import Scenario
    from tests.benchmarks.rivals.scoring import Score


def main() -> int:
    """Measure or read, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="programs by key, comma-separated")
    parser.add_argument("--scenarios", default="", help="keys or letters, comma-separated")
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=1, help="programs measured at a time")
    parser.add_argument("--environments", type=Path, help="folder that keeps the environments")
    parser.add_argument("--results", type=Path, help="file to write the scores to, as JSON")
    parser.add_argument("--read", type=Path, help="scores of an earlier run, instead of measuring")
    parser.add_argument("--write-docs", action="store_true", help="write docs/rivals.md")
    parser.add_argument("--verbose", action="store_true", help="show what the programs said")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that programs are ended too
    if given.read:
        results = Results.from_json(json.loads(given.read.read_text(encoding="utf-8")))
    else:
        results = play(given)
    if given.results:
        given.results.write_text(json.dumps(results.to_json(), indent=1), encoding="utf-8")
    if given.write_docs:
        (ROOT / "docs" / "rivals.md").write_text(page(results), encoding="utf-8")
    return 0


def play(given: argparse.Namespace) -> Results:
    """Measure what is chosen."""
    known = programs()
    chosen = [known[key] for key in filter(None, given.only.split(","))] or list(known.values())
    wanted = set(filter(None, given.scenarios.split(",")))
    played = [
        one for one in scenarios(given.orders) if not wanted or {one.key, one.letter} & wanted
    ]
    began = time.monotonic()

    def tell(scenario: Scenario, program: Program, score: Score) -> None:
        print(f"{scenario.key:22} {program.name:14} {line(score)}", flush=True)
        for said in score.said if given.verbose else ():
            print(said)

    with tempfile.TemporaryDirectory(prefix="rivals-") as name:
        folder = Path(name)
        os.environ["DLT_DATA_DIR"] = str(folder / "dlt")
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        environments = given.environments or folder / "environments"
        pythons = {one.key: environment(one, environments.resolve()) for one in chosen}
        staging = Staging(Shop(given.orders), folder / "staged")
        scores = {
            one.key: measure_all(one, chosen, pythons, staging, folder, given.at_once, tell)
            for one in played
        }
    minutes = (time.monotonic() - began) / 60
    print(f"{len(played)} scenarios, {len(chosen)} programs, {minutes:.0f} minutes")
    return Results(given.orders, minutes, given.at_once, scores)


if __name__ == "__main__":
    sys.exit(main())
