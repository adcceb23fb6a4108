"""What dlt's load packages say to the delivery: which is the last, and what it wrote.

dlt calls `complete_load` once per package, and a pipeline with two schemas makes two packages per
run. Delivery waits for the last one, so these functions read the packages' folder through dlt's own
storage class.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from dlt.common.configuration import known_sections, resolve_configuration
from dlt.common.configuration.container import Container
from dlt.common.schema.utils import get_nested_tables, get_root_table
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.load.configuration import LoaderConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dlt import Pipeline
    from dlt.common.schema import Schema
    from dlt.common.storages.load_package import PackageStorage

__all__ = ["REPORT_KEY", "LoadPackage", "mend"]

_log = logging.getLogger(__name__)

REPORT_KEY = "replenit_report"
"""Where the report of a load's delivery stands in the package's `destination_state`."""

_TABLES_KEY = "replenit_tables_written"
_STOPPED_KEY = "replenit_stopped"


class LoadPackage:
    """The package that is being completed, seen from inside `complete_load`.

    Args:
        storage: dlt's folder of packages that are normalized and not yet completed.
        load_id: The package that is being completed.
    """

    def __init__(self, storage: PackageStorage, load_id: str) -> None:
        self._storage = storage
        self._load_id = load_id

    @property
    def load_id(self) -> str:
        """The package's name, as dlt calls it."""
        return self._load_id

    @classmethod
    def current(cls) -> LoadPackage | None:
        """Return the package dlt is completing, or None outside of a load."""
        container = Container()
        if LoadPackageStateInjectableContext not in container:
            return None
        context = container[LoadPackageStateInjectableContext]
        return cls(context.storage, context.load_id)

    def is_gone(self) -> bool:
        """Return whether another process has completed it."""
        return self._load_id not in self._storage.list_packages()

    def later(self) -> str | None:
        """Return the package that will deliver this one's rows too, or None when this one must.

        dlt keeps a package in this folder until it is completed and works in the order of load ids,
        so the last one of the listing is the last to be completed, in this process or after a crash
        in the next. The staging dataset holds the evidence of hard deletes, so nothing is postponed
        beyond the moment that empties it: a later package of the same schema, or the end of this
        one where `load.truncate_staging_dataset` is set.
        """
        others = [load_id for load_id in self._storage.list_packages() if load_id > self._load_id]
        own_schema = self._storage.schema_name(self._load_id)
        if not others or any(self._storage.schema_name(other) == own_schema for other in others):
            return None
        # Partial: the paths of dlt's storages are not ours to know.
        loader = resolve_configuration(
            LoaderConfiguration(), sections=(known_sections.LOAD,), accept_partial=True
        )
        return None if loader.truncate_staging_dataset else others[-1]

    def tables_written(self, schema: Schema) -> frozenset[str]:
        """Return every table this package may have changed, with those of earlier packages.

        Nested tables count with their root: a merge or replace rewrites them even when no row
        arrived for them.
        """
        state = self._storage.get_load_package_state(self._load_id)
        jobs = self._storage.list_all_jobs_with_states(self._load_id)
        written = _with_nested(schema, {job.table_name for _, job in jobs})
        written.update(state.get("applied_dropped_tables", ()))
        written.update(state.get("applied_truncated_tables", ()))
        written.update(state.get("destination_state", {}).get(_TABLES_KEY, ()))
        return frozenset(written)

    def hand_over(self, later: str, tables: Iterable[str]) -> None:
        """Leave the names of the tables written so far with the package that will deliver them."""
        state = self._storage.get_load_package_state(later)
        kept = state.setdefault("destination_state", {})
        kept[_TABLES_KEY] = sorted({*kept.get(_TABLES_KEY, ()), *tables})
        self._storage.save_load_package_state(later, state)

    def stops_first(self) -> bool:
        """Note that this package's delivery stopped; return whether that is the first time."""
        context = Container()[LoadPackageStateInjectableContext]
        kept = context.state.setdefault("destination_state", {})
        first = not kept.get(_STOPPED_KEY)
        kept[_STOPPED_KEY] = True
        context.commit()
        return first

    def keep_report(self, report: dict[str, Any]) -> None:
        """Store the report of the delivery with the package."""
        context = Container()[LoadPackageStateInjectableContext]
        context.state.setdefault("destination_state", {})[REPORT_KEY] = report
        context.commit()


def mend(pipeline: Pipeline) -> None:
    """Take away what a kill in the middle of dlt's normalize step leaves behind.

    dlt first puts the normalized package in its place and then deletes the extracted one (its log
    says "do not kill this process"). Killed in between, every later run would fail, because the
    package's place is taken.
    """
    normalized = set(pipeline.list_normalized_load_packages())
    for load_id in normalized & set(pipeline.list_extracted_load_packages()):
        _log.warning("Package %s was normalized before a crash; its extracted copy goes", load_id)
        # No public call deletes one package.
        storage = pipeline._get_normalize_storage()  # noqa: SLF001
        storage.extracted_packages.delete_package(load_id)


def _with_nested(schema: Schema, tables: set[str]) -> set[str]:
    found = set(tables)
    for name in tables & schema.tables.keys():
        root = get_root_table(schema.tables, name)["name"] or name
        found.update(str(table["name"]) for table in get_nested_tables(schema.tables, root))
    return found
