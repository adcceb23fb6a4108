"""`--propose-mapping`: a draft of a mapping from the names and types of a shop's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination import SettingsError

from .draft import propose
from .found import FoundColumn, FoundTable, Link
from .roles import guess_roles

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FoundColumn", "FoundTable", "Link", "guess_roles", "propose", "write"]


def write(text: str, file: Path) -> None:
    """Write a draft, but never over a file that is there.

    Raises:
        SettingsError: The file exists, or cannot be made.
    """
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        message = f"--propose-mapping: `{file}` exists and may be yours; name another file"
        raise SettingsError(message) from None
    except OSError as error:
        message = f"--propose-mapping: `{file}` cannot be written: {error.strerror}"
        raise SettingsError(message) from None
