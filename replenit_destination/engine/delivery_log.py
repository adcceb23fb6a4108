"""What was sent about whom, and when: appended at each fold, never changed, naming nobody.

Documents of people and those that belong to them are logged by keyed hashes, so that the log stays
when a person is forgotten, and still answers for that person when asked with their address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.keyed_hash import keyed_hash
from replenit_destination.engine.people import people_of
from replenit_destination.engine.sql import literal, queries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.target import EntitySpec

__all__ = ["DeliveryLog", "Sent", "sent_about"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request's part that was about a person.

    `moment` is in Unix seconds. `action` is upsert, delete, delete_child or erase. `given` and
    `withheld` are the consents as they were sent; empty for what has none. `key_hash` is the keyed
    one. `verdict` is what the vendor answered; `in doubt`: no answer is on record.
    """

    moment: float
    entity: str
    key_hash: str
    action: str
    verdict: str
    given: tuple[str, ...]
    withheld: tuple[str, ...]
    request_id: str
    run: str
    load_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return the documented keys."""
        return {name: getattr(self, name) for name in self.__slots__}


class DeliveryLog:
    """Appends to the log what a fold has at hand.

    Args:
        specs: The target's entities.
    """

    def __init__(self, specs: Iterable[EntitySpec]) -> None:
        people = people_of(specs)
        self.people = frozenset(one.spec.name for one in people)
        self._carriers = sorted({spec.name for one in people for spec, _ in one.carriers})
        self._consents = {one.spec.name: one.spec.consents for one in people}

    def append(self, ledger: Ledger, intents: str, outcomes: str, part: str) -> None:
        """Append what intents and outcomes tell of requests; inside the fold's transaction."""
        if not self.people:
            return
        consents = " ".join(
            f"WHEN {literal(name)} THEN [{', '.join(map(literal, names))}]"
            for name, names in self._consents.items()
        )
        values = {
            "{ledger}": ledger.schema,
            "{intents}": intents,
            "{outcomes}": outcomes,
            "{part}": part,
            "{people}": _listed(self.people),
            "{carriers}": _listed(self._carriers),
            "{entities}": _listed([*self.people, *self._carriers]),
            "{consents}": f"CASE entity {consents} END",
            "{key_hash}": keyed_hash(ledger.schema, "key"),
            "{person_hash}": keyed_hash(ledger.schema, "person"),
        }

        def run(name: str) -> tuple[int, ...]:
            statement = queries("replenit_destination.engine", "delivery_log.sql")[name]
            for mark, value in values.items():
                statement = statement.replace(mark, value)
            return ledger.connection.execute(statement).fetchone() or (0,)

        run("append_people")
        if self._carriers:
            run("append_carriers")
        if run("unanswered") != (0,):
            run("append_doubts")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(literal, sorted(names)))


def sent_about(
    ledger: Ledger,
    *,
    names: Iterable[str] = (),
    entity: str = "",
    key: str = "",
    since: float | None = None,
) -> list[Sent]:
    """Return what this account's vendor was sent, the oldest first.

    Args:
        ledger: Folded.
        names: Addresses or ids of one person: what was sent about them and what is theirs, also
            after they were forgotten.
        entity: With `key`, one document.
        key: Its key.
        since: Unix seconds; what was sent before is left out.
    """
    statement = queries("replenit_destination.engine", "delivery_log.sql")["sent"]
    values = {
        "{ledger}": ledger.schema,
        "{name_hash}": keyed_hash(ledger.schema, "name"),
        "{known_hash}": keyed_hash(ledger.schema, "entry.key"),
        "{id_hash}": keyed_hash(ledger.schema, "entry.source_id"),
        "{key_hash}": keyed_hash(ledger.schema, "$key"),
    }
    for mark, value in values.items():
        statement = statement.replace(mark, value)
    rows = ledger.connection.execute(
        statement,
        {
            "account": ledger.account,
            "names": sorted({name for name in names if name}),
            "entity": entity,
            "key": key,
            "since": since or 0.0,
        },
    ).fetchall()
    return [
        Sent(
            moment,
            of,
            key_hash,
            action,
            verdict,
            tuple(given or ()),
            tuple(withheld or ()),
            request_id or "",
            run,
            load_id or "",
        )
        for moment, of, key_hash, action, verdict, given, withheld, request_id, run, load_id in rows
    ]
