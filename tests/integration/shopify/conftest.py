"""Makes `pipelines/` importable, as it is for the scripts in it."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import GraphQLSchema, build_client_schema

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "pipelines"))


@pytest.fixture(scope="session")
def published_schema(shared: Path) -> Callable[[str], GraphQLSchema]:
    """The schema Shopify publishes for a version; its six known faults are not ours to judge."""
    built: dict[str, GraphQLSchema] = {}

    def load(version: str) -> GraphQLSchema:
        if version not in built:
            file = shared / "shopify" / f"shopify-admin-schema.{version}.json.gz"
            content = json.loads(gzip.decompress(file.read_bytes()))
            built[version] = build_client_schema(content["data"], assume_valid=True)
        return built[version]

    return load


@pytest.fixture(scope="session")
def recorded(shared: Path) -> Callable[[str], Any]:
    """A file of answers recorded from development stores."""

    def load(name: str) -> Any:
        return json.loads((shared / "shopify" / "recorded" / name).read_text(encoding="utf-8"))

    return load
