"""The contracts under one shop's settings: its caps, its requirements, its extra fields.

A `Schema` is derived from the pydantic model of the entity; nothing here knows a limit of its own.
It validates rows into plain dictionaries that hold just the fields that are present, in one call
into pydantic's core: this is three times faster than building model instances and taking them apart
again. Most rows are plain: they pass a stricter schema that calls no Python at all.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from types import NoneType
from typing import TYPE_CHECKING, get_args

from pydantic_core import SchemaValidator, core_schema

from replenit_destination.engine.target import Kind
from replenit_destination.exceptions import SettingsError
from replenit_destination.targets.replenit import formats
from replenit_destination.targets.replenit.contracts import (
    Contract,
    Customer,
    Order,
    OrderItem,
    Product,
    ProductVariant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replenit_destination.targets.replenit.configuration import ReplenitSettings

__all__ = ["Field", "Schema", "compile_schemas"]

_EXTRA_RULES: Mapping[str, formats.Rule] = {
    Kind.TEXT: formats.Text(),
    Kind.INTEGER: formats.Whole(),
    Kind.DECIMAL: formats.Money(),
    Kind.BOOLEAN: formats.Flag(),
    Kind.TIMESTAMP: formats.Moment(),
    Kind.TEXTS: formats.Texts(),
}
_DISPLAY_TEXTS = frozenset(
    {
        "customers.Name",
        "customers.Surname",
        "customers.Username",
        "orders.items.Brand",
        "orders.items.Color",
        "products.ProductName",
        "products.variants.BrandName",
        "products.variants.Name",
    }
)  # Size is left out: it must read the same on line and variant


@dataclass(frozen=True, slots=True)
class Field:
    """One field under the settings."""

    name: str
    rule: formats.Rule
    required: bool

    @property
    def agreed(self) -> int | None:
        """The length above which the vendor's pages differ, where they do."""
        rule = self.rule
        if isinstance(rule, formats.Text) and rule.agreed is not None and rule.agreed != rule.most:
            return rule.agreed
        return None


class Schema:
    """One contract under the settings.

    Args:
        path: The mapping's name for it: `orders`, `orders.items`.
        fields: In the order in which they are sent.
        child: The schema of the child documents, with the property that holds them.
    """

    def __init__(
        self, path: str, fields: Iterable[Field], child: tuple[str, Schema] | None = None
    ) -> None:
        self.path = path
        self.fields = {one.name: one for one in fields}
        self.property: str = child[0] if child else ""
        self.child: Schema | None = child[1] if child else None
        self.doubts = tuple(
            (one.name, one.agreed) for one in self.fields.values() if one.agreed is not None
        )
        self.cuts = tuple(
            one.name for one in self.fields.values() if getattr(one.rule, "truncate", False)
        )
        self.may_cut: bool = bool(self.cuts) or (child is not None and child[1].may_cut)
        self.validate = SchemaValidator(self._core(plain=False)).validate_python
        self.validate_plain = SchemaValidator(self._core(plain=True)).validate_python

    def may_omit(self, name: str) -> bool:
        """Whether the field can be left out when its value is broken."""
        known = self.fields.get(name)
        return known is not None and not known.required and not known.rule.critical

    def _core(self, *, plain: bool) -> core_schema.TypedDictSchema:
        entries = {
            one.name: core_schema.typed_dict_field(
                one.rule.plain() if plain else one.rule.schema(), required=one.required
            )
            for one in self.fields.values()
        }
        if self.child is not None:
            child = self.child._core(plain=plain)  # noqa: SLF001  # our own class
            children = core_schema.list_schema(child, min_length=1)
            entries[self.property] = core_schema.typed_dict_field(children, required=True)
        return core_schema.typed_dict_schema(entries, extra_behavior="ignore")


def compile_schemas(settings: ReplenitSettings) -> Mapping[str, Schema]:
    """Return the schema of every entity under the settings.

    Raises:
        SettingsError: A setting names a field that does not exist or cannot be treated so.
    """
    rules = {
        **_read("customers", Customer),
        **_read("orders", Order),
        **_read("orders.items", OrderItem),
        **_read("products", Product),
        **_read("products.variants", ProductVariant),
    }
    _add_extras(rules, settings.extra_fields)
    _apply_caps(rules, settings.caps)
    _apply_truncation(rules, settings.truncate)
    _apply_policies(rules, settings)
    _apply_requirements(rules, settings)
    return {
        "customers": Schema("customers", _under(rules, "customers")),
        "orders": Schema(
            "orders",
            _under(rules, "orders"),
            ("OrderItems", Schema("orders.items", _under(rules, "orders.items"))),
        ),
        "products": Schema(
            "products",
            _under(rules, "products"),
            ("ProductVariants", Schema("products.variants", _under(rules, "products.variants"))),
        ),
    }


def _read(path: str, contract: type[Contract]) -> dict[str, Field]:
    """Return field path → field for every plain field of the contract, children excepted."""
    fields = {}
    for name, info in contract.model_fields.items():
        rule = next((one for one in info.metadata if isinstance(one, formats.Rule)), None)
        if rule is not None:
            fields[f"{path}.{name}"] = Field(name, rule, NoneType not in get_args(info.annotation))
    return fields


def _under(rules: Mapping[str, Field], path: str) -> list[Field]:
    return [one for place, one in rules.items() if place.rpartition(".")[0] == path]


def _add_extras(rules: dict[str, Field], extras: Mapping[str, str]) -> None:
    paths = {place.rpartition(".")[0] for place in rules}
    for place, kind in extras.items():
        path, _, name = place.rpartition(".")
        if path not in paths or place in rules or not name.isidentifier():
            message = f"extra_fields: `{place}` is not a new field of {', '.join(sorted(paths))}."
            raise SettingsError(message)
        if kind not in _EXTRA_RULES:
            message = f"extra_fields: `{place}` has no kind among {', '.join(_EXTRA_RULES)}."
            raise SettingsError(message)
        rules[place] = Field(name, _EXTRA_RULES[kind], required=False)


def _apply_caps(rules: dict[str, Field], caps: Mapping[str, int]) -> None:
    for place, most in caps.items():
        rule = _text_rule("caps", rules, place)
        if not isinstance(most, int) or most < 1:
            message = f"caps: `{place}` must be a whole number of at least 1."
            raise SettingsError(message)
        rules[place] = replace(rules[place], rule=replace(rule, most=most, agreed=None))


def _apply_truncation(rules: dict[str, Field], places: Iterable[str]) -> None:
    for place in places:
        rule = _text_rule("truncate", rules, place)
        if place not in _DISPLAY_TEXTS or rule.sure is None:
            allowed = ", ".join(sorted(_DISPLAY_TEXTS))
            message = f"truncate: `{place}` must never be altered; possible are {allowed}."
            raise SettingsError(message)
        rules[place] = replace(
            rules[place], rule=replace(rule, most=rule.sure, agreed=None, truncate=True)
        )


def _apply_policies(rules: dict[str, Field], settings: ReplenitSettings) -> None:
    for place, known in rules.items():
        rule = known.rule
        if settings.uncertain == "reject" and known.agreed is not None:
            rule = replace(_text_rule("uncertain", rules, place), most=known.agreed, agreed=None)
        if settings.language_fallback and isinstance(rule, formats.Language):
            rule = replace(rule, fallback=True)
        rules[place] = replace(known, rule=rule)


def _apply_requirements(rules: dict[str, Field], settings: ReplenitSettings) -> None:
    key = settings.customer_key
    required = {f"customers.{key}", f"orders.{key}", *settings.required_fields}
    if settings.uncertain == "reject":
        required |= {"orders.items.ProductId", "orders.items.Sku"}
    for place in required:
        rules[place] = replace(_known("required_fields", rules, place), required=True)
    if settings.compute_total_revenue:
        rules["orders.TotalRevenue"] = replace(rules["orders.TotalRevenue"], required=False)


def _text_rule(setting: str, rules: Mapping[str, Field], place: str) -> formats.Text:
    rule = _known(setting, rules, place).rule
    if not isinstance(rule, formats.Text):
        message = f"{setting}: `{place}` is not a text field."
        raise SettingsError(message)
    return rule


def _known(setting: str, rules: Mapping[str, Field], place: str) -> Field:
    if place in rules:
        return rules[place]
    nearest = difflib.get_close_matches(place, rules, n=1)
    hint = f" (did you mean `{nearest[0]}`?)" if nearest else ""
    message = f"{setting}: no field `{place}`{hint}."
    raise SettingsError(message)
