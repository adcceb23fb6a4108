"""The schemas that Shopify publishes, from its npm package, fetched once per test session."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from graphql import GraphQLSchema, build_client_schema

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["schemas"]

PACKAGE = "@shopify/dev-mcp@1.16.0"  # ISC; later packages drop the older versions
FETCH_SECONDS = 120


def schemas(project: Path, base: Path) -> Callable[[str], GraphQLSchema]:
    """Return a function from an API version to its schema.

    Args:
        project: The project's root folder.
        base: The session's temporary folder; its parent is shared by parallel workers.
    """
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shopify-schemas"
    built: dict[str, GraphQLSchema] = {}

    def load(version: str) -> GraphQLSchema:
        if version not in built:
            _fetch(project, place)
            content = json.loads(gzip.decompress((place / f"admin_{version}.json.gz").read_bytes()))
            # Six published deprecations break a rule of newer graphql-core: not ours to judge.
            built[version] = build_client_schema(content["data"], assume_valid=True)
        return built[version]

    return load


def _fetch(project: Path, place: Path) -> None:
    """Unpack the schemas to a folder, in one step; skip the test where npm cannot."""
    if place.exists():
        return
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        command = ["npm", "pack", PACKAGE, "--silent", "--cache", f"{folder}/cache"]
        try:
            subprocess.run(
                command, cwd=folder, check=True, capture_output=True, timeout=FETCH_SECONDS
            )
        except (OSError, subprocess.SubprocessError):
            skips = tomllib.loads((project / "tests" / "skips.toml").read_text(encoding="utf-8"))
            pytest.skip(skips["npm"]["reason"])
        fresh = Path(folder) / "schemas"
        fresh.mkdir()
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            for member in package.getmembers():
                name = Path(member.name).name
                content = package.extractfile(member) if name.startswith("admin_") else None
                if content:
                    with (fresh / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
        try:
            fresh.rename(place)
        except OSError:
            if not place.exists():  # else another worker was first
                raise
