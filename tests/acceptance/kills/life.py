"""One life: load what changed, push it, and be killed somewhere on the way.

    python life.py FOLDER URL KEY TENANT          reads lives from stdin, one JSON object a line

The program imports everything once and forks a process per life, so that a life begins where its
work begins. A life tells where it is in a few bytes of shared memory, which outlive it. It is
killed from outside at any moment; or it kills itself at the nth step inside one of `TARGETS`.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import dlt

from replenit_destination import push, replenit
from replenit_destination.destinations import client, packages
from replenit_destination.engine.books import Books
from replenit_destination.engine.diff import Diff
from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.targets.replenit.api import HttpTransport
from tests.acceptance.kills.source import MAPPING, shop

import_module("pyarrow.parquet")
import_module("replenit_destination.targets.replenit.target")

PHASES = {
    # The innermost function on the stack that is one of these says the phase.
    ("pipeline.py", "sync_destination"): "restore",
    ("pipeline.py", "_extract_source"): "extract",
    ("normalize.py", "run"): "normalize",
    ("load.py", "run"): "load",
    ("client.py", "complete_load"): "complete",
    ("run.py", "bind"): "diff",
    ("run.py", "_compare"): "diff",
    ("run.py", "_decide"): "diff",
    ("run.py", "_hold_resends"): "diff",
    ("delivery.py", "deliver"): "deliver",
    ("clock.py", "wait"): "in flight",
    ("books.py", "intend"): "intent",
    ("books.py", "record"): "record",
    ("books.py", "flush"): "record",
    ("ledger.py", "fold"): "fold",
    ("run.py", "_mark_processed"): "finish",
    ("run.py", "_settle"): "finish",
    ("ledger_file.py", "close"): "finish",
}
SIZE = 32

TARGETS: dict[str, Any] = {
    "staging": client.ReplenitClient.complete_load,
    "handed over": packages.LoadPackage.tables_written,
    "diff": Diff.compare,
    "intent": Books.intend,
    "record later": Books.flush,
    "in flight": HttpTransport.__call__,
    "record": Books.record,
    "fold": Ledger.fold,
    "left pending": Ledger.leave_pending,
    "marked": Ledger.mark_processed,
    "finish": Ledger.finish_run,
    "closing": LedgerFile.close,
    "report kept": packages.LoadPackage.keep_report,
}
"""What a life may be told to die in."""


def main() -> None:
    """Fork a life for every line of stdin; tell how each one ended."""
    folder, url, key, tenant = sys.argv[1:]
    with Path(folder, "phase").open("r+b") as told:
        marks = mmap.mmap(told.fileno(), SIZE)
    for line in sys.stdin:
        marks[:SIZE] = b"start".ljust(SIZE)
        pid = os.fork()
        if pid == 0:
            live(Path(folder), url, key, tenant, marks, **json.loads(line))
        _answer(pid)
        _, status = os.waitpid(pid, 0)
        _answer(os.waitstatus_to_exitcode(status))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def live(folder: Path, url: str, key: str, tenant: str, marks: mmap.mmap, **how: Any) -> None:
    """Run once and exit with the report's code."""
    code = 99
    try:
        threading.Thread(target=_tell, args=(threading.main_thread(), marks), daemon=True).start()
        if how.get("die_in"):
            _arrange(how["die_in"], how["call"], how["step"], marks)
        destination = replenit(
            folder / "stage.duckdb",
            api_key=key,
            tenant_id=tenant,
            base_url=url,
            mapping=MAPPING,
            customer_identifier_priority="email",
            workers=how["workers"],
            orders_per_request=how["batch"],
            customers_per_request=how["batch"],
            products_per_request=how["batch"],
            quota_share=1.0,
            requests_per_minute=1_000_000,
            requests_per_hour=1_000_000,
            deliver=how["deliver"],
            max_requests=how["max_requests"],
        )
        dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
        pipeline = dlt.pipeline(
            "kills",
            destination=destination,
            dataset_name="shop",
            pipelines_dir=str(folder / "pipelines"),
        )
        if how["load"]:
            if pipeline.has_pending_data:
                pipeline.run()
            pipeline.run(shop(str(folder / "source.sqlite")), loader_file_format="parquet")
        report = push(pipeline)
        Path(folder, "report.json").write_text(json.dumps(report.to_dict()), encoding="utf-8")
        code = report.exit_code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(code)


def _tell(thread: threading.Thread, marks: mmap.mmap) -> None:
    """Write the phase of the main thread, again and again."""
    pause = threading.Event()
    while True:
        frame = sys._current_frames().get(thread.ident or 0)
        names = []
        while frame is not None:
            names.append((Path(frame.f_code.co_filename).name, frame.f_code.co_name))
            frame = frame.f_back
        phase = next((PHASES[name] for name in names if name in PHASES), "start")
        marks[:SIZE] = phase.encode().ljust(SIZE)
        pause.wait(0.002)


def _arrange(target: str, call: int, step: int, marks: mmap.mmap) -> None:
    """Kill this process at a step inside the nth call of a target.

    Steps are calls that Python makes to C inside the target, statements of a database among them;
    with too few of them it dies when the target returns.
    """
    function = TARGETS[target]
    code, lock = function.__code__, threading.Lock()
    seen = {"calls": 0, "steps": 0}
    inside: list[int] = []

    def die() -> None:
        marks[:SIZE] = f"{target}*".encode().ljust(SIZE)
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(frame: Any, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code is code:
            with lock:
                seen["calls"] += 1
                if seen["calls"] == call:
                    inside.append(threading.get_ident())
        elif inside and inside[0] == threading.get_ident():
            if event == "c_call":
                seen["steps"] += 1
            if seen["steps"] > step or (event == "return" and frame.f_code is code):
                die()

    threading.setprofile(watch)
    sys.setprofile(watch)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
