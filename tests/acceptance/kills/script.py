"""A script as a user writes it: run the pipeline, push, exit with the report's code.

python script.py SETTINGS          a JSON file: where everything is, and arguments of `replenit`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dlt

from replenit_destination import push, replenit, run_lock
from tests.acceptance.kills.source import MAPPING, shop


def main() -> int:
    """Load and push, or only one of them."""
    given: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(given["folder"])
    dlt.config["normalize.parquet_normalizer.add_dlt_load_id"] = True
    pipeline = dlt.pipeline(
        given.get("name", "shop"),
        destination=replenit(folder / "stage.duckdb", mapping=MAPPING, **given["settings"]),
        dataset_name="shop",
        pipelines_dir=str(folder / given.get("pipelines", "pipelines")),
    )
    if given["load"]:
        with run_lock(pipeline):
            pipeline.run(shop(str(folder / "source.sqlite")), loader_file_format="parquet")
    if not given["push"]:
        return 0
    report = push(pipeline, **given["options"])
    if given["report"]:
        Path(given["report"]).write_text(json.dumps(report.to_dict()), encoding="utf-8")
    sys.stdout.write(report.summary)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
