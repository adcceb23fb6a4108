"""Order lines before they are judged: unlinkable ones dropped, returns netted, doubles combined.

    lines of the source → without ProductId and Sku: dropped (tips; real-shops.md rule 14)
                        → of quantity 0: dropped
                        → negative: taken off the line they return (rule 15)
                        → several of one ProductId and Sku: one line (K17)

Quantities and prices arrive as text and are only read where arithmetic is needed; a value that
cannot be read stays as it is, for the contract to refuse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Lines", "gather"]

Row = dict[str, Any]
Note = tuple[str, str]

_PRICE_PLACES = Decimal("0.000001")
_COMBINED = "lines of one product and SKU were combined; prices are weighted by quantity"


@dataclass(slots=True)
class Lines:
    """Lines ready to be judged. `positions` tells for each where the source had it.

    `all_returned` says that every line was returned: then `rows` are the original ones and the
    order counts as cancelled (real-shops.md rule 13).
    """

    rows: list[Row] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    refusals: list[Note] = field(default_factory=list)
    dropped: list[Note] = field(default_factory=list)
    warnings: list[Note] = field(default_factory=list)
    all_returned: bool = False


@dataclass(slots=True)
class _Sold:
    """A line of a group under settlement, with the units that are left of it."""

    row: Row
    position: int
    units: int
    price: Decimal | None
    left: int


def gather(rows: Sequence[Mapping[str, Any]], *, combine: bool) -> Lines:
    """Return the lines of one order that are to be judged.

    Args:
        rows: The source's lines; empty texts and nulls count as absent.
        combine: Whether lines of one ProductId and Sku become one.
    """
    lines = Lines()
    keys = set()
    returns = False
    for position, source in enumerate(rows):
        row = {name: value for name, value in source.items() if value is not None and value != ""}
        key = _key(row)
        if key == (None, None):
            lines.dropped.append((f"OrderItems[{position}]", "has neither ProductId nor Sku"))
            continue
        quantity = str(row.get("Quantity", ""))
        if quantity[:1] in "-0":
            if "0" in quantity and not quantity.strip("-0."):
                lines.dropped.append((f"OrderItems[{position}].Quantity", "is 0"))
                continue
            returns = returns or quantity[:1] == "-"
        keys.add(key)
        lines.rows.append(row)
        lines.positions.append(position)
    if returns or len(keys) < len(lines.rows):
        return _settle(lines, combine=combine)
    return lines


def _settle(lines: Lines, *, combine: bool) -> Lines:
    settled = Lines(dropped=lines.dropped)
    original: list[_Sold] = []
    for group in _groups(lines):
        sold = _read(group)
        if sold is None:  # not arithmetic: the contract will say why
            settled.rows += [row for row, _ in group]
            settled.positions += [position for _, position in group]
            continue
        _net(settled, sold)
        sold = [line for line in sold if line.units > 0]
        original += sold
        _keep(settled, [line for line in sold if line.left > 0], combine=combine)
    if not settled.rows and not settled.refusals and original:
        settled.all_returned = True
        for line in original:
            line.left = line.units
        for key_group in _by_key(original):
            _keep(settled, key_group, combine=combine)
    return settled


def _key(row: Mapping[str, Any]) -> tuple[str | None, str | None]:
    # what is no text goes on to the contract, which refuses it
    product, sku = row.get("ProductId"), row.get("Sku")
    return (
        product if product is None or isinstance(product, str) else repr(product),
        sku if sku is None or isinstance(sku, str) else repr(sku),
    )


def _groups(lines: Lines) -> list[list[tuple[Row, int]]]:
    groups: dict[tuple[str | None, str | None], list[tuple[Row, int]]] = {}
    for row, position in zip(lines.rows, lines.positions, strict=True):
        groups.setdefault(_key(row), []).append((row, position))
    return list(groups.values())


def _by_key(lines: Sequence[_Sold]) -> list[list[_Sold]]:
    groups: dict[tuple[str | None, str | None], list[_Sold]] = {}
    for line in lines:
        groups.setdefault(_key(line.row), []).append(line)
    return list(groups.values())


def _read(group: Sequence[tuple[Row, int]]) -> list[_Sold] | None:
    """Return the group as numbers, or None when a quantity or a sold line's price is none."""
    read = []
    for row, position in group:
        quantity, price = _number(row.get("Quantity")), _number(row.get("Price"))
        if quantity is None or quantity != int(quantity):
            return None
        if quantity > 0 and (price is None or price < 0):
            return None
        read.append(_Sold(row, position, int(quantity), price, max(int(quantity), 0)))
    return read


def _net(settled: Lines, lines: Sequence[_Sold]) -> None:
    """Take each returned unit off a sold line: of the same price first, then the last one."""
    sold = [line for line in lines if line.units > 0]
    for back in (line for line in lines if line.units < 0):
        owed = -back.units
        paid = None if back.price is None else abs(back.price)
        for line in sorted(sold, key=lambda line: (line.price != paid, -line.position)):
            taken = min(owed, line.left)
            line.left -= taken
            owed -= taken
        if owed:
            reason = "returns more than this order sold; map returns onto the order they belong to"
            settled.refusals.append((f"OrderItems[{back.position}].Quantity", reason))


def _keep(settled: Lines, lines: Sequence[_Sold], *, combine: bool) -> None:
    if not lines:
        return
    if combine and len(lines) > 1:
        row, differ = _combined(lines)
        settled.rows.append(row)
        settled.positions.append(lines[0].position)
        if differ:
            settled.warnings.append((f"OrderItems[{lines[0].position}]", _COMBINED))
        return
    settled.rows += [{**line.row, "Quantity": line.left} for line in lines]
    settled.positions += [line.position for line in lines]


def _combined(lines: Sequence[_Sold]) -> tuple[Row, bool]:
    """Return one line for all, and whether they differed in more than their quantity."""
    row: Row = {}
    for line in lines:
        for name, value in line.row.items():
            row.setdefault(name, value)
    differ = any(_differs(name, lines) for name in row if name not in {"Quantity", "_line"})
    row["Quantity"] = sum(line.left for line in lines)
    row["Price"] = _weighted([(line.price or Decimal(), line.left) for line in lines])
    before = [(_number(line.row.get("OriginalPrice")), line.left) for line in lines]
    known = [(price, units) for price, units in before if price is not None and price >= 0]
    if len(known) == len(lines):
        row["OriginalPrice"] = _weighted(known)
    elif not any(
        "OriginalPrice" in line.row and price is None
        for line, (price, _) in zip(lines, before, strict=True)
    ):
        row.pop("OriginalPrice", None)
    gifts = [line.row.get("IsGift") for line in lines]
    if "IsGift" in row and all(gift is None or isinstance(gift, bool) for gift in gifts):
        row["IsGift"] = all(gifts)
    return row, differ


def _differs(name: str, lines: Sequence[_Sold]) -> bool:
    values = [line.row.get(name) for line in lines]
    if name in {"Price", "OriginalPrice"}:
        values = [_number(value) for value in values]
    return any(value != values[0] for value in values)


def _weighted(prices: Sequence[tuple[Decimal, int]]) -> Decimal:
    """Return the mean price per unit, exact where six decimals suffice."""
    if len({price for price, _ in prices}) == 1:
        return prices[0][0]
    with localcontext(prec=60):
        total = sum((price * units for price, units in prices), Decimal())
        return (total / sum(units for _, units in prices)).quantize(_PRICE_PLACES)


def _number(value: object) -> Decimal | None:
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**15 else None
