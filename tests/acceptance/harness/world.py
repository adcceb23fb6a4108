"""A shop, its staging database, a ledger on disk and a vendor in memory, around whole pushes.

    edit the shop ── load ──► staged tables ── push ──► sandbox's state == the oracle's

A push can be killed (`deaths`): then the ledger goes on from the bytes that were on disk.
"""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import PushOptions, push
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.deaths import Killed, Mortal
from tests.acceptance.harness.oracle import CHILDREN, Documents, Oracle, Rules, plain
from tests.acceptance.harness.pace import quicken
from tests.doubles.clock import FakeClock
from tests.doubles.sandboxed import ServiceTransport
from tests.doubles.shop import Shop
from tests.doubles.staged_shop import Form, StagedShop, mapping_for

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf
    from pathlib import Path

    from replenit_destination.engine.report import Report
    from tests.acceptance.harness.deaths import Kill

__all__ = ["ELSEWHERE", "HERE", "Call", "World", "delivered"]

HOST = "http://127.0.0.1:1"

HERE = TENANT_ID
ELSEWHERE = "5a11d0b0-0000-4000-8000-000000000002"
"""Two tenants that one key may write to."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the vendor got it: path without the tenant, the documents by key."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query)
        where = f"{self.method} {self.path}" + (f"?{query}" if query else "")
        return f"{where} {' '.join(self.keys)}".rstrip()


class World:
    """Everything one test needs.

    Args:
        folder: Where the ledger lives.
        rules: The switches, for the vendor's side, the settings and the oracle alike.
        form: How children arrive in the staging database.
        switches: More of the sandbox's switches.
        shop: The truth to begin with.
        mapping: Changes to the shop's mapping, entity by entity.
        settings: More of the target's settings.
    """

    def __init__(
        self,
        folder: Path,
        rules: Rules | None = None,
        *,
        form: Form = "nested",
        switches: MappingOf[str, Any] | None = None,
        shop: Shop | None = None,
        mapping: MappingOf[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.rules = rules or Rules()
        self.shop = shop or Shop.sample()
        self.staged = StagedShop(self.shop, form)
        quicken(self.staged.connection)
        self.oracle = Oracle(self.rules, form)
        self.clock = FakeClock()
        self.service = ReplenitService(
            switches={
                "customer_priority": self.rules.priority,
                "customer_delete_style": self.rules.delete_style,
                "children": self.rules.children,
                "omitted": self.rules.omitted,
                **(switches or {}),
            },
            tenants={API_KEY: [HERE, ELSEWHERE]},
            limits=None,
            clock=self.clock.now,
            keep_bodies=True,
        )
        self.settings: dict[str, Any] = {
            "api_key": API_KEY,
            "tenant_id": HERE,
            "base_url": HOST,
            "customer_identifier_priority": self.rules.priority,
            "customer_delete_style": self.rules.delete_style,
            "product_removal": self.rules.product_removal,
            "gdpr_policy": self.rules.gdpr_policy,
            "guests": "drop" if self.rules.priority == "customerid" else None,
            **settings,
        }
        self._mapping: dict[str, Any] = {**mapping_for(form), **(mapping or {})}
        self.mapping = Mapping.load(self._mapping)
        self.ledger = folder / "shop.ledger-0.duckdb"
        self.pushes = 0
        self.calls: list[Call] = []

    # -- steps

    def load(self, *, replace: bool = False) -> None:
        """Stage what changed, or everything anew."""
        self.oracle.loaded(self.shop)
        self.staged.load(replace=replace)

    def remap(self, change: tuple[str, str, str] | None) -> None:
        """Map one field, (entity, field, expression), in another way, and all others as before.

        Without an expression it is not mapped at all.
        """
        made = copy.deepcopy(self._mapping)
        if change:
            entity, field, expression = change
            made[entity]["fields"].pop(field, None)
            if expression:
                made[entity]["fields"][field] = expression
        self.mapping = Mapping.load(made)

    def push(
        self,
        *,
        kill: Kill | None = None,
        tenant: str = HERE,
        stop_after: int | None = None,
        **options: Any,
    ) -> Report | None:
        """Deliver; None when the push was killed. `calls` holds what the vendor was asked.

        Args:
            kill: When it dies.
            tenant: To whom.
            stop_after: It is asked to stop after so many requests.
            options: Of the push.
        """
        self.pushes += 1
        seen = self.service.journal.total
        transport = ServiceTransport(self.service, self.settings["api_key"])
        heir = self.folder / f"shop.ledger-{self.pushes}.duckdb"
        mortal = Mortal(transport, self.clock, self.ledger, heir, kill)
        staged = self.staged.staged
        if kill and kill.where == "statement":
            staged = replace(staged, connection=mortal.connection(self.staged.connection))
        settings = ReplenitSettings(**{**self.settings, "tenant_id": tenant})
        target = ReplenitTarget(settings, clock=self.clock.now)
        try:
            return push(
                staged,
                target,
                self.mapping.entities(target.entities),
                transport=mortal,
                ledger=self.ledger,
                clock=mortal,
                random=random.Random(self.pushes),
                options=PushOptions(**{"workers": 0, **options}),
                stop=lambda: stop_after is not None and len(transport.requests) >= stop_after,
                quota=UnlimitedQuota(),
            )
        except Killed:
            self.ledger = heir
            return None
        finally:
            self.calls = [_call(entry) for entry in self.service.journal.requests(since=seen)]

    def deliver(self, **options: Any) -> Report:
        """Load, push, and let the oracle follow; the vendor must then hold what it says."""
        poisoned = options.pop("poisoned", ())
        self.load()
        report = self.push(**options)
        assert report is not None
        self.oracle.pushed(self.shop, poisoned=poisoned, allowed=options.get("allow_removals", ()))
        assert self.state() == self.oracle.held
        return report

    # -- what came of it

    def state(self, tenant: str | None = None) -> Documents:
        """Return what the vendor holds."""
        return plain(self.service.state(tenant))

    def said(self) -> list[str]:
        """Return the calls of the last push, one line each."""
        return [str(call) for call in self.calls]

    def entries(self, columns: str = "*", tenant: str = HERE) -> list[dict[str, Any]]:
        """Return the ledger's entries of a tenant."""
        with self.staged.connection.cursor() as cursor:
            cursor.execute(f"ATTACH '{self.ledger}' AS told (READ_ONLY)")
            try:
                rows = cursor.execute(
                    f"SELECT {columns} FROM told.entry WHERE account ="
                    f" (SELECT account FROM told.account WHERE tenant = '{tenant}') ORDER BY ALL"
                )
                names = [column[0] for column in rows.description or ()]
                return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
            finally:
                cursor.execute("DETACH told")

    def assert_ledger_agrees(self, tenant: str = HERE) -> None:
        """Check that the ledger holds exactly the vendor's keys and children, nothing in doubt.

        What was not counted and may no longer be sent stays in doubt: nobody can know.
        """
        state = self.state(tenant)
        believed = {name: {} for name in state}
        for entry in self.entries(tenant=tenant):
            if entry["sent"] and entry["refusal"] == "skipped" and not entry["confirmed"]:
                state[entry["entity"]].pop(entry["key"], None)
            elif entry["sent"]:
                believed[entry["entity"]][entry["key"]] = {
                    "/".join(json.loads(child)) for child in entry["children"] or ()
                }
                assert entry["content_hash"] is not None, (entry["entity"], entry["key"], "doubt")
        held = {
            entity: {
                key: set(document.get(CHILDREN.get(entity, ""), ()))
                for key, document in kept.items()
            }
            for entity, kept in state.items()
        }
        assert believed == held

    def emptied(self, report: Report) -> Counter[tuple[str, str]]:
        """Return the fields that a report lists as emptied, per (entity, field)."""
        return Counter(
            {
                (entity, name): count
                for (entity, what, name, _), count in report.left_out.items()
                if what == "emptied"
            }
        )


def _call(entry: Any) -> Call:
    path = entry.path.replace(f"/{entry.tenant}", "", 1) if entry.tenant else entry.path
    query = tuple(tuple(part.split("=", 1)) for part in entry.query.split("&") if part)
    keys: tuple[str, ...] = ()
    if entry.method == "POST" and entry.body:
        name = {"customers": None, "orders": "OrderId", "products": "ProductId"}[entry.entity]
        sent = json.loads(entry.body)
        keys = tuple(sorted(one[name] if name else one["CustomerId"] for one in sent))
    return Call(entry.method, path, query, keys)


def delivered(folder: Path, form: Form = "nested", **rules: str) -> World:
    """Return a world whose sample shop is delivered.

    Customers 1 to 3, products 4, 7 and 10 with two variants each, orders 13, 16 … 28 with two
    lines.
    """
    made = World(folder, Rules(**rules), form=form)
    made.deliver()
    return made
