"""What is said before a run, so that it does not show as missing rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

if TYPE_CHECKING:
    from tests.integration.shopify.world import World


def test_every_missing_scope_is_named_at_once(world: World) -> None:
    world.sandbox.api.scopes = ("read_products",)
    with pytest.raises(PipelineStepFailed, match="grant it read_customers, read_orders"):
        world.run()


def test_denied_personal_data_names_the_plan_and_the_way_out(world: World) -> None:
    world.sandbox.api.pii_denied = True
    with pytest.raises(PipelineStepFailed, match=r"plan is Basic.*Partner Dashboard"):
        world.run()
    assert not world.searches("OrdersPage")


def test_sixty_days_are_warned_about_only_where_they_matter(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.sandbox.api.scopes = ("read_orders", "read_customers", "read_products")
    world.run(asked={"since": "2026-04-15"})
    assert "read_all_orders" not in caplog.text
    world.run(asked={"full": True})
    assert "read_all_orders" in caplog.text


def test_version_that_is_not_served_is_warned_about_with_those_that_are(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    served = world.sandbox.api.versions
    world.sandbox.api.versions = served[1:]
    world.run(version=served[0])
    assert f"serves the versions {', '.join(served[1:])}, not 2026-01" in caplog.text
