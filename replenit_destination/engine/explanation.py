"""Why a document is at the vendor, or is not: from staged rows to what was accepted.

    staged rows ─► key, filter ─► document ─► verdict of today
                                                    │
    ledger's entry: accepted when, refused why ─────┴─► conclusion, in sentences

Reads only. What is told holds no content unless it is asked for: names of fields, hashes, counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from replenit_destination.engine.assembly import LINE, Assembly
from replenit_destination.engine.binding import Tables, bind
from replenit_destination.engine.conclusions import conclusions
from replenit_destination.engine.documents import Document, Outcome, Verdict
from replenit_destination.engine.explain import explain_sql
from replenit_destination.engine.explained import Explanation, StagedRow
from replenit_destination.engine.sql import computed, literal, nearest, relation
from replenit_destination.engine.tables import LOAD_ID
from replenit_destination.engine.validation import Links, Row, Validation
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replenit_destination.engine.bound import BoundEntity
    from replenit_destination.engine.documents import Removal
    from replenit_destination.engine.ledger_view import LedgerView
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import EntitySpec, Target

__all__ = ["Explainer"]

_OF_ROW = ("key", "source_id", "source_hash", "source_rows", "document")
_OF_ENTRY = ("content_hash", "children", "lines", "fields", "body", "grants", "withdrawn_at")


class Explainer:
    """Explains documents of one entity.

    Args:
        staged: The tables; a connection is lent.
        target: The vendor.
        mapping: Entity → how its documents are made.
        entity: Which one.
        view: The ledger; None where there is none yet.
        now: Unix seconds.

    Raises:
        SettingsError: The mapping does not have the entity.
        MappingError: The mapping does not fit the tables.
    """

    def __init__(
        self,
        staged: Staged,
        target: Target,
        mapping: Mapping[str, EntityMapping],
        entity: str,
        view: LedgerView | None,
        *,
        now: float,
    ) -> None:
        if entity not in mapping:
            near = nearest(entity, mapping)
            hint = f" (did you mean `{near}`?)" if near else ""
            message = f"no entity `{entity}` in the mapping{hint}; it has {', '.join(mapping)}"
            raise SettingsError(message)
        assert staged.connection is not None  # noqa: S101 - commands lend theirs
        self._work = staged.connection.cursor()
        self._target = target
        self._specs: dict[str, EntitySpec] = {spec.name: spec for spec in target.entities}
        self._entity = entity
        self._view = view
        self._now = now
        catalog = str(self._one("SELECT current_database()"))
        tables = Tables(self._work, catalog, staged.dataset)
        if any(tables):
            self._work.execute(f"USE {relation(catalog, staged.dataset)}")
        found = bind(self._work, {entity: mapping[entity]}, target.entities, tables)
        self._bound = found.get(entity)
        if self._bound and self._bound.query is not None:
            self._work.execute(f"CREATE OR REPLACE TEMP TABLE queried AS {self._bound.query}")

    def sql(self) -> str:
        """Return the SQL that makes the entity's documents."""
        return explain_sql(self._bound) if self._bound else f"-- {self._entity}: no table yet\n"

    def explain(self, asked: str) -> Explanation:
        """Return all that is known of one document.

        Args:
            asked: Its key, in upper or lower case where it is an address, or its id at the source.
        """
        rows = self._rows(asked)
        key = rows[0][1] if rows else self._known_key(asked)
        found = Explanation(self._entity, key or asked.strip())
        rows = [row for row in rows if row[1] == found.key]
        found.entry = self._entry(found.key)
        if self._bound is not None and rows:
            self._stage(found, self._bound, rows)
            kept = [row[0] for row, one in zip(rows, found.staged, strict=True) if _counts(one)]
            if kept:
                computed(f"{self._entity}.fields", lambda: self._judge(found, kept))
        found.says = list(conclusions(found))
        return found

    def assembled(self, key: str) -> dict[str, Any] | None:
        """Return today's document as the mapping makes it, before any rule; None without a row."""
        rows = [row[0] for row in self._rows(key) if row[1] == key]
        if self._bound is None or not rows:
            return None
        made = self._work.execute(
            Assembly(self._bound, root=self._root(self._bound)).documents(_scope(rows))
        ).fetchone()
        document: dict[str, Any] | None = orjson.loads(made[-1]) if made else None
        if document and self._bound.spec.child:
            for child in document.get(self._bound.spec.child.property) or ():
                child.pop(LINE, None)
        return document

    # -- the source -------------------------------------------------------------------------------

    def _rows(self, asked: str) -> list[tuple[Any, ...]]:
        """Return `_row`, key, source id and whether destroyed, of rows the filter leaves out too.

        A key that matches goes before a source id that does.
        """
        if self._bound is None:
            return []
        names = {asked, asked.strip(), asked.strip().lower()}
        listed = ", ".join(literal(name) for name in sorted(names))
        rows = self._work.execute(
            f"SELECT _row, key, source_id, destroyed FROM ({self._unfiltered(self._bound).keyed()})"
            f" WHERE key IN ({listed}) OR CAST(source_id AS VARCHAR) IN ({listed}) ORDER BY 1"
        ).fetchall()
        by_key = [row for row in rows if row[1] in names]
        return by_key or [row for row in rows if row[1] is not None]

    @staticmethod
    def _root(bound: BoundEntity) -> str | None:
        return "queried" if bound.query is not None else None

    def _unfiltered(self, bound: BoundEntity) -> Assembly:
        everything = replace(
            bound, root=replace(bound.root, where=None), keyed=replace(bound.keyed, where=None)
        )
        return Assembly(everything, root=self._root(bound))

    def _stage(self, found: Explanation, bound: BoundEntity, rows: list[tuple[Any, ...]]) -> None:
        assembly = Assembly(bound, root=self._root(bound))
        scope = _scope([row[0] for row in rows])
        kept = {row[0] for row in self._work.execute(assembly.keyed(scope)).fetchall()}
        counted = {
            row[0]: row[1]
            for row in self._work.execute(
                f"SELECT _row, source_rows FROM ({self._unfiltered(bound).documents(scope)})"
            ).fetchall()
        }
        for row, _, source_id, destroyed in rows:
            cursor = self._work.execute(f"SELECT * FROM {assembly.relation} WHERE rowid = {row}")
            names = [column[0] for column in cursor.description or ()]
            values = dict(zip(names, cursor.fetchone() or (), strict=False))
            load_id = str(values.get(LOAD_ID) or "")
            shown = {name: value for name, value in values.items() if not name.startswith("_dlt_")}
            found.staged.append(
                StagedRow(
                    table=bound.root.table or "(query)",
                    source_id=str(source_id),
                    load_id=load_id,
                    children=counted.get(row, 0),
                    filtered=row not in kept,
                    destroyed=bool(destroyed),
                    values=shown,
                )
            )

    # -- the document -----------------------------------------------------------------------------

    def _judge(self, found: Explanation, rows: list[int]) -> None:
        bound = self._bound
        assert bound is not None  # noqa: S101 - for the type checker
        assembly = Assembly(bound, root=self._root(bound))
        if len(rows) > 1:
            ranked = self._work.execute(
                f"SELECT _row, place, identities FROM ({assembly.ranked(_scope(rows))})"
            ).fetchall()
            if bound.root.order is None or any(row[2] > 1 for row in ranked):
                found.verdict, found.culprit = Verdict.REJECTED.value, bound.spec.key
                found.reason = f"{len(rows)} rows of the source share it"
                return
            rows = [row[0] for row in ranked if row[1] == 1]
        made = self._work.execute(
            "SELECT key, source_id, md5_number_lower(document), source_rows, document"
            f" FROM ({assembly.documents(_scope(rows))})"
        ).fetchone()
        if made is None:
            return
        entry = found.entry or {}
        listener = _Listener()
        validation = Validation(self._target, listener, self._links(), now=self._now)  # type: ignore[arg-type]  # it hears what a run's books do
        row = Row._make(
            {
                **dict.fromkeys(Row._fields),
                **{name: entry.get(name) for name in _OF_ENTRY},
                "entity": self._entity,
                **dict(zip(_OF_ROW, made, strict=True)),
                "urgent": False,
                "sent": bool(entry.get("sent")),
            }.values()
        )
        document = next(validation.documents(iter([row])), None)
        outcome = listener.outcomes[-1] if listener.outcomes else None
        if document is None and outcome and isinstance(outcome.item, Document):
            document = outcome.item if outcome.item.body else None
        if document is not None:
            found.payload = orjson.loads(document.body)
            found.content_hash = document.content_hash
        found.verdict = outcome.verdict.value if outcome else "ready"
        if outcome:
            found.culprit, found.reason = outcome.field, outcome.reason
        found.notes = [
            f"{what} {name}: {reason}" for _, what, name, reason in validation.notes.counts
        ]

    def _links(self) -> Links:
        """Return what a run would know of the documents that this one points to."""
        links = Links()
        if self._view is None:
            return links
        for name, spec in self._specs.items():
            for row in self._view.rows(
                "SELECT key, epoch(refused_at) AS moment FROM entry WHERE account = ?"
                " AND entity = ? AND refusal <> 'skipped' AND NOT sent",
                name,
            ):
                links.refused[name, row["key"]] = row["moment"]
            if spec.gate:
                granted = self._view.rows(
                    "SELECT key FROM entry WHERE account = ? AND entity = ? AND sent"
                    " AND list_contains(grants, ?)",
                    *(name, spec.gate),
                )
                links.gated[name] = {row["key"] for row in granted}
        return links

    # -- the ledger -------------------------------------------------------------------------------

    def _known_key(self, asked: str) -> str | None:
        """Return the key under which the ledger knows what no row makes any more."""
        if self._view is None:
            return None
        rows = self._view.rows(
            "SELECT key FROM entry WHERE account = ? AND entity = ?"
            " AND (key IN (?, ?) OR source_id = ?) ORDER BY key IN (?, ?) DESC LIMIT 1",
            *(self._entity, asked.strip(), asked.strip().lower(), asked.strip()),
            *(asked.strip(), asked.strip().lower()),
        )
        return rows[0]["key"] if rows else None

    def _entry(self, key: str) -> dict[str, Any] | None:
        if self._view is None:
            return None
        rows = self._view.rows(
            "SELECT entry.*, run.* EXCLUDE (run, account) FROM entry"
            " LEFT JOIN run ON run.run = entry.run AND run.account = entry.account"
            " WHERE entry.account = ? AND entry.entity = ? AND entry.key = ?",
            *(self._entity, key),
        )
        return rows[0] if rows else None

    def _one(self, query: str) -> Any:
        row = self._work.execute(query).fetchone()
        return row[0] if row else None


@dataclass
class _Listener:
    """Hears what the validation would tell a run's books."""

    outcomes: list[Outcome] = field(default_factory=list)

    def note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def expect(self, removal: Removal) -> None:
        pass


def _scope(rows: list[int]) -> str:
    return f"{{row}} IN ({', '.join(map(str, rows))})"


def _counts(row: StagedRow) -> bool:
    return not (row.filtered or row.destroyed)
