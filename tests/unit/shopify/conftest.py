"""Makes `pipelines/` importable, as it is for the scripts in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.shopify.published import schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import GraphQLSchema

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "pipelines"))


@pytest.fixture(scope="session")
def published_schema(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], GraphQLSchema]:
    """The schema Shopify publishes for a version."""
    return schemas(project, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def recorded(shared: Path) -> Callable[[str], Any]:
    """A file of answers recorded from development stores."""

    def load(name: str) -> Any:
        return json.loads((shared / "shopify" / "recorded" / name).read_text(encoding="utf-8"))

    return load
