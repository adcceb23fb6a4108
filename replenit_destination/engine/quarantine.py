"""What stands refused: looked at, exported, and forgotten.

Rejected documents break a rule of the vendor's and were never sent; quarantined ones the vendor
refused. Both are tried again by themselves when the document, the mapping or a setting changes.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.documents import key_hash
from replenit_destination.engine.sql import literal
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from replenit_destination.engine.ledger import Ledger
    from replenit_destination.engine.ledger_view import LedgerView

__all__ = ["Chosen", "Refused", "drop", "export", "refused", "refused_keys"]

_STATES = "('rejected', 'quarantined', 'suspect')"  # what is skipped was not refused by anybody


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused document.

    `state` is rejected (by our rules), quarantined (by the vendor) or suspect (in a refused batch);
    `words` are the vendor's own, `since` is ISO 8601, `sent` tells whether the vendor holds an
    older version of it.
    """

    entity: str
    key: str = field(repr=False)
    state: str
    field: str
    reason: str
    words: str
    attempts: int
    since: str
    request_id: str
    sent: bool

    @property
    def key_hash(self) -> str:
        """The name by which reports call it."""
        return key_hash(self.entity, self.key)

    def to_dict(self, *, show: bool = False) -> dict[str, Any]:
        """Return the documented keys; `show` adds the key, which may be a person's."""
        told: dict[str, Any] = {"entity": self.entity, "key_hash": self.key_hash}
        told |= {"key": self.key} if show else {}
        names = ("state", "field", "reason", "words", "attempts", "since", "request_id", "sent")
        return told | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of the refused documents are meant; without any choice all are.

    `keys` are document keys or key hashes, as reports print them (eight digits of one will do);
    `reason` is a part of the reason, of the field's name or of the vendor's words.
    """

    entities: Collection[str] = ()
    keys: Collection[str] = ()
    reason: str = ""

    def __bool__(self) -> bool:
        return bool(self.entities or self.keys or self.reason)

    def holds(self, one: Refused) -> bool:
        """Return whether a refused document is among the chosen."""
        if self.entities and one.entity not in self.entities:
            return False
        told = f"{one.field} {one.reason} {one.words}".lower()
        if self.reason and self.reason.lower() not in told:
            return False
        return not self.keys or any(_is_named(one, name) for name in self.keys)


def _is_named(one: Refused, name: str) -> bool:
    name = name.strip()
    by_hash = len(name) >= 8 and one.key_hash.startswith(name.lower())
    return by_hash or one.key in {name, name.lower()}


def refused(view: LedgerView, chosen: Chosen | None = None) -> list[Refused]:
    """Return what stands refused, by entity, field and reason; the longest refused first."""
    rows = view.rows(
        "SELECT entity, key, refusal AS state, coalesce(field, '') AS field,"
        " coalesce(reason, '') AS reason, coalesce(words, '') AS words,"
        " coalesce(attempts, 0) AS attempts,"
        " coalesce(strftime(refused_at, '%Y-%m-%dT%H:%M:%SZ'), '') AS since,"
        " coalesce(request_id, '') AS request_id, sent"
        f" FROM entry WHERE account = ? AND refusal IN {_STATES}"
        " ORDER BY entity, field, reason, refused_at, key"
    )
    found = [Refused(**row) for row in rows]
    return [one for one in found if chosen is None or chosen.holds(one)]


def export(
    path: Path,
    found: Iterable[Refused],
    *,
    show: bool = False,
    documents: Mapping[tuple[str, str], Any] | None = None,
) -> int:
    """Write refused documents into a file that only its owner may read; return how many.

    Args:
        path: Replaced when it is there; `.csv` makes CSV, any other name JSON Lines.
        found: The documents.
        show: Also keys, and the content in `documents`.
        documents: (entity, key) → today's document.
    """
    rows = []
    for one in found:
        row = one.to_dict(show=show)
        if show:
            row["document"] = (documents or {}).get((one.entity, one.key))
        rows.append(row)
    text = "".join(_csv(rows) if path.suffix.lower() == ".csv" else _json_lines(rows))
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return len(rows)


def _json_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _csv(rows: list[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0])
    writer.writeheader()
    for row in rows:
        flat = {
            name: json.dumps(value, ensure_ascii=False) if name == "document" else value
            for name, value in row.items()
        }
        writer.writerow(flat)
    yield buffer.getvalue()


def drop(ledger: Ledger, found: Iterable[Refused]) -> int:
    """Forget refusals: the next push takes the documents for ones that were never tried.

    Args:
        ledger: The account's ledger, folded.
        found: As `refused` returns them.

    Returns:
        How many were forgotten.
    """
    keys: dict[str, list[str]] = {}
    for one in found:
        keys.setdefault(one.entity, []).append(one.key)
    for entity, names in keys.items():
        mine = f"account = ? AND entity = {literal(entity)} AND list_contains(?, key)"
        ledger.connection.execute(
            f"UPDATE {ledger.schema}.entry SET refusal = NULL, refused_hash = NULL,"
            " refused_by = NULL, field = NULL, reason = NULL, words = NULL, attempts = 0,"
            f" refused_at = NULL, backlog = coalesce(nullif(backlog, 'suspect'), 'retry')"
            f" WHERE {mine}",
            [ledger.account, names],
        )
        if _has_suspects(ledger):
            ledger.connection.execute(
                f"DELETE FROM {ledger.schema}.suspect WHERE {mine}", [ledger.account, names]
            )
    return sum(map(len, keys.values()))


def _has_suspects(ledger: Ledger) -> bool:
    row = ledger.connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND table_name = 'suspect'",
        [ledger.file.name],
    ).fetchone()
    return row != (0,)


def refused_keys(view: LedgerView, chosen: Chosen) -> dict[str, list[str]]:
    """Return entity → keys of the chosen documents.

    Raises:
        SettingsError: Something was chosen and nothing is refused that fits.
    """
    keys: dict[str, list[str]] = {}
    for one in refused(view, chosen):
        keys.setdefault(one.entity, []).append(one.key)
    if chosen and not keys:
        message = "nothing that stands refused is named by this; `quarantine list` shows what is"
        raise SettingsError(message)
    return keys
