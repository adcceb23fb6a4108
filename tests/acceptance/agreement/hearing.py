"""What the client's contracts and the sandbox's rules say about one row, and where they differ.

row ── judged ──> ready in a batch:  every profile must take it and store it as sent
                  ready alone:       a refusal is a doubt
                  note about a field: a profile complains about that field too, or it is a rule
                                      of ours
row ── as it is ─> complaint where the judgement has no note: the judgement mended the value
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from replenit_destination.engine.batching import pack
from replenit_destination.engine.canonical import canonical
from replenit_destination.engine.documents import Document, Lane
from replenit_destination.engine.target import Kind, Request, Ruling
from replenit_destination.sandbox import PROFILES, TENANT_ID
from tests.acceptance.agreement.rows import CHILDREN, SOUND, generate
from tests.acceptance.agreement.shops import SHOPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from replenit_destination.engine.target import Answer, EntitySpec, FieldSpec, Judgement
    from replenit_destination.targets.replenit.target import ReplenitTarget
    from tests.acceptance.agreement.shops import Shop
    from tests.doubles.sandboxed import ServiceTransport

__all__ = ["Complaint", "Finding", "Findings", "hear"]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_CHILD_KEYS = {"orders": ("ProductId", "Sku"), "products": ("VariantId",)}


class Complaint(NamedTuple):
    """What the sandbox has against a place: missing, long, form, or ignored (a 200 that skips)."""

    place: str  # with the children's positions: "OrderItems[1].Sku"; empty: the whole document
    kind: str


class Finding(NamedTuple):
    """A disagreement by what it is about, so that many rows make one."""

    field: str  # "orders.OrderItems.Sku"
    what: str  # a complaint's kind, or our reason


@dataclass
class Findings:
    """All that was found: each disagreement with whom it concerns, and one row that shows it."""

    documents: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    not_taken: list[str] = field(default_factory=list)
    stored_otherwise: list[str] = field(default_factory=list)
    unknown_properties: set[str] = field(default_factory=set)
    solo_classes: set[tuple[str, str]] = field(default_factory=set)
    doubts: dict[Finding, set[str]] = field(default_factory=lambda: defaultdict(set))
    ours: dict[Finding, set[str]] = field(default_factory=lambda: defaultdict(set))
    mended: dict[Finding, set[str]] = field(default_factory=lambda: defaultdict(set))
    examples: dict[Finding, str] = field(default_factory=dict)

    def note(
        self, shelf: dict[Finding, set[str]], finding: Finding, who: Iterable[str], example: Any
    ) -> None:
        """Put a disagreement on its shelf."""
        shelf[finding].update(who)
        self.examples.setdefault(finding, f"{example!r:.600}")


def hear(shops: Iterable[Shop] = SHOPS) -> Findings:
    """Return everything found for these shops under all profiles."""
    findings = Findings()
    for shop in shops:
        target = shop.target()
        for spec in target.entities:
            _Hearing(shop, target, spec, findings).hold()
    return findings


class _Hearing:
    """Both sides on all rows of one entity."""

    def __init__(
        self, shop: Shop, target: ReplenitTarget, spec: EntitySpec, findings: Findings
    ) -> None:
        self.shop, self.target, self.spec, self.findings = shop, target, spec, findings
        self.entity = spec.name
        self.path = f"/{self.entity}/{TENANT_ID}"
        self.raw_vendors = {profile: shop.vendor(profile) for profile in PROFILES}
        self.vendors = {profile: shop.vendor(profile) for profile in PROFILES}
        self.taken: dict[str, list[Document]] = {profile: [] for profile in PROFILES}

    def hold(self) -> None:
        """Judge all rows; send what is ready, and every row as it is."""
        ready = []
        for row in generate(self.entity):
            raw = _wire(row, self.spec)
            verdict = self.target.judge(self.entity, json.loads(json.dumps(row)))
            refused: set[Finding] = set()
            if verdict.payload:
                document = self._document(verdict)
                ready.append(document)
                if document.lane is Lane.SOLO:
                    refused = self._send_alone(document, row)
            lane = verdict.lane.value if verdict.payload else "refused"
            self.findings.documents[f"{self.entity} {lane}"] += 1
            self._compare(row, raw, verdict, refused)
        self._send_batches([one for one in ready if one.lane is Lane.BATCH])

    def _document(self, verdict: Judgement) -> Document:
        key = str(verdict.payload[self.spec.key])
        body = canonical(verdict.payload)
        return Document(
            self.entity, key, body, 0, 0, lane=verdict.lane, solo_class=verdict.solo_class
        )

    def _send_alone(self, document: Document, row: Any) -> set[Finding]:
        self.findings.solo_classes.add((self.entity, document.solo_class))
        refused = set()
        for profile, vendor in self.vendors.items():
            complaints = self._complaints(vendor, document.body)
            for complaint in complaints:
                finding = self._finding(complaint)
                refused.add(finding)
                self.findings.note(self.findings.doubts, finding, [profile], row)
            if not complaints:
                self.taken[profile].append(document)
        return refused

    def _send_batches(self, documents: list[Document]) -> None:
        for profile, vendor in self.vendors.items():
            for batch in pack(documents, self.target.limits):
                reading = self.target.read(batch, vendor(self.target.request(batch)))
                if reading.ruling is not Ruling.ACCEPTED or reading.confirmed != len(batch.items):
                    places = [
                        (pointer.field, pointer.message, batch.items[pointer.index or 0].body)
                        for pointer in reading.pointers
                    ]
                    self.findings.not_taken.append(
                        f"{self.shop.name}, {profile}, {self.entity}: {reading.ruling}, "
                        f"{reading.confirmed} of {len(batch.items)} confirmed, {places!r:.900}"
                    )
            self._check_stored(profile, [*documents, *self.taken[profile]])
            unknown = vendor.service.unknown_properties()
            self.findings.unknown_properties.update(unknown)

    def _check_stored(self, profile: str, documents: list[Document]) -> None:
        stored = self.vendors[profile].service.state()[self.entity]
        for document in documents:
            sent = self._as_stored(json.loads(document.body))
            found = self._as_stored(stored.get(document.key, {}))
            if json.dumps(sent, sort_keys=True) != json.dumps(found, sort_keys=True):
                where = f"{self.shop.name}, {profile}, {self.entity}"
                self.findings.stored_otherwise.append(f"{where}: {sent!r:.400} as {found!r:.400}")

    def _as_stored(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with the vendor's documented defaults, children in order of key."""
        whole = {**_defaults(self.entity), **document}
        name = CHILDREN.get(self.entity)
        if name in document:
            keys = _CHILD_KEYS[self.entity]
            children = [{**_defaults(name), **child} for child in document[name]]
            whole[name] = sorted(children, key=lambda child: [child.get(key, "") for key in keys])
        return whole

    def _compare(
        self, row: Any, raw: dict[str, Any], verdict: Judgement, refused: set[Finding]
    ) -> None:
        heard = {name: self._said(name, raw) for name in PROFILES}
        skipped = [verdict.skipped] if verdict.skipped else []
        notes = [*verdict.refusals, *verdict.omitted, *verdict.dropped, *skipped]
        for place, reason in notes:
            if not (_any_answers(heard, place) or self._answered_alone(raw, place)):
                finding = Finding(f"{self.entity}.{_plain(place)}", reason)
                self.findings.note(self.findings.ours, finding, [self.shop.name], row)
        if not verdict.payload:
            return
        gone = [place.partition(".")[0] for place, _ in verdict.dropped]  # with all their fields
        places = [*(place for place, _ in notes), *gone]
        for profile, said in heard.items():
            for one in said:
                noted = any(_answers(one.place, place) for place in places)
                if not noted and self._finding(one) not in refused:
                    finding = Finding(self._finding(one).field, _manner(one, raw))
                    self.findings.note(self.findings.mended, finding, [profile], row)

    def _answered_alone(self, raw: dict[str, Any], place: str) -> bool:
        """Whether a profile answers when all else is sound: a 400 hides an ignoring."""
        name = re.split(r"[.\[]", place)[0]
        alone = {**SOUND[self.entity](0)}
        alone.pop(name, None)
        alone |= {name: raw[name]} if name in raw else {}
        return _any_answers({one: self._said(one, alone) for one in PROFILES}, place)

    def _said(self, profile: str, raw: dict[str, Any]) -> set[Complaint]:
        return self._complaints(self.raw_vendors[profile], json.dumps(raw).encode())

    def _finding(self, complaint: Complaint) -> Finding:
        return Finding(f"{self.entity}.{_plain(complaint.place)}".rstrip("."), complaint.kind)

    def _complaints(self, vendor: ServiceTransport, body: bytes) -> set[Complaint]:
        answer = vendor(Request("POST", self.path, body=b"[" + body + b"]"))
        return set(self._read(answer))

    def _read(self, answer: Answer) -> Iterator[Complaint]:
        said = json.loads(answer.body)
        if answer.status == 200:
            if said["data"]["count"] == 0:
                yield Complaint(self.target.settings.customer_key, "ignored")
            return
        assert answer.status == 400, answer
        for key, messages in said["errors"].items():
            for message in messages:
                yield Complaint(re.sub(r"^\[0\]\.?", "", key), _kind(message))


def _kind(message: str) -> str:
    if "required" in message or "must have a value" in message or "at least one" in message:
        return "missing"
    return "long" if message.startswith("Maximum length") else "form"


def _manner(complaint: Complaint, raw: Any) -> str:
    """Return what is odd about the value the sandbox complains about."""
    value = raw
    for part in re.findall(r"[A-Za-z]+|\d+", complaint.place):
        value = value[int(part)] if part.isdigit() else value.get(part)
    if complaint.kind != "form":
        return complaint.kind
    if value == "":
        return "empty text"
    if isinstance(value, bool):
        return "true for 1"
    if isinstance(value, int | float):
        return "negative" if value < 0 else "fraction of 0"
    return "form"


def _any_answers(heard: Mapping[str, set[Complaint]], place: str) -> bool:
    return any(_answers(one.place, place) for said in heard.values() for one in said)


def _plain(place: str) -> str:
    return re.sub(r"\[\d+\]", "", place)


def _answers(complaint: str, place: str) -> bool:
    """Whether the complaint is about this place or something inside it."""
    if not complaint:  # no identifier at all, which [D:err] reports without a field (F3)
        return place in {"CustomerId", "Email"}
    return complaint == place or complaint.startswith((f"{place}.", f"{place}["))


def _defaults(name: str | None) -> dict[str, Any]:
    """Return what the vendor's pages say an absent field becomes."""
    flags = {
        "customers": "EmailOptin SmsOptin WhatsappOptin AppPushOptin GdprOptin IsExcluded",
        "orders": "IsOrderCancelled",
        "OrderItems": "IsGift",
        "products": "IsOfflineExclusive",
    }
    return dict.fromkeys(flags.get(name or "", "").split(), False)


def _wire(row: Mapping[str, Any], spec: EntitySpec) -> dict[str, Any]:
    """Return the row as a client without contracts would send it: nothing checked or left out."""
    document = _numbered(row, spec.fields)
    if spec.child is not None and isinstance(row.get(spec.child.property), list):
        children = row[spec.child.property]
        document[spec.child.property] = [_numbered(one, spec.child.fields) for one in children]
    return document


def _numbered(row: Mapping[str, Any], fields: Iterable[FieldSpec]) -> dict[str, Any]:
    """Return the row with the text of numbers as JSON numbers, where JSON has such numbers."""
    numbers = {one.name for one in fields if one.kind in {Kind.INTEGER, Kind.DECIMAL}}
    return {
        name: json.loads(value)
        if name in numbers and isinstance(value, str) and _NUMBER.fullmatch(value)
        else value
        for name, value in row.items()
    }
