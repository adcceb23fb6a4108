"""A state behind a url: machines that are thrown away after every run."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from replenit_destination.destinations import state_sessions

from .shop import first_shop, mapping, put_order

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Delivery


def throw_away(here: Path) -> None:
    """What is left of the machine is the storage behind the url."""
    state_sessions._sessions.clear()
    for name in ("pipelines", "replenit_data"):
        shutil.rmtree(here / name)


@pytest.mark.parametrize("kept", ["full", "light"])
@pytest.mark.parametrize("form", ["nested", "table", "arrow"])
def test_new_machine_sends_only_what_changed(
    delivery: Delivery, here: Path, form: str, kept: str
) -> None:
    delivery.settings |= {
        "mapping": mapping(form),
        "state_url": f"file://{here}/remote",
        "state": kept,
    }
    shop = first_shop()
    delivery.run(shop.source(form, "merge"))
    delivery.calls()

    throw_away(here)
    report = delivery.run(shop.source(form, "merge", everything=True))
    assert report["requests"] == 0
    assert delivery.calls() == []

    throw_away(here)
    put_order(shop, 1, total=99)
    shop.destroy("orders", 2)
    delivery.run(shop.source(form, "merge"))
    assert delivery.calls() == [("POST", "/orders", ("1",)), ("DELETE", "/orders/2", ())]
    assert delivery.held() == shop.expected()
