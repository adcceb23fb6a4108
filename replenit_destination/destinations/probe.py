"""`probe`: how a test tenant behaves where the vendor's documents do not say."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import dlt
import tomlkit

from replenit_destination.exceptions import MissingSettingsError, SettingsError
from replenit_destination.targets.replenit.questions import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from replenit_destination.targets.replenit.probing import Probed

__all__ = ["probe", "write_settings"]

_SECTION = "destination.replenit"


def probe(tenant: str, *, said: Mapping[str, str] | None = None) -> Probed:
    """Ask a test tenant what the vendor's documents leave open, and clean up.

    About 40 requests with some 15 records, whose keys begin with `dlt-replenit-probe`. Nothing is
    read or written here but the settings `api_key` and `base_url`.

    Args:
        tenant: The test tenant's GUID; the configured one is not used.
        said: Question → answer, for what a person looked up.

    Returns:
        The findings; a question without a value is open, and says what to look at.

    Raises:
        MissingSettingsError: There is no key.
        SettingsError: There is no such question or answer, or the tenant is no GUID.
        DeliveryError: The service refused the key or the tenant, or was not reached.
    """
    from replenit_destination.targets.replenit.api import HttpTransport
    from replenit_destination.targets.replenit.configuration import ReplenitSettings
    from replenit_destination.targets.replenit.probing import Probe

    said = dict(said or {})
    for name, answer in said.items():
        _check(name, answer)
    key = dlt.secrets.get(f"{_SECTION}.api_key", str)
    if not key:
        place = "`.dlt/secrets.toml`, or DESTINATION__REPLENIT__API_KEY"
        raise MissingSettingsError({f"{_SECTION}.api_key": place})
    settings = ReplenitSettings(
        api_key=key,
        tenant_id=tenant,
        base_url=dlt.config.get(f"{_SECTION}.base_url", str) or ReplenitSettings.base_url,
        # Nothing of it is used; the tenant's own is what is to be found out.
        customer_identifier_priority="email",
    )
    with HttpTransport(settings) as transport:
        return Probe(settings, transport, said, marker=f"{secrets.token_hex(4)}-").run()


def write_settings(probed: Probed, file: Path) -> dict[str, str]:
    """Write what was found into a `config.toml`, all else as it stands; return what was written.

    Raises:
        SettingsError: The file is no TOML.
    """
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        document = tomlkit.parse(text)
    except ValueError as error:
        message = f"{file.name} is no TOML: {error}"
        raise SettingsError(message) from error
    section = document.setdefault("destination", tomlkit.table(is_super_table=True))
    section = section.setdefault("replenit", tomlkit.table())
    for name, value in probed.settings.items():
        section[name] = value
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(tomlkit.dumps(document), encoding="utf-8")
    return probed.settings


def _check(name: str, answer: str) -> None:
    if name not in QUESTIONS:
        message = f"--answer: no question `{name}`; there are {', '.join(QUESTIONS)}"
        raise SettingsError(message)
    if answer not in QUESTIONS[name].answers:
        message = f"--answer: {name} is one of {', '.join(QUESTIONS[name].answers)}"
        raise SettingsError(message)
