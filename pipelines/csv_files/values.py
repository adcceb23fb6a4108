"""Numbers and times as a shop writes them, turned into the one way everybody reads.

A column's layout is declared, never guessed: `1.234` is a thousand here and one there, and
`01/02/2026` is a date in two months. A value that is not as declared is marked, so that its own
document is refused for it, by name, and all others travel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import CsvError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UNREADABLE", "Layout"]

UNREADABLE = "not as declared: "
"""What stands before a value that is not written as its column is declared."""

_NUMBER = re.compile(r"number 1(?P<group>[.,' \u00a0\u202f]?)234(?P<point>[.,])56")
_SPACES = " \u00a0\u202f"  # plain, no-break, and the narrow one that spreadsheets write


@dataclass(frozen=True)
class Layout:
    """How the values of one column are written.

    Args:
        text: `number 1.234,56` (or `1,234.56`, `1 234,56`, `1234,56`: the example shows the
            separators), `date %d.%m.%Y`, `time %d.%m.%Y %H:%M`, or with a zone at the end,
            `time %d.%m.%Y %H:%M Europe/Berlin`.
        place: The setting, for messages.

    Raises:
        CsvError: It is none of these.
    """

    text: str
    place: str

    def __post_init__(self) -> None:
        self.reader()

    def reader(self) -> Callable[[str], str]:
        """Return what turns a value into its usual form."""
        kind, _, rest = self.text.partition(" ")
        match = _NUMBER.fullmatch(self.text)
        if match and match["group"] != match["point"]:
            return lru_cache(65536)(_number(match["group"], match["point"]))
        if kind in {"date", "time"} and "%" in rest:
            form, zone = rest, None
            last = rest.rpartition(" ")[2]
            if ("%" not in last and "/" in last) or last == "UTC":
                form, zone = rest.rpartition(" ")[0], self._zone(last)
            return lru_cache(65536)(_moment(form, zone, whole_days=kind == "date"))
        message = (
            f"{self.place}: `{self.text}` is no layout; write for instance `number 1.234,56`, "
            "`date %d.%m.%Y` or `time %d.%m.%Y %H:%M Europe/Berlin`"
        )
        raise CsvError(message)

    def _zone(self, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            message = f"{self.place}: no time zone `{name}`; write one such as Europe/Berlin"
            raise CsvError(message) from None


def _number(group: str, point: str) -> Callable[[str], str]:
    if group and group in _SPACES:
        group = _SPACES
    some = f"[{re.escape(group)}]" if group else "(?!)"
    form = re.compile(
        rf"(?P<sign>[-+\u2212]?)(?P<whole>\d+|\d{{1,3}}(?:{some}\d{{3}})+)"
        rf"(?:{re.escape(point)}(?P<part>\d+))?"
    )

    def read(value: str) -> str:
        match = form.fullmatch(value.strip())
        if match is None:
            return UNREADABLE + value
        whole = re.sub(r"\D", "", match["whole"])
        sign = "-" if match["sign"] in {"-", "\u2212"} else ""
        return f"{sign}{whole}.{match['part']}" if match["part"] else f"{sign}{whole}"

    return read


def _moment(form: str, zone: ZoneInfo | None, *, whole_days: bool) -> Callable[[str], str]:
    def read(value: str) -> str:
        try:
            moment = datetime.strptime(value.strip(), form)  # noqa: DTZ007 - the zone follows
        except ValueError:
            return UNREADABLE + value
        if whole_days:
            return moment.date().isoformat()
        if zone is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.isoformat(sep=" ")

    return read
