"""Draws histories by the ten thousand, in several processes, until one ends wrongly.

    python -m tests.acceptance.long_run --sequences 50000 --processes 2 --seed 1

Histories come in portions of one world and one seed. A portion that fails is printed with its
shortest history and with the command that draws it again, and nothing new is begun. The summary,
JSON in `--out`, is written after every portion; `SIGTERM` and Ctrl-C end the run at once and leave
it. Histories live in a folder of their own, deleted at the end whatever happens.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.acceptance.harness.pace import new_folder
from tests.acceptance.harness.sequences import Sequences
from tests.acceptance.harness.worlds import WORLDS, draw
from tests.doubles.no_pandas import say_there_is_no_pandas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PORTION = 200
"""Histories of one world and one seed: enough for Hypothesis to leave its simplest ones behind, few
enough for a summary every few minutes."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Histories to be drawn in one go."""

    world: str
    seed: int
    histories: int

    def __str__(self) -> str:
        return f"--worlds {self.world} --sequences {self.histories} --portion-seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a portion: how often each thing happened, and the failure's text."""

    portion: Portion
    seconds: float
    told: Counter[str]
    failure: str = ""


@dataclass
class Summary:
    """What was drawn so far."""

    began: float
    drawn: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    processor_seconds: float = 0.0

    def add(self, ending: Ending) -> None:
        """Count a portion."""
        self.told += ending.told
        self.processor_seconds += ending.seconds
        if ending.failure:
            self.failures.append({"portion": str(ending.portion), "failure": ending.failure})
        else:
            self.drawn[ending.portion.world] += ending.portion.histories

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        seconds, histories = time.monotonic() - self.began, self.drawn.total()
        return {
            "histories": histories,
            "seconds": round(seconds, 1),
            "processor_seconds_per_history": round(
                self.processor_seconds / histories if histories else 0.0, 3
            ),
            "worlds": dict(self.drawn),
            "told": dict(sorted(self.told.items())),
            "failures": self.failures,
        }

    def __str__(self) -> str:
        now = self.to_dict()
        rate = now["histories"] / now["seconds"] if now["seconds"] else 0.0
        each = now["processor_seconds_per_history"]
        return (
            f"{now['histories']} histories in {now['seconds']:.0f} s, {rate:.1f} a second,"
            f" {each} s of processor each, {len(self.failures)} failures"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 1 when there is a counterexample."""
    options = _options(arguments)
    folder = new_folder()
    os.environ["TMPDIR"] = str(folder)  # the processes put their histories there
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    summary = Summary(time.monotonic())
    try:
        _draw_all(_portions(options), options, summary)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _say(summary)
    return 1 if summary.failures else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--sequences", type=int, default=1000, help="histories in all")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="another one draws other histories")
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--portion", type=int, default=PORTION, help="histories of one seed")
    parser.add_argument("--portion-seed", type=int, help="draw this one portion again")
    parser.add_argument("--keep-going", action="store_true", help="whatever fails")
    parser.add_argument("--out", type=Path, help="where the summary goes, as JSON")
    return parser.parse_args(arguments)


def _portions(options: argparse.Namespace) -> Iterator[Portion]:
    if options.portion_seed is not None:
        yield Portion(options.worlds[0], options.portion_seed, options.sequences)
        return
    chance = random.Random(options.seed)
    whole, rest = divmod(options.sequences, options.portion)
    worlds = cycle(options.worlds)
    for world in islice(worlds, whole):
        yield Portion(world, chance.getrandbits(32), options.portion)
    if rest:
        yield Portion(next(worlds), chance.getrandbits(32), rest)


def _draw_all(portions: Iterator[Portion], options: argparse.Namespace, summary: Summary) -> None:
    # A process is used for one portion: whatever it holds on to ends with it.
    pool = ProcessPoolExecutor(
        options.processes, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    )
    under_way: set[Future[Ending]] = set()
    try:
        while True:
            stop = summary.failures and not options.keep_going
            for portion in islice(portions, 0 if stop else options.processes - len(under_way)):
                under_way.add(pool.submit(_live, portion))
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for one in done:
                _tell(one.result(), summary, options.out)
    finally:
        for process in multiprocessing.active_children():
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)


def _tell(ending: Ending, summary: Summary, out: Path | None) -> None:
    summary.add(ending)
    if ending.failure:
        _say(f"A counterexample; again: python -m tests.acceptance.long_run {ending.portion}")
        _say(ending.failure)
    _say(f"{ending.portion.world}: {ending.seconds:.0f} s. {summary}")
    if out:
        unfinished = out.with_name(out.name + ".new")
        unfinished.write_text(json.dumps(summary.to_dict(), indent=2) + "\n")
        unfinished.replace(out)


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _live(portion: Portion) -> Ending:
    logging.disable(logging.CRITICAL)
    say_there_is_no_pandas()
    Sequences.told.clear()
    written, failure = io.StringIO(), ""
    with contextlib.redirect_stdout(written):
        try:
            draw(WORLDS[portion.world], portion.histories, by=portion.seed)
        except BaseException:  # a portion that dies is told, not lost
            failure = f"{traceback.format_exc()}\n{written.getvalue()}"
    return Ending(portion, time.process_time(), Counter(Sequences.told), failure)


if __name__ == "__main__":
    sys.exit(main())
