"""What the vendor's pages leave open: one switch per question, its default first.

Profiles decide what is valid (`fields.py`); switches decide how the service behaves. `Q` and `K`
are the
questions and conflicts of the vendor fact sheet that `docs/sandbox.md` lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROFILES", "SWITCHES", "Switch", "Switches", "parse_switch"]

PROFILES = ("strict", "reference", "gitbook", "docs-1.1")


@dataclass(frozen=True, slots=True)
class Switch:
    """One open question: its name, its answers (default first; none when free), the meaning."""

    name: str
    values: tuple[str, ...]
    question: str
    meaning: str


def _switch(question: str, meaning: str, *values: str) -> Any:
    return field(
        default=values[0],
        metadata={"question": question, "meaning": meaning, "values": values},
    )


def _free(question: str, meaning: str, default: Any) -> Any:
    metadata = {"question": question, "meaning": meaning, "values": ()}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Switches:
    """One answer to every open question. Unknown names and values raise `ValueError`."""

    customer_priority: str = _switch(
        "Q1 K1",
        "What identifies a customer: the tenant's setting, or [R]'s CustomerId, else Email. "
        "A record without the tenant's identifier is answered with 200 and skipped.",
        *("email", "customerid", "reference"),
    )
    product_priority: str = _switch(
        "Q2 K20",
        "What identifies a product: its ProductId, or any Sku among its variants.",
        *("productid", "sku"),
    )
    omitted: str = _switch(
        "Q3", "Whether an update resets the fields it omits, or keeps them.", "reset", "keep"
    )
    children: str = _switch(
        "Q4",
        "Whether lines and variants are merged with the stored ones, or replace them.",
        *("merge", "replace"),
    )
    atomic_400: str = _switch(
        "Q5", "Whether a 400 refuses the whole batch, or only the faulty documents.", "on", "off"
    )
    error_style: str = _switch(
        "Q6 K22",
        "Body of a 400: problem details (F2; F3 when identifiers are missing), envelope (F1), "
        "minimal (F3, names no record), bare (F4, field without index), or each in turn.",
        *("problem", "envelope", "minimal", "bare", "mixed"),
    )
    error_paths: str = _switch(
        "§5.3",
        "Keys in `errors`: `[0].Field`, or the serializer's `$[0].Field`.",
        *("indexed", "serializer"),
    )
    ignored_in_count: str = _switch(
        "Q7", "Whether `count` holds the documents that were skipped.", "excluded", "included"
    )
    customer_delete_style: str = _switch(
        "K2", "Which form of customer delete is served.", "both", "query", "path"
    )
    customer_delete_async: str = _switch(
        "Q8", "Whether a customer delete is queued (and then always answered 200).", "on", "off"
    )
    delete_async: str = _switch(
        "Q10", "Whether the other deletes are queued (and then always answered 200).", "off", "on"
    )
    delete_delay: float = _free(
        "Q27", "Seconds between a queued delete and its effect; a re-created record falls too.", 0.0
    )
    delete_missing: str = _switch(
        "Q9", "Answer to an immediate delete of what does not exist.", "404", "200"
    )
    delete_body: str = _switch(
        "§5.1",
        "Answer to a delete: envelope, 200 without a body, or 204.",
        "envelope",
        "empty",
        "204",
    )
    unknown_customer: str = _switch(
        "Q11",
        "An order whose customer is unknown: stored and flagged, or skipped.",
        "accept",
        "ignore",
    )
    over_maximum: str = _switch(
        "Q13 K26", "Answer to a batch above the maximum.", "400", "413", "accept"
    )
    max_body_bytes: int = _free("Q13", "Largest body; above it 413. 0: any size.", 0)
    window: str = _switch(
        "Q14",
        "Rate windows: fixed (aligned to the clock's minute and hour) or sliding.",
        *("fixed", "sliding"),
    )
    rate_headers: str = _switch(
        "Q14 K24", "Whether answers carry X-RateLimit headers.", "on", "off"
    )
    rate_header_window: str = _switch(
        "Q14",
        "Which window the headers describe: the minute, or the one with least left.",
        *("minute", "tightest"),
    )
    throttle_answer: str = _switch(
        "Q15 K25",
        "A 429: F6 with Retry-After, F5 with Retry-After, or F5 without the header.",
        *("f6", "f5", "no_header"),
    )
    throttled_count: str = _switch(
        "§6", "Whether a request answered with 429 uses up quota too.", "off", "on"
    )
    length_unit: str = _switch(
        "Q16", "What a maximum length counts.", "utf16", "codepoints", "bytes"
    )
    caps: Mapping[str, int] = _free(
        "Q16 K15 K21",
        "Maximum lengths in place of the table's, `OrderItem.Sku:50`; 0: none.",
        {},
    )
    required_fields: tuple[str, ...] = _free(
        "Q17 K7",
        "Fields this tenant requires besides: `Language` of a customer, `Order.Email`.",
        (),
    )
    line_key: str = _switch(
        "Q18 K17",
        "What identifies a line in its order: ProductId and Sku (a later twin wins), or nothing "
        "(lists are then stored as sent).",
        *("product+sku", "none"),
    )
    duplicates: str = _switch(
        "Q19", "One key twice in a batch: applied in order, or refused.", "last_wins", "refuse"
    )
    nulls: str = _switch(
        "Q20",
        "A null: taken as absent, refused, or clears the stored value even under `omitted=keep`.",
        *("absent", "refuse", "clear"),
    )
    unknown_properties: str = _switch(
        "Q20 Q29", "A property no page names: ignored and recorded, or refused.", "ignore", "refuse"
    )
    property_case: str = _switch(
        "Q21", "Whether property names must match in case.", "exact", "insensitive"
    )
    email_case: str = _switch(
        "Q24",
        "E-mail as identifier: as sent, or trimmed and case-folded.",
        "ordinal",
        "insensitive",
    )
    quantities: str = _switch(
        "Q25 K16",
        "Quantity below 1 and negative Price: 400 in profile strict, 400 always, or accepted.",
        *("profile", "strict", "accept"),
    )
    timestamps: str = _switch(
        "Q26 K14",
        "OrderDate: by profile; only `Z` with at most milliseconds; or any ISO 8601, as UTC.",
        *("profile", "strict", "lenient"),
    )
    processed_at: str = _switch(
        "§5.1",
        "`processedAt` with milliseconds [R] or without [D:start].",
        *("milliseconds", "seconds"),
    )

    def __post_init__(self) -> None:
        for switch in SWITCHES.values():
            value = getattr(self, switch.name)
            if switch.values and value not in switch.values:
                message = (
                    f"switch {switch.name} is one of {', '.join(switch.values)}, not {value!r}"
                )
                raise ValueError(message)

    def but(self, changes: Mapping[str, Any]) -> Switches:
        """Return these switches with some set otherwise."""
        unknown = [name for name in changes if name not in SWITCHES]
        if unknown:
            message = f"no switch {', '.join(map(repr, unknown))}; there are {', '.join(SWITCHES)}"
            raise ValueError(message)
        return replace(self, **{name: _typed(name, value) for name, value in changes.items()})

    def as_dict(self) -> dict[str, Any]:
        """Return every switch and its value."""
        return {name: getattr(self, name) for name in SWITCHES}


SWITCHES: dict[str, Switch] = {
    each.name: Switch(
        each.name, each.metadata["values"], each.metadata["question"], each.metadata["meaning"]
    )
    for each in fields(Switches)
}


def parse_switch(text: str) -> tuple[str, Any]:
    """Read `name=value`; lists are separated by commas, caps written `Field:number`."""
    name, separator, value = text.partition("=")
    if not separator:
        message = f"a switch is written name=value, not {text!r}"
        raise ValueError(message)
    return name.strip(), value.strip()


def _typed(name: str, value: Any) -> Any:
    """Give free values, and numbers written as text, the type of their switch."""
    if SWITCHES[name].values:
        return value if isinstance(value, str) else str(value)
    if name == "delete_delay":
        return float(value)
    if name == "max_body_bytes":
        return int(value)
    if name == "required_fields":
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(part.strip() for part in parts if part.strip())
    if isinstance(value, str):
        pairs = (part.rsplit(":", 1) for part in value.split(",") if part)
        return {field_name.strip(): int(cap) for field_name, cap in pairs}
    return {str(field_name): int(cap) for field_name, cap in value.items()}
