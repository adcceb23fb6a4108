"""The log tells what was sent about a person, in the order it was sent, and names nobody."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import duckdb
import pytest

from replenit_destination.engine.delivery_log import sent_about
from replenit_destination.engine.documents import Batch, Document, Outcome, Removal, Verdict
from replenit_destination.engine.keyed_hash import hashed
from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.target import EntitySpec, FieldSpec, Kind
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADA = "ada@example.com"
SPECS = (
    EntitySpec(
        "customers",
        "Email",
        (FieldSpec("Email", Kind.TEXT), FieldSpec("News", Kind.BOOLEAN)),
        identity=("Id",),
        consents=("News", "Calls"),
    ),
    EntitySpec("orders", "Number", (FieldSpec("Email", Kind.TEXT),), link={"Email": "customers"}),
    EntitySpec("products", "Sku", ()),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with duckdb.connect() as memory, closing(LedgerFile(memory, tmp_path / "l.duckdb")) as file:
        yield opened(file)


def opened(file: LedgerFile) -> Ledger:
    facts = {"target": "t", "host": "h", "tenant": "t", "run": "run", "fingerprint": "f"}
    return Ledger(file, specs=SPECS, clock=FakeClock(), **facts)


def person(key: str = ADA, **consents: bool) -> Document:
    grants = tuple(name for name, given in consents.items() if given)
    fields = "\n".join(["Email", *sorted(consents)])
    return Document("customers", key, b"{}", 1, 1, grants=grants, fields=fields, source_id="7")


def order(number: str, of: str = ADA) -> Document:
    return Document("orders", number, b"{}", 1, 1, links=(("customers", of),))


def told(ledger: Ledger, **question: object) -> list[tuple[object, ...]]:
    ledger.fold()
    return [
        (one.entity, one.action, one.verdict, one.given, one.withheld, one.request_id)
        for one in sent_about(ledger, **question)  # type: ignore[arg-type]
    ]


def test_person_is_answered_for_with_consents_and_orders(ledger: Ledger) -> None:
    sent = [person(News=True, Calls=False), person("bob@example.com", News=True), order("1")]
    ledger.append([Outcome(one, Verdict.ACCEPTED, 1, "r-1") for one in sent])
    ledger.clock.wait(1)
    ledger.append([Outcome(Removal("orders", "1"), Verdict.ACCEPTED, 2, "r-2")])
    assert told(ledger, names=[" ADA@example.com"]) == [
        ("customers", "upsert", "accepted", ("News",), ("Calls",), "r-1"),
        ("orders", "upsert", "accepted", (), (), "r-1"),
    ]
    assert told(ledger, names=["7"])[0][0] == "customers"
    assert [one[1] for one in told(ledger, entity="orders", key="1")] == ["upsert", "delete"]


def test_log_holds_only_requests_that_were_made(ledger: Ledger) -> None:
    ledger.append(
        [
            Outcome(person("a@example.com"), Verdict.REJECTED),
            Outcome(person("b@example.com"), Verdict.UNCHANGED),
            Outcome(person("c@example.com"), Verdict.BACKLOG, 3),
            Outcome(person("d@example.com"), Verdict.QUARANTINED, 4, "r-4"),
            Outcome(Document("products", "p", b"{}", 1, 1), Verdict.ACCEPTED, 5),
        ]
    )
    ledger.fold()
    rows = ledger.connection.execute(f"FROM {ledger.schema}.delivery_log").fetchall()
    assert [row[7] for row in rows] == ["quarantined"]


def test_request_without_an_answer_is_in_doubt(ledger: Ledger) -> None:
    ledger.append([], Batch(1, "customers", (person(), person("bob@example.com"))))
    ledger.append([Outcome(person("bob@example.com"), Verdict.ACCEPTED, 2, "r-2")])
    assert told(ledger, names=[ADA]) == [("customers", "upsert", "in doubt", (), (), "")]
    assert told(ledger, names=["bob@example.com"])[0][2] == "accepted"


def test_log_names_nobody(ledger: Ledger) -> None:
    ledger.append([Outcome(person(News=True), Verdict.ACCEPTED, 1, "r-1")])
    ledger.fold()
    (row,) = ledger.connection.execute(f"FROM {ledger.schema}.delivery_log").fetchall()
    assert "ada" not in str(row)
    assert hashed(ledger, [ADA])[ADA] == row[4] == row[5]


def test_each_ledger_has_a_key_of_its_own(ledger: Ledger, tmp_path: Path) -> None:
    with duckdb.connect() as memory, closing(LedgerFile(memory, tmp_path / "2.duckdb")) as file:
        assert hashed(opened(file), [ADA]) != hashed(ledger, [ADA])


def test_log_can_be_switched_off(tmp_path: Path) -> None:
    with duckdb.connect() as memory, closing(LedgerFile(memory, tmp_path / "l.duckdb")) as file:
        file.log = False
        ledger = opened(file)
        ledger.append([Outcome(person(News=True), Verdict.ACCEPTED, 1, "r-1")])
        assert told(ledger, names=[ADA]) == []


def test_moment_limits_what_is_told(ledger: Ledger) -> None:
    ledger.append([Outcome(person(News=True), Verdict.ACCEPTED, 1, "r-1")])
    now = ledger.clock.now()
    assert len(told(ledger, names=[ADA], since=now - 1)) == 1
    assert told(ledger, names=[ADA], since=now + 1) == []
