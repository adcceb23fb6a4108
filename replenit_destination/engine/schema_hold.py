"""The hold on schema drift: a source that changes its shape must not empty the vendor's documents.

`real-shops.md` rules 5 and 19. An entity is held when its tables are not what its mapping was last
let read (`drift`), or when one field changes in more than 10 % of what the vendor has, and in more
than 50 documents (`marks`). Its upserts and deletes wait; other entities go on. A person's
withdrawal of consent still travels, unless that consent is what drifted; so does an erasure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.binding import bind
from replenit_destination.engine.bound import Notice
from replenit_destination.engine.drift import Drift, Finding, KnownColumns, Seen
from replenit_destination.engine.expressions import ExpressionError, Parser
from replenit_destination.engine.holds import RESEND, SCHEMA, Held, priced
from replenit_destination.engine.marks import Marks
from replenit_destination.engine.readings import readings
from replenit_destination.engine.sql import literal
from replenit_destination.exceptions import MappingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from replenit_destination.engine.binding import Bindings, BoundEntity
    from replenit_destination.engine.diff import Comparison
    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.options import PushOptions
    from replenit_destination.engine.tables import Tables
    from replenit_destination.engine.target import EntitySpec, Target

__all__ = ["SchemaHold"]

SHARE = 0.10
FLOOR = 50
"""So many changes of one field a person may well have made in a day, whatever their share."""

CONSENT_FLOOR = 10
"""So many people who lose a consent to an empty value, and nobody of the run who keeps it."""

ACCEPT = "accept_schema"

_HELD = "held"
"""The fact that an entity was held for its tables: withdrawals travelled as the drift left them."""


@dataclass
class SchemaHold:
    """Finds what drifted, keeps it back, and remembers what was let through.

    Args:
        work: The connection with the temp tables `pending` and `gone`.
        ledger: The account's ledger.
        target: Whose entities, and whose quota gives the price.
        tables: The staged dataset.
        options: `accept_schema`, `bulk_changes` and `quota_share` of them.
    """

    work: duckdb.DuckDBPyConnection
    ledger: Ledger
    target: Target
    tables: Tables
    options: PushOptions
    unbound: dict[str, Held] = field(default_factory=dict)
    """Entities whose mapping does not fit the tables any more: they cannot even be compared."""

    def __post_init__(self) -> None:
        self._parser = Parser(self.work)
        self._known = KnownColumns(self.work, self.ledger, self.tables.schema)
        self._notices: list[Notice] = []
        self._findings: dict[str, list[Finding]] = {}
        self._now: dict[str, Seen] = {}
        self._mapping: Mapping[str, EntityMapping] = {}

    def bind(self, mapping: Mapping[str, EntityMapping]) -> Bindings:
        """Bind what fits the tables, and find how they differ from what was last let read.

        Raises:
            MappingError: The mapping does not fit the tables, and it is not they that changed.
        """
        self._mapping = mapping
        for name, one in mapping.items():
            self._look(name, one)
        try:
            return self._bound(mapping)
        except MappingError as error:
            fits = {name: one for name, one in mapping.items() if self._fits(name, one)}
            if len(fits) == len(mapping) or not self._is_drift(mapping.keys() - fits.keys()):
                raise
            self._hold_unbound(mapping.keys() - fits.keys(), error)
        return self._bound(fits)

    def _bound(self, mapping: Mapping[str, EntityMapping]) -> Bindings:
        bound = bind(self.work, mapping, self.target.entities, self.tables)
        bound.notices += tuple(self._notices)
        return bound

    def drifted(self, entity: str) -> bool:
        """Whether the tables of an entity are known to have changed, and nobody let that pass."""
        return bool(self._findings.get(entity)) and not self.options.accept_schema

    def reasons(self, entity: str) -> list[str]:
        """Return how the tables of an entity have changed, a sentence each."""
        return [one.reason for one in self._findings.get(entity, [])]

    def recovered(self, entity: str) -> str:
        """Return why an entity must be compared as a whole, although few of its rows were loaded.

        The tables of a held entity came right; or the mapping reads a column that was not there
        when it was last read, and rows that no load has brought since may have their value in it.
        """
        seen, now = self._known.of(entity), self._now[entity]
        if self._findings.get(entity):
            return ""
        if _HELD in now.facts:
            return "its tables came right"
        came = now.read.keys() - seen.read.keys()
        return "a column came to be" if came and seen.mapping == now.mapping else ""

    def compared(self, entity: str, compare: Callable[[], Comparison]) -> Comparison | None:
        """Return what a comparison finds, None where a column that drifted cannot be computed with.

        Raises:
            MappingError: A value cannot be computed with, and the tables are what they were.
        """
        try:
            return compare()
        except MappingError as error:
            if not self._findings.get(entity):
                raise
            self._hold_unbound({entity}, error)
        for table in ("pending", "gone"):
            self.work.execute(f"DELETE FROM {table} WHERE entity = ?", [entity])
        return None

    def hold(
        self, bound: Mapping[str, BoundEntity], counts: Mapping[str, Mapping[str, int]]
    ) -> list[Held]:
        """Take what must wait out of `pending` and `gone`; return what was held.

        Args:
            bound: The compared entities.
            counts: Entity → what the vendor holds, `sent` documents among it.
        """
        waiting = []
        for name, entity in bound.items():
            of = counts.get(name, {}).get("sent", 0)
            marks = self._marks(entity, of)
            findings = [*self._findings.get(name, []), *self._shifts(entity, marks, of)]
            if findings and not self.options.accept_schema:
                if self._findings.get(name):
                    before = self._known.of(name)
                    self._known.keep(name, replace(before, facts=before.facts | {_HELD}))
                documents = self._put_aside(entity.spec, self._suspects(entity.spec, findings))
                waiting.append(self._held(name, documents, of, findings))
            else:
                if marks:
                    marks.let_through()
                if not self.options.named:  # which says nothing of the other rows
                    self._remember(name, findings)
        for name, one in self.unbound.items():
            waiting.append(replace(one, of=counts.get(name, {}).get("sent", 0)))
        return waiting

    # -- the tables -------------------------------------------------------------------------------

    def _look(self, name: str, mapping: EntityMapping) -> None:
        if mapping.table and self.tables.find(mapping.table) is None:
            return
        seen, query = self._known.of(name), self._query(mapping)
        drift = Drift(self.work, self.tables, readings(self._parser, mapping), query)
        found = drift.findings(seen)
        few = [one for one in found if self._is_bad_value(name, one)]
        self._findings[name] = [one for one in found if one not in few]
        self._notices += [
            Notice(name, f"{one.reason}, so few are left to themselves") for one in few
        ]
        shape = f"{self.target.fingerprint} {mapping!r}"
        digest = hashlib.sha256(shape.encode()).hexdigest()[:32]
        read = drift.read()
        accepted = {place: kind for place, kind in seen.accepted.items() if place not in read}
        self._now[name] = Seen(read, accepted, seen.facts, digest)

    def _is_bad_value(self, name: str, finding: Finding) -> bool:
        """Whether values in a new place are a few bad ones among good ones, and no consents.

        When a column changes its type, most of what is loaded from then on is of the new one. One
        bad value must not hold the good documents; its own is refused, or goes without it.
        """
        spec = next(spec for spec in self.target.entities if spec.name == name)
        few = 0 < finding.strays < FLOOR and 2 * finding.strays < finding.loaded
        return few and not set(finding.uses) & set(spec.consents)

    def _query(self, mapping: EntityMapping) -> str | None:
        """Return the entity's query, None where it has none or it cannot be run."""

        def relation(name: str) -> str | None:
            table = self.tables.find(name)
            return self.tables.relation(table) if table else None

        if mapping.query is None:
            return None
        try:
            query = self._parser.query(mapping.query, relation)
            self.work.execute(f"DESCRIBE {query}")
        except (ExpressionError, duckdb.Error):
            return None
        return query

    def _fits(self, name: str, mapping: EntityMapping) -> bool:
        try:
            bind(self.work, {name: mapping}, self.target.entities, self.tables)
        except MappingError:
            return False
        return True

    def _is_drift(self, entities: set[str]) -> bool:
        """Whether the tables changed under every one of these, and not its mapping."""
        return all(
            self._findings.get(name)
            or (name in self._now and self._known.of(name).mapping == self._now[name].mapping)
            for name in entities
        )

    def _hold_unbound(self, entities: set[str], error: MappingError) -> None:
        for name in sorted(entities):
            faults = [
                str(fault)
                for fault in error.faults
                if re.match(rf"{re.escape(name)}\b", fault.place)
            ]
            reasons = [one.reason for one in self._findings.get(name, [])] + faults
            self.unbound[name] = self._held(
                name, 0, 0, [Finding(reason, ()) for reason in reasons], accept=""
            )

    # -- the documents ----------------------------------------------------------------------------

    def _marks(self, entity: BoundEntity, of: int) -> Marks | None:
        """Return the marks of the entity's changed rows, None where there are none."""
        name = entity.spec.name
        row = self.work.execute(
            "SELECT (SELECT count(*) FROM pending WHERE entity = $1),"
            " (SELECT count(*) FROM gone WHERE entity = $1)",
            [name],
        ).fetchone()
        changed, gone = row or (0, 0)
        if not changed + gone:
            return None
        documents = max(changed, of)
        return Marks(self.work, self.ledger, entity, self._mapping[name], documents)

    def _shifts(self, entity: BoundEntity, marks: Marks | None, of: int) -> list[Finding]:
        """Return the fields that change in too many documents at once."""
        name = entity.spec.name
        updates = "SELECT count(*) FROM pending WHERE entity = ? AND sent AND NOT resend"
        if marks is None or self._count(updates, name) < CONSENT_FLOOR:
            return []
        found = []
        about = "about " if marks.every > 1 else ""
        for shift in marks.shifts():
            bulk = f"{name}.{shift.field}" in self.options.bulk_changes
            count = shift.emptied if bulk else shift.changed
            if count > FLOOR and count > of * SHARE:
                into = f", in {shift.emptied} of them to nothing" if shift.emptied else ""
                reason = f"{shift.field} changes in {about}{shift.changed} of {of} documents{into}"
                found.append(Finding(reason, (shift.field,)))
        shown = {use for one in found for use in one.uses}
        for consent in entity.spec.consents:
            if consent in marks.names and consent not in shown:
                found += self._lost(entity.spec, consent, of)
        return found

    def _lost(self, spec: EntitySpec, consent: str, of: int) -> list[Finding]:
        """Return whether too many people lose a consent, whatever mapping they were seen through.

        An empty value is told from a clear no: where everyone of the run who had given the consent
        has nothing there now, it is not people who withdrew it. Not counted is who an earlier run
        let through and could not send.
        """
        now = _today(consent)
        row = self.work.execute(
            f"SELECT count(*) FILTER (WHERE {now} IS DISTINCT FROM 'true'),"
            f" count(*) FILTER (WHERE {now} IS NULL), count(*)"
            " FROM pending WHERE entity = ? AND sent AND NOT resend AND list_contains(grants, ?)"
            f" AND key NOT IN (SELECT key FROM {self.ledger.schema}.entry"
            "  WHERE account = ? AND entity = ? AND backlog <> ?)",
            [spec.name, consent, self.ledger.account, spec.name, SCHEMA],
        ).fetchone()
        lost, empty, had = row or (0, 0, 0)
        if lost > FLOOR and lost > of * SHARE:
            return [Finding(f"{lost} of {of} people would lose {consent}", (consent,))]
        if CONSENT_FLOOR <= empty == had and consent not in self._now[spec.name].facts:
            reason = f"{consent} is empty for every one of the {had} people of this run who had it"
            return [Finding(reason, (consent,), fact=consent)]
        return []

    def _count(self, query: str, *values: object) -> int:
        row = self.work.execute(query, list(values)).fetchone()
        return int(row[0]) if row else 0

    def _suspects(self, spec: EntitySpec, findings: list[Finding]) -> set[str]:
        """Return the consents that may be lost to the drift alone."""
        drifted = {use for one in findings for use in one.uses} & set(spec.consents)
        # What follows from other consents by a rule is lost with them.
        return drifted | (set(self._mapping[spec.name].rules) if drifted else set())

    def _put_aside(self, spec: EntitySpec, suspects: set[str]) -> int:
        """Leave the entity's documents and removals to a later run; return how many."""
        safe = [name for name in spec.consents if name not in suspects]
        withdrawn = " OR ".join(
            f"(list_contains(grants, {literal(name)}) AND {_today(name)} IS DISTINCT FROM 'true')"
            for name in safe
        )
        waits = f"entity = {literal(spec.name)} AND NOT (urgent AND ({withdrawn or 'false'}))"
        removals = f"entity = {literal(spec.name)}"
        if spec.consents:
            removals += " AND cause <> 'destroyed'"
        entry = f"{self.ledger.schema}.entry"
        self.work.execute(
            f"INSERT INTO {entry} BY NAME\n"
            f"SELECT {self.ledger.account} AS account, entity, key, source_id, false AS sent,\n"
            f"  '{SCHEMA}' AS backlog\n"
            f"FROM pending WHERE {waits} AND NOT EXISTS (SELECT 1 FROM {entry} AS known\n"
            f"  WHERE known.account = {self.ledger.account} AND known.entity = pending.entity\n"
            "    AND known.key = pending.key)"
        )
        for kind, rows in (
            (SCHEMA, f"SELECT key FROM pending WHERE {waits} AND NOT resend"),
            (RESEND, f"SELECT key FROM pending WHERE {waits} AND resend"),
            (SCHEMA, f"SELECT key FROM gone WHERE {removals}"),
        ):
            self.work.execute(
                f"UPDATE {entry} SET backlog = ? WHERE account = ? AND entity = ?"
                f" AND backlog IS NULL AND key IN ({rows})",
                [kind, self.ledger.account, spec.name],
            )
        count = 0
        for table, rows in (("pending", waits), ("gone", removals)):
            row = self.work.execute(f"DELETE FROM {table} WHERE {rows}").fetchone()
            count += int(row[0]) if row else 0
        return count

    def _held(
        self, name: str, documents: int, of: int, findings: list[Finding], accept: str = ACCEPT
    ) -> Held:
        reasons = tuple(dict.fromkeys(one.reason for one in findings))
        share = self.options.quota_share
        return priced(
            self.target, name, documents, of, share, kind=SCHEMA, reasons=reasons, accept=accept
        )

    def _remember(self, name: str, findings: list[Finding]) -> None:
        seen = self._now[name]
        accepted, facts = dict(seen.accepted), set(seen.facts)
        for one in findings:
            accepted |= one.new
            facts |= {one.fact}
        self._known.keep(
            name, replace(seen, accepted=accepted, facts=frozenset(facts - {"", _HELD}))
        )


def _today(consent: str) -> str:
    """Return SQL for a consent's value in a row of `pending`, as text."""
    return f"(document ->> {literal('$.' + consent)})"
