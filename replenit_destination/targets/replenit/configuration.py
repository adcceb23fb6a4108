"""The settings of one Replenit tenant, checked as a whole before anything runs.

Every setting that is missing or undecided is reported at once. Field paths such as
`customers.Surname`, `orders.items.Sku` and `products.variants.Name` name a vendor field in `caps`,
`truncate`, `required_fields` and `extra_fields`.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from replenit_destination.exceptions import (
    ChoiceNeededError,
    InsecureEndpointError,
    MissingSettingsError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_DOCUMENTS", "ReplenitSettings"]

MAX_DOCUMENTS = {"customers": 1000, "orders": 500, "products": 200}
"""What one request may hold at most [G:rate]; the answer to more is stated nowhere."""

_QUESTIONS = {
    "customer_identifier_priority": (
        "by which identifier does your tenant match customers, `email` or `customerid`? "
        "Replenit's dashboard shows it; a wrong answer makes duplicates."
    ),
    "guests": (
        "with customer_identifier_priority = `customerid`, what becomes of orders without a "
        "customer id: `drop` them, or `derive` an id from their e-mail address?"
    ),
}
_PLACES = {
    "api_key": "Replenit dashboard, Settings → API Keys; put it where your secrets are kept",
    "tenant_id": "Replenit dashboard, Settings → API Keys; a GUID of 36 characters",
}
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "customer_identifier_priority": ("email", "customerid"),
    "product_identifier_priority": ("productid", "sku"),
    "customer_delete_style": ("query", "path"),
    "product_removal": ("unavailable", "delete"),
    "gdpr_policy": ("send_all", "consented_only"),
    "email_case": ("lower", "keep"),
    "optional_invalid": ("omit", "reject"),
    "uncertain": ("solo", "reject"),
    "guests": ("solo", "drop", "derive"),
    "duplicate_lines": ("combine", "keep"),
}


@dataclass(frozen=True, kw_only=True)
class ReplenitSettings:
    """Settings of the Replenit target; an instance is always usable.

    Raises:
        MissingSettingsError: A setting that nothing can run without is not set.
        ChoiceNeededError: A question is open that only the shop can answer.
        InsecureEndpointError: `base_url` is plain http to another machine.
        SettingsError: A value cannot be used.
    """

    api_key: str = field(default="", repr=False)
    """The API key, sent verbatim; surrounding spaces are removed (they cause a 401 [G:auth])."""
    tenant_id: str = ""
    """The tenant's GUID."""
    base_url: str = "https://api.replen.it"
    """Where the API is; plain http only for a loopback address."""
    account: str = ""
    """Name of the quota account. Keys of one account share its windows; default: the host."""
    customer_identifier_priority: Literal["email", "customerid"] | None = None
    """The identifier by which the tenant matches customers (K1); no default."""
    product_identifier_priority: Literal["productid", "sku"] = "productid"
    """The identifier by which the tenant matches products (K20)."""
    customer_delete_style: Literal["query", "path"] = "query"
    """How customers are deleted (K2): by `?email=` or `?customerId=`, or by the id in the path."""
    product_removal: Literal["unavailable", "delete"] = "unavailable"
    """What becomes of products and variants that are gone: marked not available, or deleted."""
    gdpr_policy: Literal["send_all", "consented_only"] = "send_all"
    """Whether people who never consented, and their orders, are sent (K7)."""
    email_case: Literal["lower", "keep"] = "lower"
    """Whether e-mail addresses are lower-cased wherever they are sent (Q24)."""
    optional_invalid: Literal["omit", "reject"] = "omit"
    """Whether an invalid optional field is left out and listed, or holds the document back."""
    uncertain: Literal["solo", "reject"] = "solo"
    """Whether a document that only some of the vendor's pages allow goes alone, or is refused."""
    guests: Literal["solo", "drop", "derive"] | None = None
    """Orders without CustomerId (rule 9): under `email` default `solo`, under `customerid` asked.

    `derive` makes a CustomerId from the e-mail address, the same for every order of that address.
    """
    duplicate_lines: Literal["combine", "keep"] = "combine"
    """Whether lines of one ProductId and Sku become one (K17), or travel as they are."""
    compute_total_revenue: bool = False
    """Whether a missing TotalRevenue becomes the sum of Price times Quantity (K11), or refuses."""
    language_fallback: bool = False
    """Whether a language tag of more than 10 characters becomes its language alone (K5)."""
    required_fields: tuple[str, ...] = ()
    """Optional fields that this tenant requires (Q17), as field paths."""
    caps: Mapping[str, int] = field(default_factory=dict)
    """Field path → the length your tenant allows, in place of the documented or assumed one."""
    truncate: tuple[str, ...] = ()
    """Field paths of display texts to be cut to their length instead of left out or refused."""
    extra_fields: Mapping[str, str] = field(default_factory=dict)
    """Field path → kind of a field this client does not know (Q29).

    Kinds: text, integer, decimal, boolean, timestamp, texts.
    """
    customers_per_request: int = 500
    """Customers in one request, at most 1000 [G:rate]."""
    orders_per_request: int = 200
    """Orders in one request, at most 500 [G:rate]."""
    products_per_request: int = 100
    """Products in one request, at most 200 [G:rate]."""
    max_batch_bytes: int = 1024 * 1024
    """Largest request body in bytes; the vendor states none (Q13)."""
    requests_per_minute: int = 100
    """The account's quota within any minute [R][G:rate]; higher only when Replenit granted it."""
    requests_per_hour: int = 5000
    """The account's quota within any hour [R][D:rate]."""
    timeout_seconds: float = 60.0
    """How long one exchange may take in all."""

    def __post_init__(self) -> None:
        self._fill_defaults()
        self._check_answers()
        self._check_completeness()
        self._check_values()
        if not self.account:
            object.__setattr__(self, "account", urlsplit(self.base_url).netloc.lower())

    @property
    def guest_orders(self) -> Literal["solo", "drop", "derive"]:
        """What becomes of orders without CustomerId, decided."""
        return self.guests or "solo"

    @property
    def customer_key(self) -> str:
        """The vendor field that identifies a customer."""
        return "Email" if self.customer_identifier_priority == "email" else "CustomerId"

    def _fill_defaults(self) -> None:
        # configuration layers hand over None for what nobody set
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None and one.default is not MISSING:
                value = one.default
            elif isinstance(value, str):
                value = value.strip()
            object.__setattr__(self, one.name, value)
        for name in ("required_fields", "truncate"):
            paths = getattr(self, name)
            # one path, or several with commas, as an environment variable gives them
            listed = paths.replace(",", " ").split() if isinstance(paths, str) else paths
            object.__setattr__(self, name, tuple(listed))
        for name in ("caps", "extra_fields"):
            object.__setattr__(self, name, dict(getattr(self, name) or {}))

    def _check_answers(self) -> None:
        for name, answers in _ANSWERS.items():
            value = getattr(self, name)
            if value is not None and value not in answers:
                choices = ", ".join(f"`{answer}`" for answer in answers)
                message = f"{name}: not one of the possible answers; write one of {choices}."
                raise SettingsError(message)

    def _check_completeness(self) -> None:
        questions = {}
        if self.customer_identifier_priority is None:
            questions["customer_identifier_priority"] = _QUESTIONS["customer_identifier_priority"]
        if self.customer_identifier_priority == "customerid" and self.guests in (None, "solo"):
            questions["guests"] = _QUESTIONS["guests"]
        missing = {name: place for name, place in _PLACES.items() if not getattr(self, name)}
        if missing:
            raise MissingSettingsError({**missing, **questions})
        if questions:
            raise ChoiceNeededError(questions)

    def _check_values(self) -> None:
        _check_key(self.api_key)
        object.__setattr__(self, "tenant_id", _guid(self.tenant_id))
        object.__setattr__(self, "base_url", _secure_address(self.base_url))
        for entity, most in MAX_DOCUMENTS.items():
            if not 1 <= getattr(self, f"{entity}_per_request") <= most:
                message = (
                    f"{entity}_per_request: must be between 1 and {most}, the documented maximum."
                )
                raise SettingsError(message)
        for name in ("requests_per_minute", "requests_per_hour"):
            if getattr(self, name) < 1:
                message = f"{name}: must be at least 1."
                raise SettingsError(message)
        if self.max_batch_bytes < 1024:
            message = "max_batch_bytes: must be at least 1024, one document needs that much."
            raise SettingsError(message)
        if not 0 < self.timeout_seconds <= 3600:
            message = "timeout_seconds: must be above 0 and at most 3600."
            raise SettingsError(message)


def _check_key(key: str) -> None:
    # anything else cannot stand in a header, and usually is a line break from copying
    if re.fullmatch(r"[\x21-\x7e]+", key) is None:
        message = "api_key: holds a space or a character that no key has; copy it again."
        raise SettingsError(message)


def _guid(text: str) -> str:
    try:
        if len(text) != 36:
            # uuid also reads braces and bare digits, the vendor does not
            raise ValueError  # noqa: TRY301
        return str(uuid.UUID(text))
    except ValueError:
        message = (
            "tenant_id: not a GUID such as 00000000-0000-0000-0000-000000000000; copy it again."
        )
        raise SettingsError(message) from None


def _secure_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = None, ""
    if parts is None or parts.scheme not in {"http", "https"} or not host:
        message = "base_url: not a web address such as https://api.replen.it."
        raise SettingsError(message)
    if parts.username or parts.password or parts.query or parts.fragment:
        message = "base_url: write scheme, host, port and path only."
        raise SettingsError(message)
    if parts.scheme == "http" and not is_loopback(host):
        raise InsecureEndpointError(host)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
