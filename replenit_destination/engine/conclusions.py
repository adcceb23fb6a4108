"""What an explanation comes to, in sentences: why a document is at the vendor or is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replenit_destination.engine.adopted import is_adopted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replenit_destination.engine.explained import Explanation

__all__ = ["conclusions"]

_BACKLOG = {
    "resend": "only a new mapping or setting changed it, with many others; push --accept-resend",
    "schema": "its entity is held because the source changed its shape; push --accept-schema",
    "withheld": "a removal is withheld by a guard; push --allow-removals",
    "removal": "something of it must still be deleted there",
    "in doubt": "it was sent and no answer was recorded",
    "paused": "delivery is paused; resume lets it go",
    "max_requests": "the push before had used up its requests",
    "max_seconds": "the push before had used up its time",
    "stopped": "the push before was stopped",
    "yielded": "the push before gave way to another",
    "retry": "it was asked for again",
    "suspect": "it was refused together with others, and the search for the culprit goes on",
}
"""The ledger's words for why something waits, as people understand them."""


def conclusions(found: Explanation) -> Iterator[str]:
    """Yield what all that is known of a document comes to."""
    entry: Mapping[str, Any] = found.entry or {}
    if not found.staged:
        yield from _without_row(found, entry)
        return
    if all(row.destroyed for row in found.staged):
        yield "It was destroyed at the source."
        yield from _left(entry)
        return
    if all(row.destroyed or row.filtered for row in found.staged):
        yield "The mapping's `where` leaves its row out, so it is not sent."
        if entry.get("sent"):
            yield "Replenit has it from before: what a filter leaves out is no deletion."
        return
    yield from _today(found, entry)
    yield from _standing(entry)


def _without_row(found: Explanation, entry: Mapping[str, Any]) -> Iterator[str]:
    if not entry:
        yield (
            f"No row of the source makes a document of {found.entity} with this key or id, and the"
            " ledger knows nothing of it: was it loaded, and is the key written as it is sent?"
        )
        return
    if moment := entry.get("purged_at"):
        yield f"Its rows were purged on {moment:%Y-%m-%d} for their age; Replenit keeps it."
        return
    yield "The source has no row that makes it any more."
    yield from _left(entry)


def _left(entry: Mapping[str, Any]) -> Iterator[str]:
    if not entry.get("sent"):
        yield "It was never accepted by Replenit."
    elif entry.get("source_hash") == 0:
        yield "It was sent once more as not available, and stays so."
    elif entry.get("backlog") == "withheld":
        yield "Replenit still has it: a guard withholds its removal; push --allow-removals."
    else:
        yield "Replenit still has it; a push with evidence that it was destroyed removes it."


def _today(found: Explanation, entry: Mapping[str, Any]) -> Iterator[str]:
    cause = f"{found.culprit} {found.reason}".strip()
    if found.verdict == "rejected":
        yield f"Today's document breaks a rule of Replenit's and is not sent: {cause}."
    elif found.verdict == "skipped":
        yield f"It is not sent: {cause}."
    elif found.verdict == "backlog":
        yield f"It waits: {cause}."
    elif found.verdict == "unchanged":
        yield "Replenit has it as it is today."
    elif entry.get("refusal") in {"quarantined", "suspect"}:
        words = f" (Replenit's words: {entry['words']})" if entry.get("words") else ""
        yield f"Replenit refused it: {entry['field'] or ''} {entry['reason'] or ''}{words}."
        yield "It is tried again when it, the mapping or a setting changes, and by `retry`."
    elif entry.get("backlog"):
        why = _BACKLOG.get(entry["backlog"], entry["backlog"])
        yield f"It waits for the next push: {why}."
    elif not entry.get("sent"):
        yield "It was not sent yet; the next push sends it."
    else:
        yield "Replenit has an older version; the next push sends today's."


def _standing(entry: Mapping[str, Any]) -> Iterator[str]:
    if not entry.get("sent"):
        return
    if entry.get("content_hash") is None:
        yield "Nobody knows whether the last version that was sent arrived; it is sent again."
    elif is_adopted(entry.get("run")):
        yield "It was adopted, not sent: Replenit is taken to have it."
    elif not entry.get("confirmed"):
        yield "It was in a request that Replenit did not count in full; push --confirm looks again."
