"""A mapping printed as the SQL it compiles to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replenit_destination.engine.assembly import Assembly
from replenit_destination.engine.binding import Tables, bind

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from replenit_destination.engine.bound import BoundEntity
    from replenit_destination.engine.mapping import Mapping
    from replenit_destination.engine.target import Target

__all__ = ["explain", "explain_sql"]

_QUERIED = "queried"


def explain(
    mapping: Mapping,
    target: Target,
    connection: duckdb.DuckDBPyConnection,
    dataset: str,
    *,
    presets: Path | None = None,
) -> dict[str, str]:
    """Return, for every entity whose root table is there, the SQL that makes its documents.

    Each text runs as it is on the connection: one row per document, with its JSON.

    Args:
        mapping: As written.
        target: The vendor.
        connection: To the staging database.
        dataset: The schema with the tables.
        presets: The folder of the target's shipped mappings.

    Raises:
        MappingError: Lists everything that is wrong with the mapping.
    """
    entities = mapping.entities(target.entities, presets=presets)
    row = connection.execute("SELECT current_database()").fetchone()
    tables = Tables(connection, str(row[0]) if row else "", dataset)
    bound = bind(connection, entities, target.entities, tables, source=mapping.name)
    return {name: explain_sql(entity) for name, entity in bound.items()}


def explain_sql(entity: BoundEntity) -> str:
    """Return the SQL that makes one entity's documents, with what is worth knowing of it."""
    notes = [f"-- {entity.spec.name}: one row per document"]
    notes += [f"-- {notice.place}: {notice.text}" for notice in entity.notices]
    if entity.always_full:
        notes.append(f"-- compared as a whole in every run: {entity.always_full}")
    root = None
    if entity.query is not None:
        root = _QUERIED
        notes.append(f"CREATE OR REPLACE TEMP TABLE {_QUERIED} AS\n{entity.query};\n")
    return "\n".join([*notes, Assembly(entity, root=root).documents() + ";"]) + "\n"
