"""Whatever happens to shop, machine and network: the vendor ends with what the shop says.

Hypothesis draws the sequences (`harness/sequences.py`), 50 for each of six worlds, in CI always the
same. `REPLENIT_SEQUENCES=1000` draws so many for each.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.acceptance.harness.oracle import Rules
from tests.acceptance.harness.sequences import Sequences

PER_WORLD = int(os.environ.get("REPLENIT_SEQUENCES", "50"))


class ByEmail(Sequences):
    choices = Rules()


class ByEmailInTables(Sequences):
    choices = Rules(children="replace", omitted="keep")
    form = "table"
    style = "mixed"


class ByEmailInJson(Sequences):
    choices = Rules(product_removal="delete", omitted="keep")
    form = "json"
    style = "minimal"


class ByIdInTables(Sequences):
    choices = Rules(priority="customerid", delete_style="path", product_removal="delete")
    form = "table"
    style = "envelope"


class ById(Sequences):
    choices = Rules(priority="customerid", children="replace")
    style = "bare"


class ByIdInLists(Sequences):
    choices = Rules(priority="customerid", omitted="keep", product_removal="delete")
    form = "list"


@pytest.mark.slow
@pytest.mark.parametrize(
    "world", [ByEmail, ByEmailInTables, ByEmailInJson, ByIdInTables, ById, ByIdInLists]
)
def test_any_sequence_ends_in_the_state_the_shop_has(world: type[Sequences]) -> None:
    run_state_machine_as_test(
        world,
        settings=settings(
            max_examples=PER_WORLD,
            stateful_step_count=8,
            suppress_health_check=list(HealthCheck),
        ),
    )
