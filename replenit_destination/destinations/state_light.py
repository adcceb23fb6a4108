"""`state = "light"`: the staging database travels without what no mapping reads."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from replenit_destination.destinations.configuration import ReplenitClientConfiguration
    from replenit_destination.destinations.setup import Setup
    from replenit_destination.destinations.state_files import LocalFiles

__all__ = ["refuse_left_out", "slimmed"]

_log = logging.getLogger(__name__)


def slimmed(
    config: ReplenitClientConfiguration, dataset: str, files: LocalFiles, database: Path
) -> Path:
    """Return a copy of the staging database with what documents are made of, or itself.

    The database itself travels while the mapping cannot be bound, and where an entity is a query,
    which may read anything.
    """
    from replenit_destination.destinations.setup import PRESETS
    from replenit_destination.engine.slimming import slim
    from replenit_destination.targets.replenit.target import ReplenitTarget

    specs = ReplenitTarget(config.target_settings()).entities
    mapping = config.delivery_mapping().entities(specs, presets=PRESETS)
    files.scratch.mkdir(mode=0o700, exist_ok=True)
    copy = files.scratch / "staging.duckdb"
    copy.unlink(missing_ok=True)
    if slim(database, copy, dataset=dataset, mapping=mapping, specs=specs):
        return copy
    _log.info("The staging database travels whole: the mapping cannot be bound, or is a query")
    return database


def refuse_left_out(setup: Setup) -> None:
    """Refuse a mapping that reads what a light state left out of rows that are still there.

    Raises:
        SettingsError: It names the columns.
    """
    from replenit_destination.engine.binding import Tables, bind
    from replenit_destination.engine.slimming import left_out
    from replenit_destination.exceptions import MappingError

    if setup.staged.connection is None:
        return
    found: list[str] = []
    with setup.staged.connection.cursor() as work:
        row = work.execute("SELECT current_database()").fetchone()
        tables = Tables(work, str(row[0]) if row else "", setup.staged.dataset)
        for name, mapping in setup.mapping.items():
            try:
                bound = bind(work, {name: mapping}, setup.target.entities, tables)
            except MappingError:
                continue  # the run itself tells, or holds the entity
            for entity in bound.values():
                found += left_out(work, tables, entity)
    if found:
        message = (
            f"mapping: it reads {', '.join(f'`{one}`' for one in sorted(set(found)))}, which a "
            'state stored with `state = "light"` left out of earlier rows, so documents made of '
            "them would lack it. Nothing was sent. Load these tables in full once, for instance "
            'with `pipeline.run(source, refresh="drop_resources")`, and set `state = "full"` if '
            "the mapping changes often."
        )
        raise SettingsError(message)
