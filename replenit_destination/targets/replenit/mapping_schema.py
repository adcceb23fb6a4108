"""The JSON Schema of mappings to Replenit, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.mapping_schema import mapping_schema
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget

if TYPE_CHECKING:
    from replenit_destination.engine.target import EntitySpec

__all__ = ["replenit_mapping_schema"]

_PRESETS = Path(__file__).with_name("presets")
_NOBODY = "00000000-0000-4000-8000-000000000000"


def replenit_mapping_schema(settings: ReplenitSettings | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of mapping files.

    Args:
        settings: A tenant's, whose extra and required fields count; without them the schema fits
            every tenant.
    """
    variants = [ReplenitTarget(settings).entities] if settings else _of_everybody()
    presets = sorted(path.stem for path in _PRESETS.glob("*.toml"))
    return mapping_schema(variants, presets=presets, title="Mapping of a shop to Replenit")


def _of_everybody() -> list[tuple[EntitySpec, ...]]:
    by_email = ReplenitSettings(
        api_key="none", tenant_id=_NOBODY, customer_identifier_priority="email"
    )
    by_id = ReplenitSettings(
        api_key="none",
        tenant_id=_NOBODY,
        customer_identifier_priority="customerid",
        guests="derive",
    )
    return [ReplenitTarget(settings).entities for settings in (by_email, by_id)]
