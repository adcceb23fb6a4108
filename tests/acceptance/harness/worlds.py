"""The worlds histories are drawn in: between them every switch that the end state depends on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.acceptance.harness.oracle import Rules
from tests.acceptance.harness.sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STEPS", "WORLDS", "draw"]

STEPS = int(os.environ.get("REPLENIT_STEPS", "6"))
"""Steps of a history, at most."""


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


class WithConsentOnly(Sequences):
    choices = Rules(gdpr_policy="consented_only")


WORLDS: Mapping[str, type[Sequences]] = {
    world.__name__: world
    for world in (
        ByEmail,
        ByEmailInTables,
        ByEmailInJson,
        ByIdInTables,
        ById,
        ByIdInLists,
        WithConsentOnly,
    )
}


def draw(world: type[Sequences], histories: int, *, by: int | None = None) -> None:
    """Live so many histories; a counterexample is printed, the shortest one, and raised.

    Args:
        world: Where.
        histories: How many.
        by: A number that stands for these very histories; by default the profile decides.
    """
    chosen = settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        suppress_health_check=list(HealthCheck),
    )
    if by is not None:
        world = seed(by)(type(world.__name__, (world,), {}))
        chosen = settings(chosen, derandomize=False, database=None, deadline=None)
    run_state_machine_as_test(world, settings=chosen)
