"""The sentences an explanation comes to."""

from __future__ import annotations

from typing import Any

import pytest

from replenit_destination.engine.conclusions import conclusions
from replenit_destination.engine.explained import Explanation, StagedRow

SENT = {"sent": True, "content_hash": 7, "source_hash": 9, "confirmed": True, "run": "a1"}


def row(*, filtered: bool = False, destroyed: bool = False) -> StagedRow:
    return StagedRow("orders", "1", "1700000000.5", 2, filtered, destroyed, {"id": 1})


def said(rows: list[StagedRow], entry: dict[str, Any] | None, verdict: str = "ready") -> str:
    found = Explanation("orders", "1", staged=rows, verdict=verdict, entry=entry)
    if verdict in {"rejected", "skipped", "backlog"}:
        found.culprit, found.reason = "Currency", "is no currency"
    return " ".join(conclusions(found))


@pytest.mark.parametrize(
    ("rows", "entry", "verdict", "told"),
    [
        ([], None, "", "No row of the source makes a document of orders"),
        ([], SENT, "", "a push with evidence that it was destroyed removes it"),
        ([], {**SENT, "backlog": "withheld"}, "", "a guard withholds its removal"),
        ([], {**SENT, "source_hash": 0}, "", "sent once more as not available"),
        ([], {"sent": False}, "", "never accepted by Replenit"),
        ([row(destroyed=True)], SENT, "", "destroyed at the source"),
        ([row(filtered=True)], None, "", "`where` leaves its row out"),
        ([row(filtered=True)], SENT, "", "what a filter leaves out is no deletion"),
        ([row()], None, "ready", "It was not sent yet"),
        ([row()], SENT, "ready", "Replenit has an older version"),
        ([row()], SENT, "unchanged", "Replenit has it as it is today."),
        ([row()], None, "rejected", "breaks a rule of Replenit's and is not sent: Currency"),
        ([row()], None, "skipped", "It is not sent: Currency"),
        ([row()], None, "backlog", "It waits: Currency"),
        ([row()], {"sent": False, "backlog": "paused"}, "ready", "delivery is paused; resume"),
        ([row()], {**SENT, "content_hash": None}, "ready", "Nobody knows whether"),
        ([row()], {**SENT, "confirmed": False}, "unchanged", "push --confirm looks again"),
        ([row()], {**SENT, "confirmed": False, "run": "adopted-1"}, "unchanged", "It was adopted"),
    ],
)
def test_state_is_told(
    rows: list[StagedRow], entry: dict[str, Any] | None, verdict: str, told: str
) -> None:
    assert told in said(rows, entry, verdict)


def test_refusal_is_told_in_the_vendors_words() -> None:
    refused = {"refusal": "quarantined", "field": "Price", "reason": "is too high", "words": "no!"}
    text = said([row()], {"sent": False, **refused})
    assert "Replenit refused it: Price is too high (Replenit's words: no!)." in text
    assert "`retry`" in text


def test_row_without_a_telling_load_id_has_no_time() -> None:
    assert row().loaded == "2023-11-14 22:13:20 UTC"
    assert StagedRow("orders", "1", "backfill", 0, False, False, {}).loaded == ""
