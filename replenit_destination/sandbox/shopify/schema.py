"""The schema of one API version, built from `admin.graphql`.

Fields marked `@since` are left out of the versions that came before them, so that a query which
asks for too much fails here as it would at Shopify.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from graphql import FieldDefinitionNode, GraphQLSchema, build_ast_schema, parse
from graphql.language import REMOVE, StringValueNode, Visitor, visit

__all__ = ["OLDEST_VERSION", "VERSIONS", "serving_version", "versioned_schema"]

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
OLDEST_VERSION = VERSIONS[0]


def serving_version(asked: str) -> str | None:
    """Return the version that answers a call to `asked`; None when there is no such version.

    Expired versions fall forward to the oldest supported one (shopify.dev, "API versioning").
    """
    if asked in VERSIONS:
        return asked
    if re.fullmatch(r"20\d\d-(01|04|07|10)", asked) and asked < OLDEST_VERSION:
        return OLDEST_VERSION
    return None


class _Younger(Visitor):
    """Removes the fields that a version does not know yet."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version

    def enter_field_definition(self, node: FieldDefinitionNode, *_: Any) -> Any:
        for directive in node.directives or ():
            if directive.name.value != "since":
                continue
            versions = [argument.value for argument in directive.arguments or ()]
            if any(isinstance(v, StringValueNode) and v.value > self.version for v in versions):
                return REMOVE
        return None


@cache
def versioned_schema(version: str) -> GraphQLSchema:
    """Return the schema that `version` serves."""
    source = Path(__file__).with_name("admin.graphql").read_text(encoding="utf-8")
    document = visit(parse(source, no_location=True), _Younger(version))
    return build_ast_schema(document, assume_valid=True)
