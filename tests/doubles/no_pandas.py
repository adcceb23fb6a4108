"""An answer to DuckDB, which looks for pandas at every value that is bound to a statement."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec

__all__ = ["say_there_is_no_pandas"]


class _NoPandas(MetaPathFinder):
    """Says at once that there is no pandas, and nothing of any other module."""

    @staticmethod
    def find_spec(fullname: str, path: object = None, target: object = None) -> None:
        """Raise for pandas."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def say_there_is_no_pandas() -> None:
    """Spare this process the search through every folder, where there is none."""
    if find_spec("pandas") is None:
        sys.meta_path.insert(0, _NoPandas())
