"""Names for people that only this ledger can give: an HMAC with a key that never leaves it.

Whoever has a copy of the hashes and not of the ledger cannot try addresses until one fits. It is
computed by DuckDB, so that a whole run is hashed without passing through Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replenit_destination.engine.ledger import Ledger

__all__ = ["hashed", "keyed_hash", "plain", "plain_sql"]


def plain(value: str) -> str:
    """Return the form in which identifiers are compared: addresses without regard to case."""
    value = value.strip()
    return value.lower() if "@" in value else value


def plain_sql(value: str) -> str:
    """Return SQL for the form in which identifiers are compared; nothing becomes NULL."""
    trimmed = f"nullif(trim({value}), '')"
    return f"CASE WHEN contains({value}, '@') THEN lower({trimmed}) ELSE {trimmed} END"


def keyed_hash(schema: str, value: str) -> str:
    """Return SQL for the hash of a value: HMAC-SHA256, cut to 128 bits, as a BLOB.

    Args:
        schema: The ledger's, qualified and quoted.
        value: SQL of a text; the hash of NULL is NULL.
    """
    inner = f"(SELECT inner_pad FROM {schema}.secret)"
    outer = f"(SELECT outer_pad FROM {schema}.secret)"
    inner_hash = f"unhex(sha256({inner} || encode({plain_sql(value)})))"
    return f"unhex(left(sha256({outer} || {inner_hash}), 32))"


def hashed(ledger: Ledger, values: Iterable[str]) -> dict[str, bytes]:
    """Return value → its hash."""
    rows = ledger.connection.execute(
        f"SELECT value, {keyed_hash(ledger.schema, 'value')} FROM (SELECT unnest(?) AS value)",
        [list(dict.fromkeys(values))],
    ).fetchall()
    return dict(rows)
