"""Shopify's search syntax, as far as a connector meets it: `field:op'value'` terms joined by AND.

Two traps are kept on purpose. A field the resource does not know is ignored with a warning, so it
matches everything. A timestamp without quotes ends at its first colon: it becomes midnight in the
shop's zone plus a junk term (both seen in recorded answers).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from replenit_destination.sandbox.shopify.store import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SEARCH_FIELDS", "Search", "parse_search"]

TERM = re.compile(
    r"""(?P<field>\w+):(?P<op>>=|<=|>|<)?(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[^\s]+))"""
)
COMMON = frozenset({"id", "created_at", "updated_at"})
SEARCH_FIELDS: Mapping[str, frozenset[str]] = {
    "orders": COMMON | {"processed_at", "email", "name", "test", "tag"},
    "customers": COMMON | {"email", "tag"},
    "products": COMMON | {"published_at", "status", "vendor", "product_type", "tag", "title"},
    "events": frozenset({"id", "created_at", "action", "subject_type"}),
    "bulkOperations": frozenset({"id", "created_at", "operation_type", "status"}),
}
# Values a filter takes; others find nothing, with a warning (recorded).
ACCEPTED = {
    ("bulkOperations", "operation_type"): frozenset({"query", "mutation"}),
    ("bulkOperations", "status"): frozenset(
        {"created", "running", "completed", "canceling", "canceled", "failed"}
    ),
}
MOMENTS = frozenset({"created_at", "updated_at", "processed_at", "published_at"})
ATTRIBUTES = {"tag": "tags"}
OPERATORS = {">=": "min", "<": "max_exclusive", ">": "min_exclusive", "<=": "max"}


@dataclass(frozen=True)
class Term:
    """One comparison."""

    field: str
    op: str
    value: str | datetime

    @cached_property
    def stamp(self) -> str:
        """The time as records store it."""
        return stamp(self.value) if isinstance(self.value, datetime) else ""

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record passes."""
        actual = record.get(_attribute(self.field))
        if isinstance(self.value, datetime):
            if actual is None:
                return False
            if self.op in (">=", "<") and self.stamp:
                # Stored times are all written alike, so their texts compare as the times do.
                return (actual >= self.stamp) is (self.op == ">=")
            return _compare(datetime.fromisoformat(actual), self.op, self.value)
        if self.field == "id":
            return str(record["id"]).rsplit("/", 1)[-1] == self.value
        if isinstance(actual, list):
            return self.value.lower() in (str(item).lower() for item in actual)
        return str(actual).lower() == self.value.lower()


@dataclass
class Search:
    """A parsed query: its terms, how Shopify would show its reading of it, and its warnings."""

    query: str
    terms: list[Term] = field(default_factory=list)
    parsed: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record passes every term that was understood."""
        return all(term.matches(record) for term in self.terms)

    def extension(self, path: str) -> dict[str, Any]:
        """Return this query's entry of `extensions.search`."""
        shown = self.parsed[0] if len(self.parsed) == 1 else {"and": self.parsed}
        entry: dict[str, Any] = {"path": [path], "query": self.query, "parsed": shown}
        if self.warnings:
            entry["warnings"] = self.warnings
        return entry


def parse_search(resource: str, query: str | None, zone: str) -> Search:
    """Parse `query` as a search over `resource`; dates without a zone are the shop's."""
    search = Search(query or "")
    for match in TERM.finditer(search.query):
        name, op = match["field"], match["op"] or ""
        quoted = match["single"] if match["single"] is not None else match["double"]
        text = quoted if quoted is not None else match["bare"]
        if name not in SEARCH_FIELDS[resource]:
            search.parsed.append({"field": name, "match_all": text})
            search.warnings.append(
                {
                    "field": name,
                    "message": "Invalid search field for this query.",
                    "code": "invalid_field",
                }
            )
            continue
        junk = ""
        if name in MOMENTS and quoted is None and ":" in text:
            text, junk = text[:10], text[14:]
        moment = _moment(text, zone) if name in MOMENTS else None
        if name in MOMENTS and moment is None:
            search.warnings.append(
                {
                    "field": name,
                    "message": f"Input `{text}` is not an accepted value.",
                    "code": "invalid_value",
                }
            )
            continue
        accepted = ACCEPTED.get((resource, name))
        if accepted and text.lower() not in accepted:
            search.warnings.append(
                {
                    "field": name,
                    "message": f"Input `{text}` is not an accepted value.",
                    "code": "invalid_value",
                }
            )
        shown = moment.isoformat() if moment else text
        search.parsed.append({"field": name, OPERATORS.get(op, "match_all"): shown})
        if junk:
            search.parsed.append({"field": "default", "match_all": junk})
        search.terms.append(Term(name, op, moment or text))
    return search


def _attribute(name: str) -> str:
    if name in ATTRIBUTES:
        return ATTRIBUTES[name]
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _moment(text: str, zone: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def _compare(actual: datetime, op: str, wanted: datetime) -> bool:
    if op == ">=":
        return actual >= wanted
    if op == "<":
        return actual < wanted
    if op == ">":
        # Since 2026-10 an exclusive bound without fraction skips its whole second.
        return actual.replace(microsecond=0) > wanted
    if op == "<=":
        return actual.replace(microsecond=0) <= wanted
    return actual.replace(microsecond=0) == wanted
