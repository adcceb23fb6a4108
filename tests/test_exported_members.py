"""Each module's `__all__` is what it offers, and the front door offers what a user types."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import replenit_destination
from replenit_destination import exceptions

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(
        replenit_destination.__path__, prefix="replenit_destination."
    )
    if not name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["replenit_destination", *MODULES])
def test_every_exported_name_exists_once(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert [member for member in exported if not hasattr(module, member)] == []
    assert len(set(exported)) == len(exported)


def test_every_error_is_exported_in_order() -> None:
    defined = [
        name
        for name, member in vars(exceptions).items()
        if isinstance(member, type) and member.__module__ == exceptions.__name__
    ]
    assert exceptions.__all__ == sorted(defined)


def test_front_door_offers_what_a_user_types() -> None:
    expected = {"Mapping", "__version__", "push", "replenit", *exceptions.__all__}
    assert expected - set(replenit_destination.__all__) == set()
    assert expected - set(dir(replenit_destination)) == set()
