"""Root rows in portions that DuckDB can nest within its memory.

Nesting lists cannot be moved to disk, and how much memory a row takes only the mapping and the
shop's texts decide. So the first portion is a guess, and what turns out too large is halved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable

    from replenit_destination.engine.assembly import Assembly
    from replenit_destination.engine.touched import Scope

__all__ = ["ROWS_PER_PORTION", "in_portions"]

ROWS_PER_PORTION = 200_000
"""Roots and children nested at once: 3 million lines in one go took 1.76 GB, in parts 0.45 GB."""

_LEAST = 1_000
_CHILDREN_PER_ROOT = 3.0  # where they are a column of the root, and counting would read it


def in_portions(
    work: duckdb.DuckDBPyConnection,
    assembly: Assembly,
    scope: Scope,
    nest: Callable[[str], object],
) -> None:
    """Call `nest` with conditions on `{row}` that between them hold for every root row in scope.

    After a call that ran out of memory, which must have had no effect, its rows and all that follow
    come in portions half as large.

    Raises:
        duckdb.OutOfMemoryException: The memory does not do for a thousand roots.
    """
    waiting = _portions(work, assembly, scope)
    while waiting:
        portion = waiting[0]
        try:
            nest(_condition(portion, scope.condition))
        except duckdb.OutOfMemoryException:
            if len(portion) <= _LEAST:
                raise
            waiting = [half for one in waiting for half in _halves(one)]
        else:
            del waiting[0]


def _portions(work: duckdb.DuckDBPyConnection, assembly: Assembly, scope: Scope) -> list[range]:
    row = work.execute(f"SELECT max(rowid), count(*) FROM {assembly.relation}").fetchone()
    last, roots = (row[0] or 0, row[1]) if row else (0, 0)
    child = assembly.entity.child
    per_root = _CHILDREN_PER_ROOT
    if child and child.relation and roots:
        count = work.execute(f"SELECT count(*) FROM {child.relation}").fetchone()
        per_root = count[0] / roots if count else 0.0
    portions = max(1, round(scope.rows * (1 + per_root) / ROWS_PER_PORTION))
    step = last // portions + 1
    return [range(start, start + step) for start in range(0, last + 1, step)]


def _halves(portion: range) -> list[range]:
    middle = len(portion) // 2
    return [portion[:middle], portion[middle:]]


def _condition(portion: range, scope: str) -> str:
    rows = f"{{row}} >= {portion.start} AND {{row}} < {portion.stop}"
    return rows if scope == "true" else f"{rows} AND ({scope})"
