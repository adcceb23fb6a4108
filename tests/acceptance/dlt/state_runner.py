"""A scheduled script on a machine of its own; started by test_state.py.

It reads JSON from stdin: its settings and rows, and two files: it makes the one when it has the
state, and waits until the other is there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import dlt

from replenit_destination import push, replenit
from replenit_destination.destinations.state_sessions import state
from replenit_destination.exceptions import ActivationError


def main(given: dict[str, Any]) -> int:
    def wait(step: str) -> None:
        if step == "opened" and given["waits_for"]:
            Path(given["tells"]).touch()
            while not Path(given["waits_for"]).exists():
                time.sleep(0.02)

    pipeline = dlt.pipeline(
        "shop",
        destination=replenit(**given["settings"]),
        dataset_name="shop_data",
        pipelines_dir="pipelines",
    )
    try:
        with state(pipeline, step=wait):
            rows = dlt.resource(
                given["rows"], name="customers", primary_key="id", write_disposition="merge"
            )
            pipeline.run(rows)
            return push(pipeline).exit_code
    except ActivationError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(json.load(sys.stdin)))
