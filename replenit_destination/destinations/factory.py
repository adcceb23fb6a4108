"""The factory a dlt user types: `destination=replenit(...)` or `destination="replenit"`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.destination.capabilities import DestinationCapabilitiesContext
from dlt.common.destination.reference import DestinationReference
from dlt.common.utils import simple_repr
from dlt.destinations.impl.duckdb.factory import duckdb

from replenit_destination.destinations.configuration import (
    DESTINATION_TYPE,
    ReplenitClientConfiguration,
)
from replenit_destination.engine.sql import nearest
from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf

    from dlt.common.normalizers.naming import NamingConvention
    from dlt.destinations.impl.duckdb.configuration import (
        DuckDbClientConfiguration,
        DuckDbCredentials,
    )
    from duckdb import DuckDBPyConnection

    from replenit_destination.destinations.client import ReplenitClient
    from replenit_destination.engine.mapping import Mapping

__all__ = ["replenit"]

_SECRETS = ("api_key", "credentials", "state_key", "state_options")
_SECRET_ADDRESSES = ("ping_url", "webhook_url", "slack_url")


class replenit(duckdb):  # noqa: N801 - dlt users type factories in lower case
    """Stage in DuckDB, deliver to Replenit what changed.

    Every argument may as well stand in `config.toml`, `secrets.toml` or the environment, below
    `destination.replenit`; an argument wins over all of them.

    Args:
        credentials: DuckDB's own: the path of the staging database, or a connection. Default: a
            database in `replenit_data/`, a folder closed to others.
        api_key: The key from Replenit's dashboard.
        tenant_id: The tenant's GUID.
        mapping: Which tables and columns make which documents: the path of a TOML file, a preset's
            name, a dict, or a `Mapping`.
        customer_identifier_priority: `email` or `customerid`, as the tenant is set up; no default.
        gdpr_optin: A rule for `GdprOptin` by name, where the mapping has none.
        base_url: Scheme and host of the API, for a sandbox.
        ledger: Path of the ledger; default beside the database.
        deliver: `load` delivers at the end of each load, `manual` leaves it to `push`.
        workers: Connections to the API at once.
        quota_share: Part of the account's request quota to use.
        max_requests: Requests per delivery; the rest waits for the next one.
        max_seconds: Seconds per delivery; the rest waits for the next one.
        on_rejected: `warn` lists refused documents, `raise` makes `push` raise after delivering
            the others.
        create_indexes: Whether dlt makes unique indexes in the staging database.
        destination_name: Another name for the settings' section, to keep several tenants apart.
        environment: dlt's name of the environment.
        **settings: Any other field of `ReplenitClientConfiguration` or of dlt's destination
            capabilities.
    """

    spec = ReplenitClientConfiguration

    def __init__(
        self,
        credentials: DuckDbCredentials
        | MappingOf[str, Any]
        | str
        | Path
        | DuckDBPyConnection
        | None = None,
        *,
        api_key: str | None = None,
        tenant_id: str | None = None,
        mapping: Mapping | MappingOf[str, Any] | str | Path | None = None,
        customer_identifier_priority: str | None = None,
        gdpr_optin: str | None = None,
        base_url: str | None = None,
        ledger: str | Path | None = None,
        deliver: str | None = None,
        workers: int | None = None,
        quota_share: float | None = None,
        max_requests: int | None = None,
        max_seconds: float | None = None,
        on_rejected: str | None = None,
        create_indexes: bool | None = None,
        destination_name: str | None = None,
        environment: str | None = None,
        **settings: Any,
    ) -> None:
        _refuse_unknown(settings)
        arguments: dict[str, Any] = {
            "credentials": str(credentials) if isinstance(credentials, Path) else credentials,
            "api_key": api_key,
            "tenant_id": tenant_id,
            "mapping": mapping,
            "customer_identifier_priority": customer_identifier_priority,
            "gdpr_optin": gdpr_optin,
            "base_url": base_url,
            "ledger": str(ledger) if ledger else None,
            "deliver": deliver,
            "workers": workers,
            "quota_share": quota_share,
            "max_requests": max_requests,
            "max_seconds": max_seconds,
            "on_rejected": on_rejected,
            "create_indexes": create_indexes,
            "destination_name": destination_name,
            "environment": environment,
        }
        super().__init__(**arguments, **settings)

    @property
    def destination_type(self) -> str:
        """The path dlt stores in its state, independent of the module this class is written in."""
        return DESTINATION_TYPE

    @property
    def client_class(self) -> type[ReplenitClient]:
        """The job client, imported when first needed."""
        from replenit_destination.destinations.client import ReplenitClient

        return ReplenitClient

    def capabilities(
        self,
        config: DuckDbClientConfiguration | None = None,
        naming: NamingConvention | None = None,
    ) -> DestinationCapabilitiesContext:
        """Return DuckDB's capabilities with those given as arguments.

        None of them depends on a setting. dlt would look up every setting all the same, a dozen
        times a run: that was a sixth of a small one.
        """
        return super().capabilities(config or self.spec(), naming)

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = super()._raw_capabilities()
        # 50,000 nested orders stage in a sixth of the time that duckdb's default, insert
        # statements, takes.
        capabilities.preferred_loader_file_format = "parquet"
        return capabilities

    def __repr__(self) -> str:
        # dlt's own prints every argument, the key among them.
        hidden = {*_SECRETS, *_SECRET_ADDRESSES}
        shown = {k: v for k, v in self.config_params.items() if k not in hidden}
        return simple_repr(self.destination_type, **shown)


def _refuse_unknown(settings: MappingOf[str, Any]) -> None:
    # dlt only logs a warning about an unknown argument, and a mistyped policy would be none.
    known = {
        **ReplenitClientConfiguration.get_resolvable_fields(),
        **DestinationCapabilitiesContext.get_resolvable_fields(),
    }
    for name in settings:
        if name not in known:
            near = nearest(name, known)
            hint = f", did you mean `{near}`?" if near else ""
            message = f"replenit({name}=…): no such setting{hint}"
            raise SettingsError(message)


DestinationReference.register(replenit, DESTINATION_TYPE)
