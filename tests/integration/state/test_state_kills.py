"""A runner may be killed after each step of fetching and storing; the next run is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from . import lives

SENT_AND_NOT_STORED = {"packed", "uploaded"}


def test_killed_at_any_step_nothing_is_lost_and_only_what_no_machine_knows_goes_twice(
    tmp_path: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, lives.__file__, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = [json.loads(line) for line in ended.stdout.splitlines()]

    assert len(told) == 16
    for one in told:
        lost = one["step"] in SENT_AND_NOT_STORED and not one["same"]
        assert one["sent"] == (["1", "2", "2", "3"] if lost else ["1", "2", "3"]), one
        assert one["known"] == ["1", "2", "3"], one
