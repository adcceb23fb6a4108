"""Settings of what a run warns of, and of whom it tells when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dlt.common.configuration import configspec
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.typing import TSecretStrValue  # noqa: TC002 - dlt reads the annotations at run time

from replenit_destination.exceptions import SettingsError

if TYPE_CHECKING:
    from replenit_destination.engine.alarms import AlarmRules

__all__ = ["AlarmConfiguration"]

_ADDRESSES = ("ping_url", "webhook_url", "slack_url")
_WHEN = ("trouble", "always")


@configspec
class AlarmConfiguration(BaseConfiguration):
    """When a run warns, and whom it tells; `docs/alarms.md` explains it."""

    max_rejected_share: float | None = None
    """Part of an entity's documents that may stand refused, such as 0.01. Default: none may."""
    max_rejected_count: int | None = None
    """Documents that may stand refused, of all entities together. Default: none may."""
    freshness_hours: dict[str, Any] | None = None
    """Entity → hours after which it warns that nothing new was accepted. Default: never."""
    volume_factor: float | None = None
    """How many times a weekday's usual changes it warns of, or of none; 0 never. Default 5."""
    ping_url: TSecretStrValue | None = None
    """Gets a POST after each run, `/fail` added when it failed, as healthchecks.io wants it."""
    webhook_url: TSecretStrValue | None = None
    """Gets the summary of each run as JSON."""
    slack_url: TSecretStrValue | None = None
    """Gets a few lines as Slack's incoming webhooks want them."""
    slack_when: str = "trouble"
    """`trouble`: only runs that failed, refused, held or warned; `always`: every run."""
    on_run: Any | None = None
    """Called with the summary of each run: a function, or its place as `module:function`."""

    def check_alarms(self) -> None:
        """Refuse what cannot work while nothing has happened yet.

        Raises:
            SettingsError: Names the setting, and never shows an address: it is a secret.
        """
        if self.slack_when not in _WHEN:
            message = f"slack_when: no such answer; write `{_WHEN[0]}` or `{_WHEN[1]}`"
            raise SettingsError(message)
        for name in _ADDRESSES:
            if address := self[name]:
                _check_address(name, address)
        if isinstance(self.on_run, str):
            module, _, function = self.on_run.partition(":")
            if not (module and function):
                message = "on_run: write `module:function`, for instance `alerts:tell`"
                raise SettingsError(message)
        elif self.on_run is not None and not callable(self.on_run):
            message = "on_run: not a function, and no place of one as `module:function`"
            raise SettingsError(message)

    @property
    def alarm_rules(self) -> AlarmRules:
        """From when on a run warns.

        Raises:
            SettingsError: A value means nothing.
        """
        from replenit_destination.engine.alarms import AlarmRules

        names = ("max_rejected_share", "max_rejected_count", "freshness_hours", "volume_factor")
        given = {name: self[name] for name in names if self[name] is not None}
        if "freshness_hours" in given:
            given["freshness_hours"] = _hours(given["freshness_hours"])
        return AlarmRules(**given)


def _hours(given: dict[str, Any]) -> dict[str, float]:
    try:
        return {name: float(hours) for name, hours in given.items()}
    except (TypeError, ValueError):
        message = "freshness_hours: write a number of hours for each entity, as { orders = 24 }"
        raise SettingsError(message) from None


def _check_address(name: str, address: str) -> None:
    from replenit_destination.targets.replenit.configuration import is_loopback

    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        parts, host = None, ""
    if parts is None or not host or parts.scheme not in {"https", "http"}:
        message = f"{name}: not a web address such as https://hooks.example.com/…"
        raise SettingsError(message)
    if parts.scheme == "http" and not is_loopback(host):
        message = f"{name}: write https; plain http is for this machine only"
        raise SettingsError(message)
