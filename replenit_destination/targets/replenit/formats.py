"""What a field may hold: one rule per format, with the sentence a shop reads when it is broken.

A rule stands in the annotation of a contract's field (`Annotated[str, Identifier(100)]`) and knows
how to check a value inside pydantic's own validator. The sentences never repeat the value: it may
be personal data. Lengths are counted in UTF-16 units: never looser than code points, and what a
.NET service counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, get_args

from pydantic_core import PydanticCustomError, core_schema

from replenit_destination.engine.target import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler

__all__ = [
    "BIGGEST_AMOUNT",
    "BIGGEST_WHOLE",
    "Consent",
    "Currency",
    "Email",
    "Flag",
    "HttpsAddress",
    "Identifier",
    "Language",
    "Moment",
    "Money",
    "Phone",
    "Rule",
    "Text",
    "Texts",
    "Whole",
    "canonical_language",
    "cut",
    "utf16_units",
]

BIGGEST_WHOLE = 2**31 - 1  # the vendor says "integer" only; 32 bits is what such a service can hold
BIGGEST_AMOUNT = 10**15  # [G:orders] calls money a double, which is exact to here

_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LABEL = r"[^\W_](?:(?:[^\W_]|-)*[^\W_])?"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[^\W\d_](?:[^\W_]|-)*[^\W_]")
_PHONE = re.compile(r"\+[1-9][0-9]{1,14}")
_LANGUAGE = re.compile(
    r"(?P<language>[A-Za-z]{2,3})(?:[-_](?P<script>[A-Za-z]{4}))?"
    r"(?:[-_](?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:[-_](?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)"
)
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z")
_HTTPS = re.compile(r"(?i:https)://[^\s/?#.]+\.[^\s]+")


def utf16_units(text: str) -> int:
    """Return the length of the text in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, most: int) -> str:
    """Return the text shortened to `most` UTF-16 units, never through the middle of a character."""
    if utf16_units(text) <= most:
        return text
    return text.encode("utf-16-le")[: most * 2].decode("utf-16-le", errors="ignore").rstrip()


def _refuse(reason: str) -> NoReturn:
    kind, template = "replenit", "{reason}"
    raise PydanticCustomError(kind, template, {"reason": reason})


@dataclass(frozen=True)
class Rule:
    """Base of all formats.

    A `critical` field is never left out: when it is given but broken the whole document is refused,
    although the vendor calls the field optional (identifiers, dates, money, currency and consents).
    """

    kind: ClassVar[Kind] = Kind.TEXT
    critical: ClassVar[bool] = False

    def schema(self) -> core_schema.CoreSchema:
        """Return the rule as pydantic validates it."""
        return self._core()

    def plain(self) -> core_schema.CoreSchema:
        """Return a stricter rule that runs in pydantic's own code only, for most values.

        What it takes, `schema` takes and leaves as it is, within every length the pages allow.
        """
        return self._core()

    def _core(self) -> core_schema.CoreSchema:
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = self.schema()
        return core_schema.nullable_schema(schema) if type(None) in get_args(source) else schema


@dataclass(frozen=True)
class Text(Rule):
    """Free text of at most `most` units.

    Above `agreed` the vendor's pages contradict each other or are silent, so the document travels
    alone. With `truncate` a longer text is cut to the agreed length instead.
    """

    most: int | None = None
    agreed: int | None = None
    truncate: bool = False
    _plain: ClassVar[str] = r"^[^\x00]*[\p{L}\p{N}!-~][^\x00]*$"

    def plain(self) -> core_schema.CoreSchema:
        """Return the rule for texts that are short enough whatever their characters are."""
        widest = 2 if self._plain is Text._plain else 1  # UTF-16 units; the others are ASCII
        longest = None if self.sure is None else self.sure // widest
        return core_schema.str_schema(strict=True, pattern=self._plain, max_length=longest)

    def _core(self) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._checker(), _told(core_schema.str_schema(strict=True), "must be text")
        )

    @property
    def sure(self) -> int | None:
        """The length that every page of the vendor allows."""
        return self.most if self.agreed is None else self.agreed

    def _checker(self) -> Callable[[str], str]:
        """Return the function that checks, and may normalise, one text."""
        fits, inner = self._fits(), self._sent
        plain = type(self)._sent is Text._sent  # noqa: SLF001  # our own class

        def checked(value: str) -> str:
            if "\0" in value:
                _refuse("contains a character that cannot be stored (U+0000)")
            sent = fits(value) if plain else fits(inner(value))
            if not sent.strip():  # blank counts as missing to the vendor [C], in every script
                _refuse("is blank")
            return sent

        return checked

    def _sent(self, value: str) -> str:
        """Return the text as it is sent; raises when the format is broken."""
        return value

    def _fits(self) -> Callable[[str], str]:
        most, sure = self.most, self.sure
        if self.truncate and sure is not None:
            longest = sure
            return lambda value: cut(value, longest)
        if most is None:
            return lambda value: value
        surely = most // 2  # a text of this many characters fits whatever they are

        def fits(value: str) -> str:
            if len(value) > surely and utf16_units(value) > most:
                _refuse(f"is longer than {most} characters")
            return value

        return fits


@dataclass(frozen=True)
class Identifier(Text):
    """An identifier: sent byte for byte as the assembly has trimmed it."""

    critical: ClassVar[bool] = True
    _plain: ClassVar[str] = r"^[!-~](?:[ -~]*[!-~])?$"

    def _sent(self, value: str) -> str:
        # False for control and invisible characters and for every space but the plain one
        if not value.isprintable() or value[:1] == " " or value[-1:] == " ":
            _refuse("contains an invisible character or an unusual space")
        return value


@dataclass(frozen=True)
class Email(Text):
    """An e-mail address, trimmed and, unless told otherwise, lower-cased by the assembly."""

    critical: ClassVar[bool] = True
    _plain: ClassVar[str] = (
        r"^[0-9A-Za-z_+-]+(?:\.[0-9A-Za-z_+-]+)*@"
        r"(?:[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?\.)+[A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])$"
    )

    def _sent(self, value: str) -> str:
        if _EMAIL.fullmatch(value) is None:
            _refuse("is not a valid e-mail address")
        return value


@dataclass(frozen=True)
class Phone(Text):
    """E.164: a plus sign, the country code and the number, 15 digits at most, nothing else [R]."""

    _plain: ClassVar[str] = r"^\+[1-9][0-9]{1,14}$"

    def _sent(self, value: str) -> str:
        if _PHONE.fullmatch(value) is None:
            _refuse("is not an international number such as +14155550123")
        return value


@dataclass(frozen=True)
class Language(Text):
    """A BCP 47 tag in its canonical case; with `fallback` a long one becomes its language."""

    fallback: bool = False
    _plain: ClassVar[str] = r"^[a-z]{2,3}(?:-[A-Z]{2})?$"

    def _sent(self, value: str) -> str:
        tag = canonical_language(value)
        if tag is None:
            _refuse("is not a language tag such as de or pt-BR")
        too_long = self.sure is not None and len(tag) > self.sure
        return tag.partition("-")[0] if self.fallback and too_long else tag


@lru_cache(maxsize=1024)
def canonical_language(value: str) -> str | None:
    """Return the tag as `language[-Script][-REGION][-variant]` [D:bp], or None when it is none."""
    match = _LANGUAGE.fullmatch(value)
    if match is None:
        return None
    script, region = match["script"], match["region"]
    tag = match["language"].lower()
    if script:
        tag += f"-{script.title()}"
    if region:
        tag += f"-{region.upper()}"
    return tag + match["variants"].lower().replace("_", "-")


@dataclass(frozen=True)
class Currency(Text):
    """An ISO 4217 code: three letters, sent in upper case [D:bp]."""

    critical: ClassVar[bool] = True
    _plain: ClassVar[str] = r"^[A-Z]{3}$"

    def _sent(self, value: str) -> str:
        if _CURRENCY.fullmatch(value) is None:
            _refuse("is not a currency code of three letters such as EUR")
        return value.upper()


@dataclass(frozen=True)
class Moment(Text):
    """A moment in UTC, `YYYY-MM-DDTHH:MM:SS[.fff]Z`; [R] refuses everything else."""

    kind: ClassVar[Kind] = Kind.TIMESTAMP
    critical: ClassVar[bool] = True
    _plain: ClassVar[str] = (
        r"^[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
        r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
        r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{3})?Z$"
    )

    def _sent(self, value: str) -> str:
        try:
            if _MOMENT.fullmatch(value) is not None and datetime.fromisoformat(value):
                return value
        except ValueError:
            pass
        _refuse("is not a date and time with a known zone (declare `timezone` in the mapping)")


@dataclass(frozen=True)
class HttpsAddress(Text):
    """A public HTTPS address [R]."""

    _plain: ClassVar[str] = r"^https://[0-9A-Za-z-]+\.[!-~]+$"

    def _sent(self, value: str) -> str:
        if _HTTPS.fullmatch(value) is None:
            _refuse("is not a public https:// address")
        return value


@dataclass(frozen=True)
class Whole(Rule):
    """A whole number; fractions are refused rather than rounded."""

    kind: ClassVar[Kind] = Kind.INTEGER
    least: int = -BIGGEST_WHOLE

    def _core(self) -> core_schema.CoreSchema:
        least = f" of at least {self.least}" if self.least >= 0 else ""
        numbers = core_schema.int_schema(ge=self.least, le=BIGGEST_WHOLE)
        return _told(numbers, f"must be a whole number{least}")


@dataclass(frozen=True)
class Money(Rule):
    """An amount of at least 0, kept to the last digit."""

    kind: ClassVar[Kind] = Kind.DECIMAL
    critical: ClassVar[bool] = True

    def _core(self) -> core_schema.CoreSchema:
        numbers = core_schema.decimal_schema(ge=Decimal(0), le=Decimal(BIGGEST_AMOUNT))
        return _told(numbers, "must be an amount of at least 0 such as 19.99")


@dataclass(frozen=True)
class Flag(Rule):
    """True or false, never a word or a number that looks like it."""

    kind: ClassVar[Kind] = Kind.BOOLEAN

    def _core(self) -> core_schema.CoreSchema:
        return _told(core_schema.bool_schema(strict=True), "must be true or false")


@dataclass(frozen=True)
class Consent(Flag):
    """A consent: an unreadable one refuses the document, for leaving it out might change it."""

    critical: ClassVar[bool] = True


@dataclass(frozen=True)
class Texts(Rule):
    """A list of texts."""

    kind: ClassVar[Kind] = Kind.TEXTS

    def plain(self) -> core_schema.CoreSchema:
        """Return the rule for a list of plain texts."""
        return core_schema.list_schema(Text().plain(), strict=True)

    def _core(self) -> core_schema.CoreSchema:
        items = core_schema.list_schema(Text().schema(), strict=True)
        return _told(items, "must be a list of texts")


def _told(schema: core_schema.CoreSchema, reason: str) -> core_schema.CoreSchema:
    return core_schema.custom_error_schema(
        schema,
        custom_error_type="replenit",
        custom_error_message="{reason}",
        custom_error_context={"reason": reason},
    )
