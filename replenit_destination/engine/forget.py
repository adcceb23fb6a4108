"""Erases one person, at the vendor and in the databases; what is left afterwards names nobody.

    find ─ record (tombstones, what to delete) ─ delete at the vendor ─ purge rows ─ rewrite files

Each step is on record before the next begins, so that an erasure that was cut off is finished by
running it again, and what the vendor could not be told is sent first by every later push.
"""

from __future__ import annotations

import uuid
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import duckdb

from replenit_destination.engine.binding import Tables, bind
from replenit_destination.engine.books import Books
from replenit_destination.engine.delivery import Delivery
from replenit_destination.engine.erasures import Erasures, Wanted
from replenit_destination.engine.keyed_hash import hashed, plain
from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.lessons import Lessons
from replenit_destination.engine.options import PushOptions
from replenit_destination.engine.person import find_person
from replenit_destination.engine.purge import purge_ledger, purge_staged
from replenit_destination.engine.receipt import Receipt
from replenit_destination.engine.run import remember
from replenit_destination.engine.sql import relation
from replenit_destination.engine.validation import Links
from replenit_destination.engine.workplace import windows_of, workplace
from replenit_destination.exceptions import DeliveryError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from random import Random

    from replenit_destination.engine.clock import Clock
    from replenit_destination.engine.mapping import EntityMapping
    from replenit_destination.engine.person import Person
    from replenit_destination.engine.quota import Quota
    from replenit_destination.engine.staging import Staged
    from replenit_destination.engine.target import EntitySpec, Target, Transport

__all__ = ["conclude_erasure", "erase"]


def erase(
    staged: Staged,
    target: Target,
    mapping: Mapping[str, EntityMapping],
    given: Mapping[str, str],
    *,
    transport: Transport | None,
    ledger: Path,
    clock: Clock,
    random: Random,
    options: PushOptions | None = None,
    stop: Callable[[], bool] = lambda: False,
    step: Callable[[str], None] = lambda _: None,
    quota: Quota | None = None,
) -> tuple[Receipt, list[str]]:
    """Delete a person at the vendor and from both databases.

    The ledger's file is rewritten; rewriting the staging database is for whoever opened it, and
    `conclude_erasure` is to be called last.

    Args:
        staged: The tables.
        target: The vendor.
        mapping: Entity → how its documents are made.
        given: Vendor field of people → value; at least one.
        transport: Sends requests; None keeps the deletions for the next push.
        ledger: The ledger's file.
        clock: Time.
        random: Jitter of retries.
        options: See `PushOptions`.
        stop: True ends the delivery cleanly; the purge goes on.
        step: Told the name of every step before it begins.
        quota: The account's windows; by default a file beside the ledger that processes share.

    Returns:
        The receipt, and what reports call the person's documents, for files outside the databases.

    Raises:
        SettingsError: The vendor needs an identifier that is not known.
        MappingError: The mapping does not fit the tables, so the person's rows cannot be found.
        LedgerError: The ledger or the database is in use, or newer than this program.
        StorageError: The disk is full.
    """
    options = options or PushOptions()
    specs = {spec.name: spec for spec in target.entities}
    remember(staged, target, mapping, ledger=ledger, clock=clock)  # the staging dataset is emptied
    with workplace(staged, ledger, clock=clock, options=options, stop=stop) as place:
        work = place.connection
        books = Ledger(
            place.file,
            target=target.name,
            host=target.host,
            tenant=target.tenant,
            run=uuid.uuid4().hex,
            fingerprint="",
            specs=target.entities,
            clock=clock,
        )
        lessons = Lessons(books)
        erasures = Erasures(books)
        step("find")
        books.fold()
        catalog = str((work.execute("SELECT current_database()").fetchone() or ("",))[0])
        tables = Tables(work, catalog, staged.dataset)
        if any(tables):
            work.execute(f"USE {relation(catalog, staged.dataset)}")
        bound = bind(work, mapping, target.entities, tables)
        person = find_person(work, books, specs.values(), bound, given)
        wanted = _wanted(books, erasures, person)
        step("record")
        receipt = _begin(books, erasures, person, wanted)
        if transport is not None:
            step("deliver")
            with windows_of(target, ledger.parent, quota, clock=clock, options=options) as windows:
                delivery = Delivery(
                    target,
                    transport,
                    Books(books, Links(), specs, lessons, erasures),
                    windows,
                    clock=clock,
                    random=random,
                    stop=stop,
                    limits=lessons.limits(target.limits),
                    options=options.delivery,
                )
                try:
                    delivery.deliver(erasures.pending(), label="erasures")
                except DeliveryError as error:
                    receipt.error = str(error)
        receipt.vendor = erasures.outcomes
        receipt.pending = _pending(books, erasures, receipt.erasure)
        step("staged rows")
        staging = Tables(work, catalog, staged.staging_dataset) if staged.staging_dataset else None
        purge = partial(purge_staged, work, tables, staging, mapping, bound, person)
        receipt.staged, receipt.emptied = purge()
        step("ledger")
        receipt.ledger = purge_ledger(books, person)
    return receipt, person.told_as


def conclude_erasure(ledger: Path, erasure: str, clock: Clock) -> None:
    """Note that everything kept here of a person is purged.

    Raises:
        LedgerBusyError: Another process has the ledger open.
    """
    with duckdb.connect() as connection, closing(LedgerFile(connection, ledger)) as file:
        file.connection.execute(
            f"UPDATE {file.schema}.erasure SET purged_at = to_timestamp(?) WHERE erasure = ?",
            [clock.now(), erasure],
        )


def _begin(ledger: Ledger, erasures: Erasures, person: Person, wanted: list[Wanted]) -> Receipt:
    own = sorted(person.names.get(person.people.spec.key, ()))
    erasure = erasures.begin(person.names, wanted, own[0] if own else None)
    names = [value for name in person.people.fields for value in sorted(person.names.get(name, ()))]
    hashes = hashed(ledger, names)
    return Receipt(erasure, ledger.clock.now(), tuple(hashes[name].hex() for name in names))


def _wanted(ledger: Ledger, erasures: Erasures, person: Person) -> list[Wanted]:
    """Return what must be deleted at each account of the ledger."""
    people = person.people
    mine = _own_documents(people.spec, person)
    if not mine and not any(erasures.is_forgotten(value) for value in person.values):
        other = ", ".join(sorted(set(people.fields) - {people.spec.key}))
        message = (
            f"people are deleted by {people.spec.key} here, and none is known for this {other}: "
            f"give the {people.spec.key} too"
        )
        raise SettingsError(message)
    wanted = [
        Wanted(ledger.account, people.spec.name, key, tuple(names)) for key, names in mine.items()
    ]
    known = erasures.known_keys(person.values)
    for spec, _ in people.carriers:
        keys = person.keys.setdefault(spec.name, set())
        keys |= set(known.get(spec.name, ()))
        wanted += [Wanted(ledger.account, spec.name, key) for key in sorted(keys)]
    for entity in (people.spec, *(spec for spec, _ in people.carriers)):
        names = (
            person.values if entity is people.spec else ()
        )  # an order may be called like a person
        rows = ledger.connection.execute(
            f"SELECT account, key FROM {ledger.schema}.entry WHERE account <> ? AND entity = ?"
            " AND sent AND (list_contains(?, key) OR list_contains(?, source_id))",
            [
                ledger.account,
                entity.name,
                sorted({*person.keys.get(entity.name, ()), *names}),
                sorted({*person.source_ids.get(entity.name, ()), *names}),
            ],
        ).fetchall()
        named = _first_names(person) if entity is people.spec else ()
        wanted += [Wanted(account, entity.name, key, named) for account, key in rows]
    return wanted


def _own_documents(spec: EntitySpec, person: Person) -> dict[str, list[tuple[str, str]]]:
    """Return the key of each of the person's own documents with all that identifies it."""
    fields = person.people.fields
    found: dict[str, list[tuple[str, str]]] = {}
    written = {plain(key): key for key in sorted(person.keys.get(spec.name, ()))}
    for names in sorted(person.pairs, key=str):
        known = [(name, value) for name, value in zip(fields, names, strict=True) if value]
        key = dict(known).get(spec.key)
        if key in person.names[spec.key] and len(known) > len(found.get(key, ())):
            found[key] = known
    for key in person.names[spec.key]:
        found.setdefault(key, [(spec.key, key), *_others(spec, person)])
    # As the vendor was told it: an address may have been sent with capitals.
    return {written.get(key, key): names for key, names in found.items()}


def _others(spec: EntitySpec, person: Person) -> list[tuple[str, str]]:
    return [(name, value) for name, value in _first_names(person) if name != spec.key]


def _first_names(person: Person) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, min(person.names[name])) for name in person.people.fields if person.names.get(name)
    )


def _pending(ledger: Ledger, erasures: Erasures, erasure: str) -> dict[str, int]:
    places = {
        account: f"{host} (tenant {tenant})"
        for account, host, tenant in ledger.connection.execute(
            f"SELECT account, host, tenant FROM {ledger.schema}.account"
        ).fetchall()
    }
    return {places[account]: count for account, count in erasures.left(erasure)}
