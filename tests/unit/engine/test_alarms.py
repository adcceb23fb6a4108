"""What a run warns of, on a real ledger and a clock that is told the time."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import pytest

from replenit_destination.engine.alarms import AlarmRules, refusal_alarms
from replenit_destination.engine.freshness import (
    Standing,
    freshness_alarms,
    newest_load,
    standings,
)
from replenit_destination.engine.ledger import Ledger
from replenit_destination.engine.ledger_file import LedgerFile
from replenit_destination.engine.report import EntityReport, Report
from replenit_destination.engine.volume import volume_alarms
from replenit_destination.exceptions import SettingsError
from tests.doubles.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR, DAY = 3600, 86_400
NOON = 1_699_963_200.0  # Tuesday, 14 November 2023, 12:00 UTC


def ledger_of(file: LedgerFile, clock: FakeClock, *, tenant: str = "t1") -> Ledger:
    return Ledger(
        file,
        target="replenit",
        host="https://api.example.com",
        tenant=tenant,
        run=uuid.uuid4().hex,
        fingerprint="f",
        clock=clock,
    )


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LedgerFile]:
    with duckdb.connect() as connection, closing(LedgerFile(connection, tmp_path / "l")) as opened:
        yield opened


class TestRefusals:
    ENTITIES: ClassVar = {
        "customers": EntityReport(unchanged=90, created=8, rejected=1, quarantined=1),
        "orders": EntityReport(unchanged=1000, rejected=3),
    }

    def alarms(self, **rules: Any) -> list[str]:
        return [str(one) for one in refusal_alarms(AlarmRules(**rules), self.ENTITIES)]

    def test_without_a_limit_one_refused_document_is_too_many(self):
        report = Report("replenit", "t1", entities={"orders": EntityReport(quarantined=1)})
        assert (report.too_many_refused, report.exit_code) == (True, 1)
        assert Report("replenit", "t1", entities={"orders": EntityReport()}).exit_code == 0

    def test_the_count_is_of_all_entities(self):
        assert self.alarms(max_rejected_count=5) == []
        assert self.alarms(max_rejected_count=4) == [
            "5 refused documents are more than max_rejected_count, 4"
        ]

    def test_the_share_is_of_each_entity(self):
        assert self.alarms(max_rejected_share=0.02) == []
        assert self.alarms(max_rejected_share=0.01) == [
            "customers: 2 of 100 documents are refused, 2.0%, more than max_rejected_share, 1.0%"
        ]
        assert len(self.alarms(max_rejected_share=0.0)) == 2

    @pytest.mark.parametrize(("count", "code"), [(5, 0), (4, 1)])
    def test_within_the_limits_the_exit_code_is_0(self, count: int, code: int):
        rules = AlarmRules(max_rejected_count=count)
        report = Report("replenit", "t1", rules=rules, entities=self.ENTITIES)
        assert report.exit_code == code

    def test_what_is_withheld_is_not_forgiven(self):
        one = {"orders": EntityReport(withheld=1)}
        report = Report("replenit", "t1", rules=AlarmRules(max_rejected_count=9), entities=one)
        assert report.exit_code == 1

    @pytest.mark.parametrize("wrong", [{"max_rejected_count": -1}, {"volume_factor": 0.5}])
    def test_a_limit_that_means_nothing_is_refused(self, wrong: dict[str, Any]):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            AlarmRules(**wrong)


class TestFreshness:
    def test_standing_tells_older_at_the_vendor_from_never_delivered(self, file: LedgerFile):
        ledger = ledger_of(file, FakeClock(NOON))
        entries = [
            ("a", True, None, None, NOON - HOUR),
            ("b", True, None, "quarantined", NOON - 9 * HOUR),
            ("c", True, "unsent", None, NOON - 9 * HOUR),
            ("d", False, None, "rejected", None),
            ("e", False, "unsent", None, None),
            ("f", False, None, "skipped", None),
            ("g", True, "withheld", None, NOON - 9 * HOUR),
        ]
        for key, sent, backlog, refusal, accepted in entries:
            file.connection.execute(
                f"INSERT INTO {file.schema}.entry BY NAME SELECT {ledger.account} AS account,"
                " 'orders' AS entity, ? AS key, ? AS sent, ? AS backlog, ? AS refusal,"
                " to_timestamp(?) AS accepted_at",
                [key, sent, backlog, refusal, accepted],
            )
        found = standings(ledger, ["customers", "orders"], {"orders": NOON - 60})
        assert found == {
            "customers": Standing(),
            "orders": Standing(NOON - HOUR, NOON - 60, stale=2, never_delivered=2),
        }

    def test_the_newest_load_is_known_from_the_runs_before(self, file: LedgerFile):
        ledger = ledger_of(file, FakeClock(NOON))
        ledger.mark_processed("d", "orders", "f", {"orders": {"1699900000.5": 3, "odd": 1}})
        assert standings(ledger, ["orders"], {})["orders"].staged == 1699900000.5
        assert newest_load(["", "7.5", "_manual"]) == 7.5
        assert newest_load([]) is None

    @pytest.mark.parametrize(
        ("standing", "told"),
        [
            (Standing(NOON - 23 * HOUR, NOON - 30 * HOUR), []),
            (Standing(NOON - 30 * HOUR, NOON - HOUR), []),  # rows came, nothing had changed
            (
                Standing(NOON - 30 * HOUR, NOON - 29 * HOUR),
                [
                    "orders: nothing was accepted for 30 hours, 24 hours are allowed; no new rows"
                    " were staged either: the source or its schedule stands still"
                ],
            ),
            (
                Standing(NOON - 30 * HOUR, NOON - HOUR, stale=2, never_delivered=5),
                [
                    "orders: nothing was accepted for 30 hours, 24 hours are allowed; rows were"
                    " staged, and 7 documents wait or stand refused"
                ],
            ),
            (
                Standing(None, NOON - HOUR, never_delivered=5),
                [
                    "orders: nothing was ever accepted, 24 hours are allowed; rows were staged, and"
                    " 5 documents wait or stand refused"
                ],
            ),
        ],
    )
    def test_silence_is_told_with_the_side_that_stands_still(
        self, standing: Standing, told: list[str]
    ):
        alarms = freshness_alarms({"orders": 24}, {"orders": standing}, NOON)
        assert [str(one) for one in alarms] == told


class TestVolume:
    def history(self, file: LedgerFile, runs: list[tuple[float, int]]) -> Ledger:
        for moment, orders in runs:
            ledger = ledger_of(file, FakeClock(moment))
            ledger.start_run()
            counts = {"created": orders - 1, "updated": 1, "deleted": 0, "children_deleted": 0}
            ledger.finish_run({"entities": {"orders": {**counts, "unchanged": 9}}})
        return ledger_of(file, FakeClock(NOON))

    def told(self, ledger: Ledger, orders: int, factor: float = 5.0) -> list[str]:
        return [str(one) for one in volume_alarms(ledger, {"orders": orders}, factor)]

    def test_today_is_held_against_the_same_weekday_up_to_the_same_hour(self, file: LedgerFile):
        weeks = [(NOON - week * 7 * DAY - HOUR, 20 + week) for week in (1, 2, 3)]
        later_that_day = [(NOON - 7 * DAY + HOUR, 5000)]
        another_weekday = [(NOON - 6 * DAY, 9000)]
        ledger = self.history(file, [*weeks, *later_that_day, *another_weekday])
        measure = "the median of 3 such weekdays at this hour is 22"
        assert self.told(ledger, 0) == [f"orders: nothing changed today; {measure}"]
        assert self.told(ledger, 110) == []
        assert self.told(ledger, 111) == [f"orders: 111 changes today; {measure}"]
        assert self.told(ledger, 111, factor=6.0) == []
        assert self.told(ledger, 0, factor=0) == []

    def test_earlier_runs_of_today_count(self, file: LedgerFile):
        weeks = [(NOON - week * 7 * DAY, 40) for week in (1, 2, 3)]
        ledger = self.history(file, [*weeks, (NOON - HOUR, 150)])
        assert self.told(ledger, 0) == []
        assert len(self.told(ledger, 51)) == 1

    def test_two_such_weekdays_say_nothing(self, file: LedgerFile):
        ledger = self.history(file, [(NOON - week * 7 * DAY, 40) for week in (1, 2)])
        assert self.told(ledger, 0) == []

    def test_a_small_shop_is_not_woken_for_small_numbers(self, file: LedgerFile):
        ledger = self.history(file, [(NOON - week * 7 * DAY, 4) for week in (1, 2, 3)])
        assert self.told(ledger, 0) == []
        assert self.told(ledger, 100) == []
        assert len(self.told(ledger, 101)) == 1

    def test_the_neighbours_in_one_ledger_are_no_measure(self, file: LedgerFile):
        self.history(file, [(NOON - week * 7 * DAY, 40) for week in (1, 2, 3)])
        other = ledger_of(file, FakeClock(NOON), tenant="t2")
        assert self.told(other, 0) == []
