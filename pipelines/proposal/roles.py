"""Which table is what, and which column fills which field: guesses, each of which can be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .words import FIELDS, KINDS, ORDER_NUMBERS, TABLES, bare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .found import FoundTable

__all__ = ["Roles", "column_for", "guess_roles"]

_TELLING = {
    "customers": ("Email", "Surname", "Name"),
    "orders": ("OrderDate", "TotalRevenue"),
    "items": ("Quantity", "Price", "Sku", "ProductId"),
    "products": ("ProductName",),
    "variants": ("Sku", "OriginalPrice"),
}
_ENOUGH = 4


@dataclass
class Roles:
    """The table of each kind.

    `flat` is the column of the lines that names their order, where no table lists orders.
    """

    tables: dict[str, FoundTable] = field(default_factory=dict)
    flat: str | None = None


def guess_roles(tables: Sequence[FoundTable]) -> Roles:
    """Return which tables seem to be customers, orders, their lines, products and variants."""
    found, left = Roles(), list(tables)
    for kind in ("items", "variants", "customers", "orders", "products"):
        best = max(left, key=lambda table: _score(table, kind), default=None)
        if best is not None and _score(best, kind) >= _ENOUGH:
            found.tables[kind] = best
            left.remove(best)
    _flatten(found)
    return found


def _flatten(found: Roles) -> None:
    """See to files that have one row per line and name the order in each."""
    lines = found.tables.get("items") or found.tables.get("orders")
    if lines is None or {"items", "orders"} <= found.tables.keys():
        return
    both = column_for(lines, "items", "Quantity") and column_for(lines, "orders", "OrderDate")
    number = next((name for name in ORDER_NUMBERS if name in lines), None)
    if both and number:
        found.tables.pop("orders", None)
        found.tables["items"] = lines
        found.flat = number


def _score(table: FoundTable, kind: str) -> int:
    name = bare(table.name)
    words = TABLES[kind]
    score = 6 if name in words else 3 if any(name.endswith(f"_{word}") for word in words) else 0
    if kind == "orders" and any(word in name for word in ("item", "line", "detail", "position")):
        return 0
    telling = [one for one in _TELLING[kind] if column_for(table, kind, one)]
    score += 2 * len(telling) if score or len(telling) == len(_TELLING[kind]) else 0
    # A table of nothing but keys joins two others.
    return score if telling else 0


def column_for(table: FoundTable, kind: str, wanted: str, taken: Iterable[str] = ()) -> str | None:
    """Return the column of a table that seems to hold a field."""
    whole, ends = FIELDS[kind][wanted]
    fits = KINDS.get(wanted)
    names = [
        one.name
        for one in table.columns
        if one.name not in taken and (fits is None or one.kind in fits)
    ]
    exact = [name for word in whole for name in names if name.lower() == word]
    longer = [name for word in ends for name in names if name.lower().endswith(f"_{word}")]
    return next(iter([*exact, *longer]), None)
