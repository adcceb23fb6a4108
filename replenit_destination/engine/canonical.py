"""One spelling for every document, so that equal documents have equal bytes and equal hashes.

Properties are sorted by name, there is no space between tokens, text is UTF-8 as it is, and a
decimal is written with exactly the digits it has, without exponent and without trailing zeros:
`19.990000000` becomes `19.99`. No number passes through a float on the way. Sorting rather than
trusting the order of insertion means that a refactoring which builds a document in another order
does not send a whole shop again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["canonical", "decimal_text"]


def canonical(payload: Mapping[str, Any]) -> bytes:
    """Return the payload as canonical UTF-8 JSON.

    Args:
        payload: Text, integers of up to 64 bits, finite `Decimal`, booleans, and lists and mappings
            of them.

    Raises:
        TypeError: A value has another type, or a number is not finite.
    """
    return orjson.dumps(payload, default=_fragment, option=orjson.OPT_SORT_KEYS)


def decimal_text(value: Decimal) -> str:
    """Return the digits of the number: no exponent, no trailing zeros, no minus zero."""
    text = str(value)
    if "E" in text:
        text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(decimal_text(value))
    kind = type(value).__name__
    message = f"a document cannot hold a {kind} that is not finite text, number, list or mapping"
    raise TypeError(message)
