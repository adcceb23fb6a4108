"""Erasures: what the vendor must be told to delete of forgotten people, until it has been.

An erasure is on record before anything of the person is purged, so that it survives a kill, a
service that is down and an empty quota. Every delivery sends what is left of them first.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from replenit_destination.engine.documents import Outcome, Removal, Verdict
from replenit_destination.engine.keyed_hash import hashed, keyed_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from replenit_destination.engine.ledger import Ledger

__all__ = ["Erased", "Erasures", "Wanted"]

_DONE = frozenset({Verdict.ACCEPTED, Verdict.UNCONFIRMED})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One document to delete at one of the ledger's accounts."""

    account: int
    entity: str
    key: str
    identifiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of one deletion; `key_hash` is the keyed one, as hexadecimal digits."""

    entity: str
    key_hash: str
    done: bool
    request_id: str
    reason: str


@dataclass
class Erasures:
    """The erasures of one ledger file; those of its account can be delivered.

    `outcomes` are those of this run.
    """

    ledger: Ledger
    outcomes: list[Erased] = field(default_factory=list)

    def begin(
        self, names: Mapping[str, Iterable[str]], wanted: Sequence[Wanted], person: str | None
    ) -> str:
        """Record an erasure with its tombstones; return its name.

        A person who was forgotten before keeps that erasure's name, and its moment becomes now.

        Args:
            names: Vendor field → values that name the person.
            wanted: What is to be deleted; what is on record already is not recorded twice.
            person: The key of the person's own document, where it is known.
        """
        connection, schema = self.ledger.connection, self.ledger.schema
        pairs = [(name, value) for name, values in names.items() for value in values]
        hashes = hashed(self.ledger, [value for _, value in pairs])
        connection.execute("BEGIN")
        found = connection.execute(
            f"SELECT min(erasure) FROM {schema}.tombstone WHERE list_contains(?, hash)",
            [list(hashes.values())],
        ).fetchone()
        erasure = (found and found[0]) or uuid.uuid4().hex
        now = datetime.fromtimestamp(self.ledger.clock.now(), UTC)
        connection.execute(f"DELETE FROM {schema}.erasure WHERE erasure = ?", [erasure])
        connection.execute(f"INSERT INTO {schema}.erasure VALUES (?, ?, NULL)", [erasure, now])
        for name, value in pairs:
            mine = [name, hashes[value]]
            connection.execute(f"DELETE FROM {schema}.tombstone WHERE field = ? AND hash = ?", mine)
            connection.execute(
                f"INSERT INTO {schema}.tombstone VALUES (?, ?, ?, ?)", [erasure, *mine, now]
            )
        of = hashed(self.ledger, [person])[person] if person else None
        for one in wanted:
            connection.execute(
                f"DELETE FROM {schema}.erasure_item WHERE account = ? AND entity = ? AND key = ?",
                [one.account, one.entity, one.key],
            )
            connection.execute(
                f"INSERT INTO {schema}.erasure_item VALUES (?, ?, ?, ?, ?, ?, NULL)",
                [erasure, one.account, one.entity, one.key, [*map(list, one.identifiers)], of],
            )
        connection.execute("COMMIT")
        return str(erasure)

    def known_keys(self, values: Iterable[str]) -> dict[str, list[str]]:
        """Return entity → keys still to be deleted of a person, named by any identifier."""
        rows = self.ledger.connection.execute(
            f"SELECT entity, key FROM {self.ledger.schema}.erasure_item WHERE erasure IN"
            f" (SELECT erasure FROM {self.ledger.schema}.tombstone WHERE list_contains(?, hash))",
            [list(hashed(self.ledger, values).values())],
        ).fetchall()
        found: dict[str, list[str]] = {}
        for entity, key in rows:
            found.setdefault(entity, []).append(key)
        return found

    def is_forgotten(self, value: str) -> bool:
        """Return whether a person has a tombstone."""
        row = self.ledger.connection.execute(
            f"SELECT count(*) FROM {self.ledger.schema}.tombstone WHERE hash = ?",
            [hashed(self.ledger, [value])[value]],
        ).fetchone()
        return row != (0,)

    def pending(self) -> Iterable[Removal]:
        """Return what this account's vendor must still delete: people before what is theirs."""
        rows = self.ledger.connection.execute(
            f"SELECT entity, key, identifiers FROM {self.ledger.schema}.erasure_item"
            " WHERE account = ? ORDER BY len(identifiers) = 0, entity, key",
            [self.ledger.account],
        ).fetchall()
        return [
            Removal(
                entity,
                key,
                urgent=True,
                erasure=True,
                identifiers=tuple((name, value) for name, value in identifiers),
            )
            for entity, key, identifiers in rows
        ]

    def left(self, erasure: str) -> list[tuple[int, int]]:
        """Return (account, documents) of what an erasure still has to delete."""
        return self.ledger.connection.execute(
            f"SELECT account, count(*) FROM {self.ledger.schema}.erasure_item WHERE erasure = ?"
            " GROUP BY 1 ORDER BY 1",
            [erasure],
        ).fetchall()

    def notices(self) -> list[str]:
        """Return in sentences what is left to do of erasures."""
        schema = self.ledger.schema
        row = self.ledger.connection.execute(
            f"SELECT (SELECT count(*) FROM {schema}.erasure_item WHERE account = ?),"
            f" (SELECT max(reason) FROM {schema}.erasure_item WHERE account = ?),"
            f" (SELECT count(*) FROM {schema}.erasure WHERE purged_at IS NULL)",
            [self.ledger.account, self.ledger.account],
        ).fetchone()
        waiting, reason, cut_off = row or (0, None, 0)
        found = []
        if waiting:
            why = f" ({reason})" if reason else ""
            found.append(
                f"{waiting} documents of forgotten people are still to be deleted{why}; "
                "every push sends that first"
            )
        if cut_off:
            found.append(
                f"{cut_off} erasures were cut off before all that is kept here was purged; "
                "run `dlt replenit forget` for the same people again"
            )
        return found

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of deletions; one that is done leaves its hash in the log only."""
        connection, schema = self.ledger.connection, self.ledger.schema
        where = "account = ? AND entity = ? AND key = ?"
        for outcome in outcomes:
            item, done = outcome.item, outcome.verdict in _DONE
            place = [self.ledger.account, item.entity, item.key]
            name = hashed(self.ledger, [item.key])[item.key].hex()
            reason = "" if done else outcome.reason or str(outcome.verdict)
            self.outcomes.append(Erased(item.entity, name, done, outcome.request_id, reason))
            if not done:
                connection.execute(
                    f"UPDATE {schema}.erasure_item SET reason = ? WHERE {where}", [reason, *place]
                )
                continue
            connection.execute("BEGIN")
            connection.execute(
                f"INSERT INTO {schema}.delivery_log BY NAME\n"
                "SELECT to_timestamp(?) AS moment, account, ? AS run, entity,\n"
                f"  {keyed_hash(schema, 'key')} AS key_hash, person, 'erase' AS action,\n"
                "  ? AS verdict, ? AS request_id\n"
                f"FROM {schema}.erasure_item WHERE {where}",
                [
                    self.ledger.clock.now(),
                    self.ledger.run,
                    str(outcome.verdict),
                    outcome.request_id,
                    *place,
                ],
            )
            connection.execute(f"DELETE FROM {schema}.erasure_item WHERE {where}", place)
            connection.execute("COMMIT")
            self.ledger.file.purged = True
