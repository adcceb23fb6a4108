"""Where personal data rests on disk: a folder that only its owner can enter.

DuckDB creates its write-ahead log and its spill files readable for everyone, whatever the mode of
the database itself, and makes them anew at any write. Closing the files one by one would therefore
always come too late, and narrowing the umask would change every other file the process writes
meanwhile. A closed folder covers them all.
"""

from __future__ import annotations

import logging
import os
import stat
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep_private"]

_log = logging.getLogger(__name__)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private(folder: Path) -> None:
    """Create a folder closed to others; warn once about an existing one that others can enter.

    An existing folder keeps its mode, because it may be a project's root that others are meant to
    read.
    """
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) & _OTHERS:
        _warn_open(folder)


@cache
def _warn_open(folder: Path) -> None:
    _log.warning(
        "Other users of this machine can enter `%s`, which holds personal data. "
        "Run `chmod 700 %s`, or keep the database in a folder of its own.",
        folder,
        folder,
    )
