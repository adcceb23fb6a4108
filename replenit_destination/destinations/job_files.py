"""dlt's copies of loaded rows: the job files of finished packages, compressed.

dlt needs them no more, and keeps them unless `load.delete_completed_jobs` is set.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["delete_job_files", "finished_packages"]

_JOBS = ("completed_jobs", "failed_jobs", "started_jobs", "new_jobs", ".exceptions")


def finished_packages(folder: Path, *, before: float = float("inf")) -> list[Path]:
    """Return the folders of packages that were loaded to the end.

    Args:
        folder: The pipeline's working folder.
        before: Only those that were begun before then, in Unix seconds; a load id is that number.
    """
    found = sorted((folder / "load" / "loaded").glob("*"))
    return [package for package in found if _begun(package) < before]


def delete_job_files(folder: Path, *, before: float = float("inf")) -> int:
    """Delete the job files of finished packages; return how many.

    Args:
        folder: The pipeline's working folder.
        before: Only of packages that were begun before then, in Unix seconds.
    """
    count = 0
    for package in finished_packages(folder, before=before):
        for jobs in _JOBS:
            for file in sorted((package / jobs).glob("*")):
                count += 1
                shutil.rmtree(file) if file.is_dir() else file.unlink()
    return count


def _begun(package: Path) -> float:
    try:
        return float(package.name)
    except ValueError:  # not named by dlt: as old as it says
        return package.stat().st_mtime
