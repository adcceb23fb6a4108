"""Which documents of a batch are accepted, skipped or refused: the field tables as checks.

A second, independent reading of the vendor's pages: nothing here comes from the client's contracts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox.replenit import formats
from replenit_destination.sandbox.replenit.fields import (
    ENTITIES,
    GITBOOK_ORDER_DEFAULTS,
    PROFILE_PAGES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replenit_destination.sandbox.faults import Poison
    from replenit_destination.sandbox.replenit.fields import Dto, Entity, Field
    from replenit_destination.sandbox.replenit.formats import Check
    from replenit_destination.sandbox.replenit.switches import Switches

__all__ = ["Complaint", "Rules", "Verdict"]

MISSING_IDENTIFIER = "At least one of the following properties must have a value: CustomerId, Email"
_TIMESTAMP_GRADES = {"strict": "strict", "reference": "utc"}  # K14; the others take any zone


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one value. `index` is the document's place, None for the whole body."""

    index: int | None
    pointer: (
        str  # the field, with its place for a child's: "OrderItems[2].Sku"; empty for the document
    )
    message: str

    @property
    def missing_identifier(self) -> bool:
        """Whether it is the refusal that [D:err] shows without naming the record (F3)."""
        return self.message == MISSING_IDENTIFIER


@dataclass(slots=True)
class Verdict:
    """The judgement over a batch: what to store, how many to skip, what to refuse."""

    accepted: list[dict[str, Any]] = field(default_factory=list)
    ignored: int = 0
    complaints: list[Complaint] = field(default_factory=list)


class _DtoRules:
    """The compiled checks of one DTO under one profile and one set of switches."""

    def __init__(self, dto: Dto, profile: str, switches: Switches) -> None:
        self.name = dto.name
        self._switches = switches
        self._pages = PROFILE_PAGES[profile]
        demanded = _demanded(dto.name, switches.required_fields)
        self.required = frozenset(
            name
            for name, each in dto.fields.items()
            if name in demanded or self._pages.intersection(each.required)
        )
        self.checks: dict[str, Check] = {
            name: self._check(name, each, profile) for name, each in dto.fields.items()
        }
        self._folded = {name.lower(): name for name in dto.fields}
        self.unknown: Counter[str] = Counter()

    def _check(self, name: str, each: Field, profile: str) -> Check:
        switches = self._switches
        strict_quantities = switches.quantities == "strict" or (
            switches.quantities == "profile" and profile == "strict"
        )
        minimum = each.minimum if strict_quantities else None
        if each.type == "text":
            caps = [cap for page, cap in each.caps.items() if page in self._pages]
            cap = switches.caps.get(f"{self.name}.{name}", min(caps, default=0))
            pattern = each.pattern if self._pages.intersection(each.pattern_pages) else ""
            return formats.text(cap, switches.length_unit, pattern, filled=name in self.required)
        if each.type == "timestamp":
            grade = switches.timestamps
            if grade == "profile":
                grade = _TIMESTAMP_GRADES.get(profile, "lenient")
            return formats.timestamp(grade)
        return {
            "integer": formats.integer(minimum),
            "number": formats.number(minimum),
            "boolean": formats.boolean,
            "texts": formats.texts,
            "children": _children,
        }[each.type]

    def check(self, document: dict[str, Any]) -> list[tuple[str, str]] | None:
        """Settle nulls and unknown names in place; return (field, message) of every fault."""
        faults: list[tuple[str, str]] = []
        odd: list[str] = []
        checks = self.checks
        for name, value in document.items():
            check = checks.get(name)
            if check is None or value is None:
                odd.append(name)
            elif (wrong := check(value)) is not None:
                faults.append((name, wrong))
        if odd:
            self._settle(document, odd, faults)
        if not self.required <= document.keys():
            absent = sorted(self.required - document.keys())
            faults.extend((name, f"The {name} field is required.") for name in absent)
        return faults or None

    def _settle(
        self, document: dict[str, Any], odd: list[str], faults: list[tuple[str, str]]
    ) -> None:
        switches = self._switches
        for name in odd:
            value = document.pop(name)
            known = name
            if name not in self.checks and switches.property_case == "insensitive":
                known = self._folded.get(name.lower(), name)
            if known not in self.checks:
                self.unknown[f"{self.name}.{name}"] += 1
                if switches.unknown_properties == "refuse":
                    faults.append((name, "The property is not known."))
            elif value is None:
                if switches.nulls == "refuse":
                    faults.append((known, "The value may not be null."))
                elif switches.nulls == "clear" and known not in self.required:
                    document[known] = None
            elif known not in document:
                document[known] = value
                if (wrong := self.checks[known](value)) is not None:
                    faults.append((known, wrong))


class Rules:
    """The verdicts of one tenant: a profile and its switches, compiled once."""

    def __init__(self, profile: str, switches: Switches) -> None:
        if profile not in PROFILE_PAGES:
            message = f"profile is one of {', '.join(PROFILE_PAGES)}, not {profile!r}"
            raise ValueError(message)
        self.profile = profile
        self.switches = switches
        self._reference = "R" in PROFILE_PAGES[profile]
        self._dtos = {
            dto.name: _DtoRules(dto, profile, switches)
            for entity in ENTITIES.values()
            for dto in (entity.dto, entity.child)
            if dto is not None
        }
        self._order_date_lenient = switches.timestamps == "lenient" or (
            switches.timestamps == "profile" and profile not in _TIMESTAMP_GRADES
        )

    @property
    def unknown_properties(self) -> Counter[str]:
        """Every property that no page names, as `Order.Foo`, with how often it was sent (Q29)."""
        return sum((rules.unknown for rules in self._dtos.values()), Counter())

    def defaults(self, entity: str) -> dict[str, Any]:
        """Return what absent fields become on creation, `OrderDate` of GitBook aside."""
        values = ENTITIES[entity].dto.defaults()
        if entity == "orders" and self.profile == "gitbook":
            values |= GITBOOK_ORDER_DEFAULTS
        return values

    def child_defaults(self, entity: str) -> dict[str, Any]:
        """Return what absent fields of a child become on creation."""
        child = ENTITIES[entity].child
        return child.defaults() if child else {}

    @property
    def fills_order_date(self) -> bool:
        """Whether an order without a date gets the server's time (K10)."""
        return self.profile == "gitbook"

    def judge(
        self, entity_name: str, documents: list[Any], poisons: Iterable[Poison] = ()
    ) -> Verdict:
        """Check a whole batch. The documents are settled in place: unknown names and nulls go."""
        entity = ENTITIES[entity_name]
        verdict = Verdict()
        seen: set[str] = set()
        poisonous = [each for each in poisons if each.entity in (None, entity_name)]
        for index, document in enumerate(documents):
            if type(document) is not dict:
                verdict.complaints.append(Complaint(index, "", "The value must be an object."))
                continue
            faults = self._faults(entity, document)
            if self.switches.duplicates == "refuse" and not faults:
                faults = self._duplicate(entity, document, seen)
            skipped = False
            if poisonous and not faults:
                faults, skipped = _poisoned(entity, document, poisonous)
            if faults:
                verdict.complaints.extend(Complaint(index, *fault) for fault in faults)
            elif skipped or self._lacks_priority(entity_name, document):
                verdict.ignored += 1
            else:
                verdict.accepted.append(document)
        return verdict

    def _faults(self, entity: Entity, document: dict[str, Any]) -> list[tuple[str, str]] | None:
        path = entity.path
        if path != "products":
            for name in ("CustomerId", "Email"):
                value = document.get(name)
                if type(value) is str and (not value or value.isspace()):
                    del document[name]  # [C]: blank identifiers count as missing
        faults = self._dtos[entity.dto.name].check(document)
        if path == "customers":
            if document.get("CustomerId") is None and document.get("Email") is None:
                return [*(faults or ()), ("", MISSING_IDENTIFIER)]
            return faults
        children = document.get(entity.child_property)
        if type(children) is list:
            nested = self._child_faults(entity, children)
            if nested:
                faults = [*(faults or ()), *nested]
        if path == "orders" and self._order_date_lenient and not faults and "OrderDate" in document:
            document["OrderDate"] = document["OrderDate"] and formats.utc(document["OrderDate"])
        return faults

    def _child_faults(self, entity: Entity, children: list[Any]) -> list[tuple[str, str]]:
        name = entity.child_property
        faults: list[tuple[str, str]] = []
        if not children and self._reference:
            # K9: empty OrderItems is 400 in [R]. K19: [R] wants one variant even in a simple
            # product.
            faults.append((name, "The list must hold at least one element."))
        assert entity.child is not None  # noqa: S101 - only entities with children come here
        rules = self._dtos[entity.child.name]
        for place, child in enumerate(children):
            if type(child) is not dict:
                faults.append((f"{name}[{place}]", "The value must be an object."))
                continue
            wrong = rules.check(child)
            if wrong:
                faults.extend((f"{name}[{place}].{each}", message) for each, message in wrong)
            elif entity.path == "orders" and not (child.get("ProductId") or child.get("Sku")):
                faults.append((f"{name}[{place}].ProductId", formats.REQUIRED))  # K13
        return faults

    def _lacks_priority(self, entity: str, document: dict[str, Any]) -> bool:
        """Whether a record is skipped for want of the tenant's identifier: K1, orders by K8."""
        if entity == "products" or (entity == "orders" and self.profile != "docs-1.1"):
            return False
        priority = self.switches.customer_priority
        if priority == "reference":
            return document.get("CustomerId") is None and document.get("Email") is None
        return document.get("Email" if priority == "email" else "CustomerId") is None

    def _duplicate(
        self, entity: Entity, document: dict[str, Any], seen: set[str]
    ) -> list[tuple[str, str]] | None:
        name = entity.key_fields[0]
        if entity.path == "customers" and self.switches.customer_priority == "email":
            name = "Email"
        key = document.get(name)
        if key is None:
            return None
        if key in seen:
            return [(name, "The batch holds this key twice.")]
        seen.add(key)
        return None


def _children(value: Any) -> str | None:
    return None if type(value) is list else "The value must be an array."


def _demanded(dto: str, names: Iterable[str]) -> set[str]:
    """Return the fields of one DTO that the tenant requires; a bare name is a customer's (K7)."""
    full = (name if "." in name else f"Customer.{name}" for name in names)
    return {name.partition(".")[2] for name in full if name.partition(".")[0] == dto}


def _poisoned(
    entity: Entity, document: dict[str, Any], poisons: list[Poison]
) -> tuple[list[tuple[str, str]] | None, bool]:
    keys = [document[name] for name in entity.key_fields if document.get(name) is not None]
    for poison in poisons:
        if poison.matches(entity.path, keys):
            if poison.outcome == "ignore":
                return None, True
            return [(poison.field or entity.key_fields[0], poison.message)], False
    return None, False
