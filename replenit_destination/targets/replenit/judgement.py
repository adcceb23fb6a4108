"""From an assembled row to a verdict: ready, alone, or refused with field and reason.

The order of decisions: what is absent is removed, lines are gathered, the contract validates all in
one call, broken optional fields are left out and the rest validated again, computed fields are
filled in, and what the vendor's pages disagree about decides the lane. Most rows are plain: they
pass a stricter schema first, are sound by every page, and no more is asked of them.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import ValidationError

from replenit_destination.engine.documents import Lane, child_key
from replenit_destination.engine.target import Judgement
from replenit_destination.targets.replenit.lines import gather
from replenit_destination.targets.replenit.schemas import compile_schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from replenit_destination.targets.replenit.configuration import ReplenitSettings
    from replenit_destination.targets.replenit.schemas import Schema

__all__ = ["CHILD_KEYS", "Judge"]

CHILD_KEYS = {"orders": ("ProductId", "Sku"), "products": ("VariantId",)}
"""The fields that identify a child document within its parent; E6 and E8 delete by them."""

Note = tuple[str, str]

_STOCK_REASONS = {
    "missing": "is missing",
    "too_short": "holds nothing that can be sent",
    "list_type": "must be a list",
    "dict_type": "must be an object",
}
_GUEST = "guest"


class _Checked(NamedTuple):
    """What the contract says; `plain` when every page of the vendor allows the payload."""

    payload: dict[str, Any]
    refusals: tuple[Note, ...] = ()
    omitted: tuple[Note, ...] = ()
    plain: bool = False


class Judge:
    """Judges rows under one shop's settings.

    Args:
        settings: Which of the vendor's readings apply.
        tomorrow: Orders dated later than this (same form as an OrderDate) get a warning.
    """

    def __init__(self, settings: ReplenitSettings, *, tomorrow: str) -> None:
        self.schemas = compile_schemas(settings)
        self._settings = settings
        self._tomorrow = tomorrow
        self._judges = {
            "customers": self._customer,
            "orders": self._order,
            "products": self._product,
        }

    def __call__(self, entity: str, row: Mapping[str, Any]) -> Judgement:
        """Return the verdict on one assembled row."""
        return self._judges[entity](_present(row))

    def _customer(self, row: dict[str, Any]) -> Judgement:
        # always sent: absent means false to the vendor, and silence is no consent (K7)
        row.setdefault("GdprOptin", False)
        schema = self.schemas["customers"]
        payload, refusals, omitted, plain = self._validate(schema, row)
        if refusals:
            return Judgement({}, refusals=refusals, omitted=omitted)
        warnings = _shortened(schema, row, payload)
        doubt = "" if plain else _doubt(schema, payload)
        return _verdict(payload, doubt, omitted=omitted, warnings=warnings)

    def _product(self, row: dict[str, Any]) -> Judgement:
        schema = self.schemas["products"]
        variants = _children(row, "ProductVariants")
        row["ProductVariants"] = [_present(variant) for variant in variants]
        if isinstance(row.get("Taxonomy"), list):
            row["Taxonomy"] = [one for one in row["Taxonomy"] if not _blank(one)]
        payload, refusals, omitted, plain = self._validate(schema, row)
        if not refusals:
            refusals = _repeated(payload["ProductVariants"], "VariantId")
        if not refusals and self._settings.product_identifier_priority == "sku":
            refusals = _repeated(payload["ProductVariants"], "Sku")
        if refusals:
            return Judgement({}, refusals=refusals, omitted=omitted)
        warnings = (
            *_shortened(schema, row, payload),
            *_repeated(payload["ProductVariants"], "Sku"),
        )
        keys = _keys("products", payload["ProductVariants"])
        doubt = "" if plain else _doubt(schema, payload)
        return _verdict(payload, doubt, omitted=omitted, warnings=warnings, children=keys)

    def _order(self, row: dict[str, Any]) -> Judgement:
        schema = self.schemas["orders"]
        combine = self._settings.duplicate_lines == "combine"
        lines = gather(_children(row, "OrderItems"), combine=combine)
        row["OrderItems"] = lines.rows
        dropped = tuple(lines.dropped)
        if skipped := self._of_nobody(row):
            return Judgement({}, skipped=skipped, dropped=dropped)
        payload, refusals, omitted, plain = self._validate(schema, row, lines.positions)
        refusals = (*lines.refusals, *refusals)
        if refusals:
            return Judgement({}, refusals=refusals, omitted=omitted, dropped=dropped)
        _complete(payload, cancelled=lines.all_returned)
        return _verdict(
            payload,
            _unsure_identity(payload) or ("" if plain else _doubt(schema, payload)),
            omitted=omitted,
            dropped=dropped,
            warnings=(*lines.warnings, *self._order_warnings(schema, row, payload)),
            children=_keys("orders", payload["OrderItems"]),
        )

    def _of_nobody(self, row: dict[str, Any]) -> Note | None:
        """Return why the order belongs to nobody known; apply the choice for guests.

        The vendor would ignore or refuse an order without the identifier that the tenant matches by
        (K8); guests are real-shops.md rule 9.
        """
        email = row.get("Email")
        if "CustomerId" not in row and isinstance(email, str):
            if self._settings.guest_orders == "drop":
                return "CustomerId", "is empty: a guest order, and guests = `drop`"
            if self._settings.guest_orders == "derive":
                row["CustomerId"] = "guest-" + hashlib.sha256(email.encode()).hexdigest()[:32]
        key = self._settings.customer_key
        return None if key in row else (key, "is empty: the order belongs to nobody known")

    def _order_warnings(
        self, schema: Schema, row: Mapping[str, Any], payload: Mapping[str, Any]
    ) -> tuple[Note, ...]:
        notes = _shortened(schema, row, payload)
        if payload["OrderDate"] > self._tomorrow:
            notes = (*notes, ("OrderDate", "lies in the future"))
        return notes

    def _validate(
        self, schema: Schema, row: dict[str, Any], positions: Sequence[int] = ()
    ) -> _Checked:
        """Return the payload, the refusals and the fields left out."""
        try:
            return _Checked(schema.validate_plain(row), plain=True)
        except ValidationError:
            pass  # not plain; perhaps not sound either
        try:
            return _Checked(schema.validate(row))
        except ValidationError as error:
            complaints = error.errors(include_url=False, include_input=False)
        refusals: dict[str, str] = {}
        omitted: dict[str, str] = {}
        for complaint in complaints:
            owner, holder, place = _locate(schema, row, complaint["loc"], positions)
            reason = _reason(complaint)
            name = place.rpartition(".")[2]
            if self._settings.optional_invalid == "omit" and owner.may_omit(name):
                omitted[place] = reason
                holder.pop(name, None)
            else:
                refusals.setdefault(place, reason)
        if refusals:
            return _Checked({}, tuple(refusals.items()), tuple(omitted.items()))
        return _Checked(schema.validate(row), omitted=tuple(omitted.items()))


def _unsure_identity(payload: Mapping[str, Any]) -> str:
    """Return the class of doubt about an order's identifiers; empty: none."""
    # [R] wants both identifiers, [G:orders] either: one alone is not sure (K8)
    if "Email" not in payload or "CustomerId" not in payload:
        return _GUEST
    for line in payload["OrderItems"]:
        if "Sku" not in line:
            return "line without Sku"
        if "ProductId" not in line:
            return "line without ProductId"
    return ""


def _verdict(payload: Mapping[str, Any], doubt: str, **notes: tuple[Any, ...]) -> Judgement:
    lane = Lane.SOLO if doubt else Lane.BATCH
    return Judgement(payload, lane=lane, solo_class=doubt, **notes)


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None and value != ""}


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _children(row: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    children = row.get(name)
    return [one for one in children if isinstance(one, dict)] if isinstance(children, list) else []


def _locate(
    schema: Schema, row: dict[str, Any], where: tuple[int | str, ...], positions: Sequence[int]
) -> tuple[Schema, dict[str, Any], str]:
    """Return the schema and the row that own the place, and the place as a person writes it."""
    if schema.child is None or where[0] != schema.property or len(where) < 3:
        return schema, row, str(where[0])
    index = int(where[1])
    position = positions[index] if positions else index
    place = f"{schema.property}[{position}].{where[2]}"
    return schema.child, row[schema.property][index], place


def _reason(complaint: Mapping[str, Any]) -> str:
    if complaint["type"] == "replenit":
        return str(complaint["ctx"]["reason"])
    return _STOCK_REASONS.get(complaint["type"], "has a form that cannot be sent")


def _complete(payload: dict[str, Any], *, cancelled: bool) -> None:
    """Fill in what the vendor would otherwise default to 1 (K11)."""
    lines = payload["OrderItems"]
    if "TotalRevenue" not in payload:
        revenue = (line["Price"] * line["Quantity"] for line in lines)
        payload["TotalRevenue"] = sum(revenue, Decimal())
    if "TotalQuantity" not in payload:
        payload["TotalQuantity"] = sum(line["Quantity"] for line in lines)
    if "UniqueQuantity" not in payload:
        payload["UniqueQuantity"] = len({line.get("Sku", line.get("ProductId")) for line in lines})
    if cancelled:
        payload["IsOrderCancelled"] = True


def _keys(entity: str, children: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    fields = CHILD_KEYS[entity]
    keys = [child_key(*[one.get(name, "") for name in fields]) for one in children]
    return tuple(dict.fromkeys(keys))


def _doubt(schema: Schema, payload: Mapping[str, Any]) -> str:
    """Return the class of doubt: a field longer than every page allows; empty: none."""
    for name, agreed in schema.doubts:
        value = payload.get(name)
        if value is not None and 2 * len(value) > agreed and _units(value) > agreed:
            return f"long {name}"
    if schema.child is not None:
        for child in payload[schema.property]:
            doubt = _doubt(schema.child, child)
            if doubt:
                return doubt
    return ""


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _repeated(children: Sequence[Mapping[str, Any]], name: str) -> tuple[Note, ...]:
    seen: set[str] = set()
    notes = []
    for index, child in enumerate(children):
        if child[name] in seen:
            notes.append((f"ProductVariants[{index}].{name}", "occurs twice in this product"))
        seen.add(child[name])
    return tuple(notes)


def _shortened(
    schema: Schema, row: Mapping[str, Any], payload: Mapping[str, Any]
) -> tuple[Note, ...]:
    """Return a warning for every text that was cut."""
    if not schema.may_cut:
        return ()
    notes = [(name, "was cut") for name in schema.cuts if row.get(name) != payload.get(name)]
    if schema.child is not None and schema.child.cuts:
        pairs = zip(row[schema.property], payload[schema.property], strict=True)
        for index, (before, after) in enumerate(pairs):
            found = _shortened(schema.child, before, after)
            notes += [(f"{schema.property}[{index}].{name}", text) for name, text in found]
    return tuple(notes)
