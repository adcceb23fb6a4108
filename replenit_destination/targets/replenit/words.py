"""The vendor's words without anybody's data, so that they can stand in a report.

Services like to quote what they refuse. Addresses, long numbers, phone numbers and identifiers are
replaced by what they were; quoted text goes unless it is the name of one of our fields; and every
text of the document in question is removed wherever it is repeated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from replenit_destination.engine.documents import Document
from replenit_destination.targets.replenit.contracts import (
    Customer,
    Order,
    OrderItem,
    Product,
    ProductVariant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replenit_destination.engine.documents import Item

__all__ = ["field_name", "scrub", "secrets_of"]

MAX_CHARACTERS = 300

_FIELDS = frozenset(
    name
    for contract in (Customer, Order, OrderItem, Product, ProductVariant)
    for name in contract.model_fields
)
_PATTERNS = (
    (re.compile(r"https?://\S+"), "[address]"),
    (re.compile(r"\S+@\S+"), "[e-mail]"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "[id]"),
    (re.compile(r"(?<!\w)\+?\d[\d\s()./-]{5,}\d"), "[number]"),
    (re.compile(r"\b(?=\w*\d)[\w-]{12,}"), "[id]"),
    (re.compile(r"\b\S{40,}"), "[id]"),
    (re.compile(r"\d{5,}"), "[number]"),
)
_QUOTED = re.compile(
    r"'([^']*)'|\"([^\"]*)\"|`([^`]*)`|\u2018([^\u2019]*)\u2019|\u201c([^\u201d]*)\u201d"
)
_FIELD_PATH = re.compile(r"[A-Za-z_]\w*(?:\[\d{1,6}\])?(?:\.[A-Za-z_]\w*(?:\[\d{1,6}\])?){0,5}")
_KEPT_WORDS = frozenset({"true", "false", "null"})


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without personal data, on one line of at most 300 characters.

    Args:
        text: The vendor's words.
        secrets: Texts to remove wherever they stand, see `secrets_of`.
    """
    text = text[: 4 * MAX_CHARACTERS]
    for secret in sorted(secrets, key=len, reverse=True):
        if secret in text:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "[value]", text)
    text = _QUOTED.sub(_unquoted, text)
    for pattern, name in _PATTERNS:
        text = pattern.sub(name, text)
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def field_name(text: str) -> str:
    """Return the field path when it looks like one, else nothing: it might be a value."""
    if len(text) > 120 or _FIELD_PATH.fullmatch(text) is None:
        return ""
    return scrub(text)


def secrets_of(items: Iterable[Item]) -> frozenset[str]:
    """Return the texts in the documents that must not be repeated, short codes excepted."""
    found: set[str] = set()
    for item in items:
        found.add(item.key)
        if isinstance(item, Document):
            found.update(_texts(orjson.loads(item.body)))
        else:
            found.update(value for _, value in item.identifiers)
            found.update(_texts(orjson.loads(item.child)) if item.child else ())
    kept = _KEPT_WORDS | _FIELDS
    return frozenset(text for text in found if len(text) > 3 and text not in kept)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _unquoted(match: re.Match[str]) -> str:
    inner = next((one for one in match.groups() if one is not None), "")
    last = re.split(r"[.\]]", inner)[-1]
    return match[0] if last in _FIELDS else "[value]"
