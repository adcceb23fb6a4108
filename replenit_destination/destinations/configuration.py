"""The settings of the destination, resolved the way dlt users expect.

Every field is read from arguments of `replenit(...)`, the environment
(`DESTINATION__REPLENIT__TENANT_ID`), `secrets.toml` or `config.toml` (`[destination.replenit]`), in
dlt's order. All delivery settings are optional here: a missing one must not keep
`pipeline.dataset()` or `dlt pipeline` from reading what is staged. What a delivery cannot do
without is checked when it starts, all of it at once.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from dlt.common.configuration import NotResolved, configspec
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.typing import TSecretStrValue  # noqa: TC002 - dlt reads the annotations at run time
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration

from replenit_destination.destinations.alarm_settings import AlarmConfiguration
from replenit_destination.exceptions import ChoiceNeededError, MissingSettingsError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf

    from replenit_destination.engine.mapping import Mapping
    from replenit_destination.targets.replenit.configuration import ReplenitSettings

__all__ = ["DESTINATION_TYPE", "ReplenitClientConfiguration", "TargetConfiguration"]

DESTINATION_TYPE = "replenit_destination.destinations.replenit"
"""The path dlt writes into its state. Attached pipelines import the factory from it: never move."""

_FOLDER = "replenit_data"
_MAPPING_PLACE = "the path of a TOML file, or the name of a preset such as `shopify`"
_ANSWERS = {
    "deliver": ("load", "manual"),
    "on_rejected": ("warn", "raise", "report"),
    "state": ("full", "light"),
}


@configspec
class TargetConfiguration(BaseConfiguration):
    """How documents are made and sent; None leaves the default that `ReplenitSettings` states."""

    api_key: TSecretStrValue | None = None
    """The key from Replenit's dashboard; keep it in `secrets.toml` or the environment."""
    tenant_id: str | None = None
    """The tenant's GUID, from the same page of the dashboard."""
    base_url: str | None = None
    """The API's address: https, or loopback for a sandbox. Default https://api.replen.it."""
    account: str | None = None
    """Name of the quota account; keys of one account share its windows. Default: the host."""
    customer_identifier_priority: str | None = None
    """`email` or `customerid`, as the tenant is set up. No default."""
    product_identifier_priority: str | None = None
    """`productid` or `sku`, as the tenant is set up. Default `productid`."""
    customer_delete_style: str | None = None
    """`query` or `path`: where a deleted customer's identifier stands. Default `query`."""
    product_removal: str | None = None
    """What a product that is gone becomes: `unavailable` or `delete`. Default `unavailable`."""
    gdpr_optin: str | None = None
    """A rule for `GdprOptin` by name, where the mapping has none. No default."""
    gdpr_policy: str | None = None
    """`send_all`, or `consented_only`: people who never consented stay here. Default `send_all`."""
    email_case: str | None = None
    """`lower` or `keep`. Default `lower`."""
    optional_invalid: str | None = None
    """`omit` leaves an invalid optional field out, `reject` the document. Default `omit`."""
    uncertain: str | None = None
    """`solo` sends documents of disputed validity one by one, `reject` does not. Default `solo`."""
    guests: str | None = None
    """Orders without a customer id: `solo`, `drop` or `derive`."""
    duplicate_lines: str | None = None
    """Lines of one product in an order: `combine` or `keep`. Default `combine`."""
    compute_total_revenue: bool | None = None
    """Whether a missing total becomes the sum of the lines. Default false."""
    language_fallback: bool | None = None
    """Whether a language tag that is too long becomes its language alone. Default false."""
    required_fields: list[str] | None = None
    """Optional fields that this tenant requires, such as `customers.Language`."""
    caps: dict[str, Any] | None = None
    """Field → the length your tenant allows, in place of the documented one."""
    truncate: list[str] | None = None
    """Display texts to cut to their length instead of leaving them out."""
    extra_fields: dict[str, Any] | None = None
    """Field → kind, for fields of the vendor that this version does not know."""
    customers_per_request: int | None = None
    """Customers in one request, at most 1000. Default 500."""
    orders_per_request: int | None = None
    """Orders in one request, at most 500. Default 200."""
    products_per_request: int | None = None
    """Products in one request, at most 200. Default 100."""
    max_batch_bytes: int | None = None
    """Largest request body in bytes. Default 1 MiB."""
    timeout_seconds: float | None = None
    """How long one exchange may take. Default 60."""
    requests_per_minute: int | None = None
    """The account's quota in any minute. Default 100, as documented."""
    requests_per_hour: int | None = None
    """The account's quota in any hour. Default 5000, as documented."""


@configspec(init=False)
class ReplenitClientConfiguration(
    DuckDbClientConfiguration, TargetConfiguration, AlarmConfiguration
):
    """Settings of a pipeline that stages in DuckDB and delivers to Replenit."""

    destination_type: Final[str] = dataclasses.field(  # type: ignore[misc]
        default=DESTINATION_TYPE, init=False, repr=False, compare=False
    )

    mapping: Any | None = None
    """What makes the documents: a TOML file, a preset's name, a dict or a `Mapping`. No default."""
    ledger: str | None = None
    """Path of the record of what Replenit has accepted. Default `<database>.ledger.duckdb`."""
    deliver: str = "load"
    """`load`: each load ends with a delivery. `manual`: loads only stage, `push` delivers."""
    workers: int | None = None
    """Connections to the API at once; the quota limits the speed, not this."""
    quota_share: float | None = None
    """Part of the account's quota to use; other integrations share the same key. Default 0.8."""
    max_requests: int | None = None
    """Requests per delivery; the rest waits for the next one. Default: no limit."""
    max_seconds: float | None = None
    """Seconds per delivery; the rest waits for the next one. Default: no limit."""
    max_attempts: int | None = None
    """Sendings of one request without a usable answer before it is searched or left. Default 10."""
    retry_budget_seconds: float | None = None
    """How long every request may fail before the delivery stops. Default 300."""
    diagnosis_share: float | None = None
    """Part of the requests that may search for refused documents, 25 in any case. Default 0.1."""
    accept_resend: bool | None = None
    """Send again what only a new mapping or setting changed, however much. Best set for one run."""
    accept_schema: bool | None = None
    """Send although the source's tables or a field of many documents changed. Best for one run."""
    bulk_changes: list[str] | None = None
    """Fields that change in many documents at once by nature. Default `products.variants.Stock`."""
    delivery_log: bool = True
    """Whether the ledger logs, by keyed hashes, what is sent about people. Default true."""
    retention_days: float | None = None
    """Age at which rows of accepted orders are deleted from the database. Default: never."""
    memory_limit: str = "512MB"
    """What DuckDB may keep in memory, in loads and in deliveries; the rest goes to disk."""
    lock_wait_seconds: float = 300.0
    """How long to wait for a database that another process has open. Default 300."""
    on_rejected: str = "warn"
    """Refused documents: `warn` lists them, `raise` lets `push` raise after all else is done."""

    state_url: str | None = None
    """Where the state is fetched from and stored to: `s3://…`, `gs://…`, `az://…`, `file:///…`."""
    state: str = "full"
    """What of the staging database travels: `full` all of it, `light` what is still needed."""
    state_key: TSecretStrValue | None = None
    """Encrypts the state before it leaves: 32 bytes in base64, from `dlt replenit state key`."""
    state_options: dict[str, Any] | None = None
    """What fsspec's file system takes, such as `endpoint_url`; keys best in `secrets.toml`."""
    state_keep: int = 3
    """How many stored generations stay. Default 3."""
    state_read_only: bool = False
    """Fetch the state and never store it; nothing is delivered then. For plans of drafts."""

    engine: Annotated[Any | None, NotResolved()] = None
    """The function that delivers, `engine.run.push` by default; for tests and other means."""
    transport: Annotated[Any | None, NotResolved()] = None
    """Sends a `Request` and returns its `Answer`, by default over HTTP; for tests."""

    if TYPE_CHECKING:

        def __init__(self, **settings: Any) -> None: ...

    def on_resolved(self) -> None:
        """Refuse a mistyped policy while nothing has happened yet."""
        for name, answers in _ANSWERS.items():
            if self[name] not in answers:
                message = f"{name}: no such answer; write `{answers[0]}` or `{answers[1]}`"
                raise SettingsError(message)
        if self.retention_days is not None and not 1 <= self.retention_days < float("inf"):
            message = "retention_days: must be at least 1"
            raise SettingsError(message)
        if not re.fullmatch(r"\d+(\.\d+)? ?[KMGT]i?B", self.memory_limit, re.IGNORECASE):
            message = "memory_limit: write a size with its unit, such as `512MB`"
            raise SettingsError(message)
        self.check_alarms()

    def make_default_location(self, default_location_pat: str) -> str:
        """Return the default database: in a folder of its own, which can be closed to others.

        The stem ends in `_replenit`, since DuckDB cannot tell a database `shop` from a dataset
        `shop`.
        """
        name = self.destination_name or self.pipeline_name or "staging"
        return str(Path(_FOLDER) / (default_location_pat % f"{name}_replenit"))

    @property
    def database(self) -> Path | None:
        """The DuckDB file with the staged tables; None for a connection without a file."""
        location = self.credentials.database
        return None if location in {None, ":external:", ":memory:"} else Path(location)

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is.

        A database in the pipeline's working folder does not take its ledger there: dlt wipes that
        folder when it restores a pipeline, and without the ledger everything would be sent again.

        Raises:
            SettingsError: The database has no file and no ledger is configured.
        """
        here = Path(self.local_dir or ".")
        if self.ledger:
            return here / self.ledger
        if self.database is None:
            message = (
                "ledger: the database is an open connection without a file, so the ledger has no "
                "place. Set `destination.replenit.ledger` to a path."
            )
            raise SettingsError(message)
        file = f"{self.database.stem}.ledger.duckdb"
        if self.pipeline_working_dir and self.database.is_relative_to(self.pipeline_working_dir):
            return here / _FOLDER / file
        return self.database.with_name(file)

    def target_settings(self) -> ReplenitSettings:
        """Return the target's settings, checked as a whole.

        Raises:
            MissingSettingsError: Lists every setting that is missing and where to put it.
            SettingsError: A value cannot be used.
        """
        from replenit_destination.targets.replenit.configuration import ReplenitSettings

        names = [
            name for name in TargetConfiguration.get_resolvable_fields() if name != "gdpr_optin"
        ]
        values = {name: self[name] for name in names if self[name] is not None}
        missing = {} if self.mapping else {"mapping": _MAPPING_PLACE}
        try:
            settings = ReplenitSettings(**values)
        except MissingSettingsError as error:
            missing = {**error.missing, **missing}
        except ChoiceNeededError as error:
            if not missing:
                raise ChoiceNeededError(self._with_places(error.questions)) from None
            missing = {**error.questions, **missing}
        if missing:
            raise MissingSettingsError(self._with_places(missing)) from None
        return settings

    def delivery_mapping(self) -> Mapping:
        """Return the mapping, with the rule of `gdpr_optin` where that is set.

        Raises:
            MappingError: The mapping's file is not there or is no TOML.
        """
        from replenit_destination.engine.mapping import Mapping

        mapping = Mapping.load(self.mapping or {})
        if self.gdpr_optin:
            mapping = mapping.with_field("customers", "GdprOptin", {"rule": self.gdpr_optin})
        return mapping

    def _with_places(self, sentences: MappingOf[str, str]) -> dict[str, str]:
        """Add to each setting's sentence where a dlt user writes its value."""
        section = self.destination_name or "replenit"
        places = {}
        for name, sentence in sentences.items():
            file = "secrets.toml" if name == "api_key" else "config.toml"
            variable = f"DESTINATION__{section}__{name}".upper()
            places[name] = (
                f"{sentence}\n    [destination.{section}] {name} = … in .dlt/{file}, "
                f"or {variable} in the environment, or replenit({name}=…)"
            )
        return places
