"""A shop, its staging database, a ledger on disk and a vendor in memory, around whole pushes.

    edit the shop ── load ──► staged tables ── push ──► sandbox's state == the oracle's

A push can be killed: then the ledger goes on from the bytes that were on disk at that moment, as
after `kill -9`, and whatever the dying run wrote while it unwound is lost.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from replenit_destination.engine.mapping import Mapping
from replenit_destination.engine.quota import UnlimitedQuota
from replenit_destination.engine.run import PushOptions, push
from replenit_destination.sandbox.replenit.service import API_KEY, TENANT_ID, ReplenitService
from replenit_destination.targets.replenit.configuration import ReplenitSettings
from replenit_destination.targets.replenit.target import ReplenitTarget
from tests.acceptance.harness.oracle import CHILDREN, Documents, Oracle, Rules, plain
from tests.doubles.clock import FakeClock
from tests.doubles.sandboxed import ServiceTransport
from tests.doubles.shop import Shop
from tests.doubles.staged_shop import Form, StagedShop, mapping_for

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf
    from pathlib import Path

    from replenit_destination.engine.report import Report
    from replenit_destination.engine.target import Answer, Request

__all__ = ["Call", "Kill", "Killed", "World", "delivered"]

HOST = "http://127.0.0.1:1"


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program catches it."""


@dataclass(frozen=True, slots=True)
class Kill:
    """When a push dies: at its nth request, before or after the vendor's work, or its nth look at
    the clock.
    """

    at: int
    where: str = "after"  # before, after, clock


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
            limits=None,
            clock=self.clock.now,
            keep_bodies=True,
        )
        self.settings: dict[str, Any] = {
            "api_key": API_KEY,
            "tenant_id": TENANT_ID,
            "base_url": HOST,
            "customer_identifier_priority": self.rules.priority,
            "customer_delete_style": self.rules.delete_style,
            "product_removal": self.rules.product_removal,
            "gdpr_policy": self.rules.gdpr_policy,
            "guests": "drop" if self.rules.priority == "customerid" else None,
            **settings,
        }
        self.mapping = Mapping.load({**mapping_for(form), **(mapping or {})})
        self.ledger = folder / "shop.ledger-0.duckdb"
        self.pushes = 0
        self.calls: list[Call] = []

    # -- steps

    def load(self, *, replace: bool = False) -> None:
        """Stage what changed, or everything anew."""
        self.oracle.loaded(self.shop)
        self.staged.load(replace=replace)

    def push(self, *, kill: Kill | None = None, **options: Any) -> Report | None:
        """Deliver; None when the push was killed. `calls` holds what the vendor was asked."""
        self.pushes += 1
        seen = self.service.journal.total
        transport = ServiceTransport(self.service, self.settings["api_key"])
        deadly = _Deadly(self, transport, kill)
        target = ReplenitTarget(ReplenitSettings(**self.settings), clock=self.clock.now)
        try:
            return push(
                self.staged.staged,
                target,
                self.mapping.entities(target.entities),
                transport=deadly,
                ledger=self.ledger,
                clock=deadly,
                random=random.Random(self.pushes),
                options=PushOptions(**{"workers": 0, **options}),
                quota=UnlimitedQuota(),
            )
        except Killed:
            self.ledger = deadly.survivor
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

    def entries(self, columns: str = "*") -> list[dict[str, Any]]:
        """Return the ledger's entries."""
        with duckdb.connect(str(self.ledger)) as connection:
            rows = connection.execute(f"SELECT {columns} FROM entry ORDER BY ALL")
            names = [column[0] for column in rows.description or ()]
            return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def assert_ledger_agrees(self) -> None:
        """Check that the ledger holds exactly the vendor's keys and children, nothing in doubt."""
        state = self.state()
        believed = {name: {} for name in state}
        for entry in self.entries():
            if entry["sent"]:
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


class _Deadly:
    """The transport and the clock of one push; one of them may be the last thing it uses."""

    def __init__(self, world: World, transport: ServiceTransport, kill: Kill | None) -> None:
        self._world = world
        self._transport = transport
        self._kill = kill
        self._requests = 0
        self._looks = 0
        self._dead = False
        self.survivor = world.ledger

    def __call__(self, request: Request) -> Answer:
        self._requests += 1
        mine = self._kill and self._requests == self._kill.at
        if self._dead or (mine and self._kill.where == "before"):
            self._die()
        answer = self._transport(request)
        if mine and self._kill.where == "after":
            self._die()
        return answer

    def now(self) -> float:
        self._look()
        return self._world.clock.now()

    def monotonic(self) -> float:
        self._look()
        return self._world.clock.monotonic()

    def wait(self, seconds: float, wake: Any = None) -> None:
        self._look()
        self._world.clock.wait(seconds, wake)

    def _look(self) -> None:
        self._looks += 1
        if self._dead or (
            self._kill and self._kill.where == "clock" and self._looks == self._kill.at
        ):
            self._die()

    def _die(self) -> None:
        if not self._dead:
            self._dead = True
            self.survivor = self._world.folder / f"shop.ledger-{self._world.pushes}.duckdb"
            for ending in ("", ".wal"):
                source = self._world.ledger.with_name(self._world.ledger.name + ending)
                if source.exists():
                    shutil.copyfile(source, self.survivor.with_name(self.survivor.name + ending))
        raise Killed


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
