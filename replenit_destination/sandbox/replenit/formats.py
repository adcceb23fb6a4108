"""Checks of single values: each returns what is wrong with a value, or nothing.

The wording is ours; the vendor's own varies from page to page, so nobody may depend on it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[Any], str | None]

__all__ = [
    "REQUIRED",
    "boolean",
    "integer",
    "length",
    "number",
    "text",
    "texts",
    "timestamp",
    "utc",
]

# [R] asks for a valid address without saying which grammar: one @, no blanks, a dot in the domain.
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")  # [R]: E.164, for instance +14155550123
_CURRENCY = re.compile(r"[A-Z]{3}")  # K12: three capital letters
# [D:bp]: language[-Script][-REGION][-variant]
_LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"
    r"(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
_HTTPS = re.compile(r"https://[^\s/]+(/\S*)?", re.IGNORECASE)  # [R]: a public HTTPS address
_STRICT_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z")  # K14
_ANY_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?)?"
)

REQUIRED = "The field is required."

PATTERNS: dict[str, tuple[re.Pattern[str], str]] = {
    "email": (_EMAIL, "The value is not a valid e-mail address."),
    "e164": (_E164, "The phone number must be in E.164 format."),
    "currency": (_CURRENCY, "The currency must be a three-letter ISO 4217 code."),
    "language": (_LANGUAGE, "The language must be a BCP 47 tag."),
    "https": (_HTTPS, "The value must be an HTTPS address."),
}


def length(unit: str) -> Callable[[str], int]:
    """Return how long a text is, in the unit of the switch `length_unit`."""
    if unit == "codepoints":
        return len
    if unit == "bytes":
        return lambda value: len(value.encode())
    return lambda value: len(value) if value.isascii() else len(value.encode("utf-16-le")) // 2


def text(cap: int, unit: str, pattern: str = "", *, filled: bool = False) -> Check:
    """Return the check of a string: type, length and form; an empty one has no form to check.

    Args:
        cap: The largest length; 0 for none.
        unit: What a length counts.
        pattern: A name in `PATTERNS`.
        filled: Whether a blank string counts as missing.
    """
    measure = length(unit)
    regex, complaint = PATTERNS[pattern] if pattern else (None, "")
    # Most values are far below the cap whatever the unit: no character takes more than 4 bytes.
    safe = cap // 4 if cap else 1 << 62

    def check(value: Any) -> str | None:
        if type(value) is not str:
            return "The value must be a string."
        if filled and (not value or value.isspace()):
            return REQUIRED
        if len(value) > safe and cap and measure(value) > cap:
            return f"Maximum length is {cap} characters."
        if regex is not None and value and regex.fullmatch(value) is None:
            return complaint
        return None

    return check


def number(minimum: float | None = None) -> Check:
    """Return the check of a JSON number; a string of digits is none [R]."""

    def check(value: Any) -> str | None:
        if type(value) is not float and type(value) is not int:
            return "The value must be a number."
        if minimum is not None and value < minimum:
            return f"The value must be at least {minimum:g}."
        return None

    return check


def integer(minimum: int | None = None) -> Check:
    """Return the check of a JSON integer; `1.0` is none."""

    def check(value: Any) -> str | None:
        if type(value) is not int:
            return "The value must be an integer."
        if minimum is not None and value < minimum:
            return f"The value must be at least {minimum}."
        return None

    return check


def boolean(value: Any) -> str | None:
    """Check a JSON boolean."""
    return None if type(value) is bool else "The value must be true or false."


def texts(value: Any) -> str | None:
    """Check an array of strings."""
    if type(value) is list and all(type(each) is str for each in value):
        return None
    return "The value must be an array of strings."


def timestamp(grade: str) -> Check:
    """Return the check of a date and time.

    Args:
        grade: `strict`: UTC written as `Z`, at most milliseconds. `utc`: any ISO 8601 that is in
        UTC.
            `lenient`: any ISO 8601.
    """

    def check(value: Any) -> str | None:
        if type(value) is not str:
            return "The value must be an ISO 8601 string."
        if grade == "strict" and _STRICT_TIME.fullmatch(value) is None:
            return "The date must be ISO 8601 in UTC, as 2025-08-22T21:00:00.000Z."
        moment = _moment(value)
        if moment is None:
            return "The value is not a valid ISO 8601 date."
        if grade == "utc" and (moment.tzinfo is None or moment.utcoffset()):
            return "The date must be in UTC."
        return None

    return check


def utc(value: str) -> str:
    """Return a valid date as it is stored: as sent when it ends in `Z`, else converted to UTC.

    A time without a zone is taken as UTC (assumption: [D:bp] recommends UTC and says no more).
    """
    if value.endswith("Z") and "T" in value:
        return value
    moment = _moment(value)
    if moment is None:
        return value
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    shown = aware.isoformat(timespec="milliseconds" if aware.microsecond else "seconds")
    return shown.replace("+00:00", "Z")


def _moment(value: str) -> datetime | None:
    parts = _ANY_TIME.fullmatch(value)
    if parts is None:
        return None
    day, clock, fraction, zone = parts.groups()
    fraction = (fraction or "")[:7]
    try:
        return datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{fraction}{zone or ''}")
    except (ValueError, OverflowError):
        return None
