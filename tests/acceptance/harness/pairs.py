"""Pairwise choices: every value of every switch meets every value of every other one."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["pairwise"]


def pairwise(switches: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return few combinations that together hold every pair of values, always the same ones."""
    names = list(switches)
    candidates = [dict(zip(names, values, strict=True)) for values in product(*switches.values())]
    open_pairs = {pair for candidate in candidates for pair in _pairs(candidate)}
    chosen = []
    while open_pairs:
        best = max(candidates, key=lambda each: len(_pairs(each) & open_pairs))
        chosen.append(best)
        open_pairs -= _pairs(best)
    return chosen


def _pairs(candidate: Mapping[str, str]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    return set(combinations(candidate.items(), 2))
