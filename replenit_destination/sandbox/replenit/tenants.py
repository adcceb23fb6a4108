"""Who may write where: keys, their tenants, and what each tenant has set and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replenit_destination.sandbox.replenit.rules import Rules
from replenit_destination.sandbox.replenit.store import TenantStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from replenit_destination.sandbox.replenit.persistence import StateFile
    from replenit_destination.sandbox.replenit.switches import Switches

__all__ = ["Tenant", "Tenants"]


class Tenant:
    """One tenant: its switches, its rules, its documents."""

    def __init__(self, profile: str, switches: Switches) -> None:
        self.switches = switches
        self.rules = Rules(profile, switches)
        self.store = TenantStore(switches)

    def configure(self, profile: str, switches: Switches) -> None:
        """Go on under another profile or other switches; what is stored stays."""
        self.switches = switches
        self.rules = Rules(profile, switches)
        self.store.rekey(switches)

    def reset(self) -> None:
        """Forget every document."""
        self.store = TenantStore(self.switches)


class Tenants:
    """All tenants and the keys that open them: one key, one or several tenants (K27).

    Tenant ids are compared without regard to case, as GUIDs are.
    """

    def __init__(
        self,
        keys: Mapping[str, Iterable[str]],
        *,
        profile: str,
        switches: Switches,
        overrides: Mapping[str, Mapping[str, Any]],
        file: StateFile | None,
    ) -> None:
        self.keys = {key: tuple(map(str.lower, ids)) for key, ids in keys.items()}
        self.profile = profile
        self.switches = switches
        self._file = file
        self._overrides = {name.lower(): dict(values) for name, values in overrides.items()}
        names = dict.fromkeys(name for ids in self.keys.values() for name in ids)
        self._tenants = {name: Tenant(profile, self.switches_of(name)) for name in names}
        if file is not None:
            for name, tenant in self._tenants.items():
                file.load(name, tenant.store)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tenants)

    def find(self, tenant_id: str) -> Tenant | None:
        """Return a tenant, or nothing when there is none of this id."""
        return self._tenants.get(tenant_id.lower())

    def get(self, tenant_id: str | None) -> Tenant:
        """Return a tenant, by default the first; an unknown id is a `KeyError`."""
        return self._tenants[(tenant_id or next(iter(self))).lower()]

    def switches_of(self, tenant_id: str) -> Switches:
        """Return the switches as they hold for one tenant."""
        return self.switches.but(self._overrides.get(tenant_id.lower(), {}))

    def configure(
        self, profile: str | None, switches: Mapping[str, Any], tenant_id: str | None
    ) -> None:
        """Change the profile, and switches of all tenants or of one."""
        changed = self.switches.but(switches)
        if profile is not None:
            Rules(profile, changed)  # refuses an unknown name before anything is set
            self.profile = profile
        if tenant_id is None:
            self.switches = changed
        else:
            self._overrides.setdefault(tenant_id.lower(), {}).update(switches)
        for name, tenant in self._tenants.items():
            tenant.configure(self.profile, self.switches_of(name))
        self.save()

    def settle(self, now: float) -> None:
        """Carry out the queued deletes that are due."""
        for tenant in self._tenants.values():
            if tenant.store.queue:
                tenant.store.settle(now)

    def save(self) -> None:
        """Write what changed to the state file, if there is one."""
        for name, tenant in self._tenants.items():
            if self._file is not None:
                self._file.save(name, tenant.store)
            else:
                tenant.store.changes.clear()

    def reset(self) -> None:
        """Forget every document, on disk too."""
        for tenant in self._tenants.values():
            tenant.reset()
        if self._file is not None:
            self._file.clear()

    def close(self) -> None:
        """Let go of the state file."""
        if self._file is not None:
            self._file.close()
