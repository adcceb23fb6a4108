from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from replenit_destination.cli.moments import duration, moment, moment_of
from replenit_destination.exceptions import SettingsError

HERE = datetime(2026, 11, 21, 12)  # noqa: DTZ001 - this machine's noon
NOON = HERE.timestamp()


@pytest.mark.parametrize(
    ("text", "ahead", "hours"),
    [("30m", True, 0.5), ("2h", False, -2), ("1.5d", True, 36), ("90s", True, 0.025)],
)
def test_span_lies_ahead_or_behind(text: str, ahead: bool, hours: float) -> None:
    assert moment_of("--until", text, NOON, ahead=ahead) == NOON + hours * 3600


def test_time_of_day_is_the_next_or_the_last_one() -> None:
    def meant(text: str, *, ahead: bool) -> datetime:
        return HERE + timedelta(seconds=moment_of("--until", text, NOON, ahead=ahead) - NOON)

    noon = HERE
    assert meant("18:30", ahead=True) == noon + timedelta(hours=6.5)
    assert meant("9:00", ahead=True) == noon + timedelta(hours=21)
    assert meant("18:30", ahead=False) == noon - timedelta(hours=17.5)


def test_zone_is_this_machines_unless_it_is_named() -> None:
    assert moment_of("--since", "2026-11-21T12:00", NOON, ahead=False) == NOON
    assert moment_of("--since", "1970-01-01T01:00+01:00", NOON, ahead=False) == 0
    assert moment_of("--since", "1970-01-01T00:01Z", NOON, ahead=False) == 60


@pytest.mark.parametrize("text", ["soon", "25:00", "", "2x", "12:75"])
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(SettingsError, match="write 2026"):
        moment_of("--since", text, NOON, ahead=False)


def test_moments_and_spans_are_told_in_words() -> None:
    assert moment(0) == "1970-01-01 00:00:00 UTC"
    assert moment(None) == ""
    assert [duration(s) for s in (0.25, 12, 90, 3600, 5400, 90_000)] == [
        *("0.25 s", "12 s", "2 min", "1 h", "1.5 h", "25 h")
    ]
