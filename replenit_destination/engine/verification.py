"""The ledger against the source: does the vendor hold what today's rows make?

Every document is made again from the staged tables and compared with what the ledger says was
accepted; nothing is sent and nothing is written. The vendor itself cannot be asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.rehearsal import rehearsing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.holds import Held
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.rehearsal import Rehearsal
    from replenit_destination.engine.report import Report
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import Target

__all__ = ["EntityVerification", "Verification", "verify"]

SAMPLES = 10
_REFUSED = "('rejected', 'quarantined', 'suspect')"


@dataclass(frozen=True, slots=True)
class EntityVerification:
    """How one entity stands.

    `same` documents are at the vendor as the source has them. `missing` ones were never accepted,
    `differing` ones were accepted as something else or are in doubt, `surplus` ones are at the
    vendor and not in the source, `surplus_children` are lines or variants of that kind. `refused`
    ones cannot be sent as they are; `waiting` ones could not be judged, for instance orders that
    wait for a refused customer. `skipped` belong to nobody the vendor could know, and the rows of
    `purged` ones are gone for their age, which is no difference. `samples` is `missing`,
    `differing`, `surplus`, `refused` → key hashes.
    """

    same: int = 0
    missing: int = 0
    differing: int = 0
    surplus: int = 0
    surplus_children: int = 0
    refused: int = 0
    waiting: int = 0
    skipped: int = 0
    purged: int = 0
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether the vendor's side is not what the source says."""
        wrong = self.missing + self.differing + self.surplus + self.surplus_children
        return bool(wrong + self.refused + self.waiting)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "samples"}
        return {**counts, "samples": {name: list(some) for name, some in self.samples.items()}}


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found; `unreadable` entities could not be compared at all.

    Their mapping does not fit the tables any more, so they are not among `entities`.
    """

    target: str
    tenant: str
    entities: Mapping[str, EntityVerification]
    unreadable: tuple[Held, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when the ledger says what the source says, else 1."""
        return int(bool(self.unreadable) or any(one.differs for one in self.entities.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {
            "target": self.target,
            "tenant": self.tenant,
            "exit_code": self.exit_code,
            "entities": {name: one.to_dict() for name, one in sorted(self.entities.items())},
            "unreadable": [
                {"entity": one.entity, "reasons": list(one.reasons)} for one in self.unreadable
            ],
        }


def verify(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    *,
    ledger: Path,
    clock: Clock,
    options: PushOptions | None = None,
) -> Verification:
    """Compare every document that the staged tables make with what the ledger says was accepted.

    Rows that guards or holds would keep back are compared all the same.

    Args:
        staged: The tables; only read.
        target: The vendor; nothing is sent to it.
        mapping: Entity → how its documents are made, as `Mapping.entities` returns it.
        ledger: The ledger's file; only read.
        clock: Time.
        options: `entities` and `memory_limit` of them; how a push is limited makes no difference.

    Raises:
        MappingError: The mapping does not fit the tables.
        LedgerError: The ledger or the database is in use, or newer than this program.
        StorageError: The disk is full.
    """
    every = replace(
        options or PushOptions(),
        full=True,
        rerender=True,
        accept_resend=True,
        accept_schema=True,
        allow_removals=tuple(spec.name for spec in target.entities),
        max_requests=None,
        max_seconds=None,
    )
    with rehearsing(staged, target, ledger=ledger, clock=clock, options=every) as rehearsal:
        refused_before = _refused(rehearsal)
        report = rehearsal.push(mapping)
        purged = _purged(rehearsal)
        refused = _refused(rehearsal)
        unreadable = tuple(one for one in report.held if not one.accept)
        names = set(report.entities) - {one.entity for one in unreadable}
        if every.entities is not None:
            names &= set(every.entities)
        return Verification(
            report.target,
            report.tenant,
            {
                name: _of_entity(name, report, rehearsal, refused, refused_before, purged[name])
                for name in sorted(names)
            },
            unreadable,
        )


def _of_entity(
    name: str,
    report: Report,
    rehearsal: Rehearsal,
    refused: Mapping[str, set[str]],
    refused_before: Mapping[str, set[str]],
    purged: int,
) -> EntityVerification:
    one = report.entities[name]
    keys = {what: rehearsal.keys.get((name, what), []) for what in ("created", "updated")}
    # The rehearsal's service takes what the vendor has refused.
    again = {key for some in keys.values() for key in some} & refused_before.get(name, set())
    standing = refused.get(name, set()) | again
    missing = [key for key in keys["created"] if key not in again]
    differing = [key for key in keys["updated"] if key not in again]
    surplus = rehearsal.keys.get((name, "deleted"), [])
    found = {"missing": missing, "differing": differing, "surplus": surplus, "refused": standing}
    return EntityVerification(
        same=one.unchanged - purged,
        missing=len(missing),
        differing=len(differing),
        surplus=len(surplus) + sum(w.count for w in report.withheld if w.entity == name),
        surplus_children=one.children_deleted,
        refused=len(standing),
        waiting=one.backlog,
        skipped=one.skipped,
        purged=purged,
        samples={what: _samples(name, some) for what, some in found.items() if some},
    )


def _samples(entity: str, keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(key_hash(entity, key) for key in sorted(keys)[:SAMPLES])


def _purged(rehearsal: Rehearsal) -> Counter[str]:
    """Return entity → documents whose rows are purged, after the comparison in the copy."""
    with rehearsal.opened() as (file, account):
        rows = file.connection.execute(
            f"SELECT entity, count(*) FROM {file.schema}.entry"
            " WHERE account = ? AND purged_at IS NOT NULL GROUP BY ALL",
            [account],
        ).fetchall()
    return Counter(dict(rows))


def _refused(rehearsal: Rehearsal) -> dict[str, set[str]]:
    """Return entity → keys of what stands refused in the copy."""
    found: dict[str, set[str]] = {}
    with rehearsal.opened() as (file, account):
        rows = file.connection.execute(
            f"SELECT entity, key FROM {file.schema}.entry"
            f" WHERE account = ? AND refusal IN {_REFUSED}",
            [account],
        ).fetchall()
    for entity, key in rows:
        found.setdefault(entity, set()).add(key)
    return found
