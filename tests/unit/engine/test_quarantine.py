"""Choosing and exporting what stands refused."""

from __future__ import annotations

import csv
import json
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from replenit_destination.engine.quarantine import Chosen, Refused, export

if TYPE_CHECKING:
    from pathlib import Path

ONE = Refused(
    entity="customers",
    key="ada@example.com",
    state="quarantined",
    field="Phone",
    reason="is no number",
    words="Invalid phone",
    attempts=2,
    since="2026-11-21T10:00:00Z",
    request_id="r-1",
    sent=False,
)
OTHER = replace(ONE, entity="orders", key="1001", field="Currency", reason="is no currency")


@pytest.mark.parametrize(
    ("chosen", "holds"),
    [
        (Chosen(), True),
        (Chosen(entities=["customers"]), True),
        (Chosen(entities=["orders"]), False),
        (Chosen(keys=[" ADA@example.com "]), True),
        (Chosen(keys=[ONE.key_hash]), True),
        (Chosen(keys=[ONE.key_hash[:8].upper()]), True),
        (Chosen(keys=[ONE.key_hash[:4]]), False),  # too short to name one
        (Chosen(keys=["1001"]), False),
        (Chosen(reason="PHONE"), True),
        (Chosen(reason="currency"), False),
        (Chosen(entities=["customers"], reason="currency"), False),
    ],
)
def test_every_choice_must_hold(chosen: Chosen, *, holds: bool) -> None:
    assert chosen.holds(ONE) is holds


def test_no_key_is_told_unless_it_is_asked_for() -> None:
    assert "ada@example.com" not in repr(ONE)
    assert "key" not in ONE.to_dict()
    assert ONE.to_dict(show=True)["key"] == "ada@example.com"


@pytest.mark.parametrize("name", ["refused.jsonl", "refused.csv"])
def test_file_is_for_its_owner_and_holds_no_keys(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    path.chmod(0o644)
    assert export(path, [ONE, OTHER]) == 2
    text = path.read_text(encoding="utf-8")
    assert ONE.key_hash in text
    assert "ada@example.com" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_documents_are_exported_when_asked_for(tmp_path: Path) -> None:
    documents = {("customers", "ada@example.com"): {"Phone": "über 9000"}}
    lines = tmp_path / "refused.jsonl"
    export(lines, [ONE, OTHER], show=True, documents=documents)
    first, second = map(json.loads, lines.read_text(encoding="utf-8").splitlines())
    assert (first["document"], second["document"]) == ({"Phone": "über 9000"}, None)
    sheet = tmp_path / "refused.csv"
    export(sheet, [ONE], show=True, documents=documents)
    (row,) = csv.DictReader(sheet.read_text(encoding="utf-8").splitlines())
    assert json.loads(row["document"]) == {"Phone": "über 9000"}
