"""Whatever happens to shop, machine and network: the vendor ends with what the shop says.

Hypothesis draws the histories (`harness/sequences.py`), 300 in all, in CI always the same.
`REPLENIT_SEQUENCES=1000` draws so many for each world; `long_run.py` draws any number.
"""

from __future__ import annotations

import os

import pytest

from tests.acceptance.harness.worlds import WORLDS, draw

PER_WORLD = int(os.environ.get("REPLENIT_SEQUENCES", -(-300 // len(WORLDS))))


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_any_sequence_ends_in_the_state_the_shop_has(world: str) -> None:
    draw(WORLDS[world], PER_WORLD)
