"""Any sequence of edits, loads, pushes, kills and faults, as a state machine.

Every step is drawn by Hypothesis. Whatever happened on the way, the last pushes, with nothing in
their way, must bring the vendor to what the oracle says. In between, a push that nothing disturbs
may send only what differs from what the vendor last acknowledged.

Every push is a restart: it opens the ledger's file anew and knows nothing else of the one before.
"""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from replenit_destination.exceptions import ActivationError, MappingError
from replenit_destination.sandbox.faults import Fault, FaultKind, Poison
from tests.acceptance.harness.deaths import Kill
from tests.acceptance.harness.edits import EDITS, apply
from tests.acceptance.harness.followed import Followed
from tests.acceptance.harness.oracle import ENTITIES, keys
from tests.acceptance.harness.pace import new_folder, quicken
from tests.acceptance.harness.world import ELSEWHERE, HERE, World
from tests.doubles.shop import Shop

if TYPE_CHECKING:
    from replenit_destination.engine.report import Report
    from tests.acceptance.harness.oracle import Rules
    from tests.doubles.staged_shop import Form

__all__ = ["Sequences"]

FAULTS = (
    Fault("status", status=500, times=1),
    Fault("status", status=503, times=4),
    Fault("status", status=502, times=200),
    Fault("status", status=504, times=1, commit=True),
    Fault("status", status=429, times=2, retry_after=3),
    Fault("status", status=401, times=1),
    Fault("status", status=403, times=1),
    Fault("close", times=1),
    Fault("close", times=3),
    Fault("reset", times=2, commit=True),
    Fault("timeout", times=1),
    Fault("truncate", times=1),
    Fault("not_json", times=1),
    Fault("success_false", times=1),
    Fault("short_count", times=1),
)
DRIFTS = (
    ("customers", "phone"),
    ("customers", "email"),
    ("customers", "gdpr"),
    ("orders", "total"),
    ("orders", "customer_id"),
    ("products", "name"),
)
"""Columns that the source may lose for a while, and with them their values."""

MAPPINGS: tuple[tuple[str, str, str], ...] = (
    ("customers", "Name", "coalesce(name, NULL)"),  # says the same
    ("customers", "Phone", ""),
    ("orders", "IsOrderCancelled", ""),
    ("products", "ProductName", "concat(name)"),  # says the same
)
"""(entity, field, expression) of another mapping; without an expression the field is not mapped."""

PUSHES: tuple[dict[str, Any], ...] = (
    {},
    {"max_requests": 1},
    {"max_requests": 2},
    {"retry": True},
    {"full": True},
    {"diagnosis_share": 0.0},
    {"diagnosis_share": 1.0},
    {"accept_schema": True},
    {"entities": ["orders"]},
    {"entities": ["customers", "products"]},
    {"tenant": ELSEWHERE},
    *({"stop_after": requests} for requests in range(4)),
)
AGAIN: tuple[dict[str, Any], ...] = ({"force": True}, {"confirm": True})
"""Pushes of what the vendor has already, or may have."""

_PICK = st.integers(0, 11)
_EDITS = st.lists(st.tuples(st.sampled_from(EDITS), _PICK, _PICK), max_size=4)


class Sequences(RuleBasedStateMachine):
    """One world, one life. Subclasses say under which rules."""

    choices: Rules
    form: Form = "nested"
    style = "problem"
    told: ClassVar[Counter[str]] = Counter()
    """How often each thing happened, over all histories of this process."""

    @initialize(customers=st.integers(1, 3), orders=st.integers(0, 4))
    def open(self, customers: int, orders: int) -> None:
        self.folder = new_folder()
        self.world = World(
            self.folder,
            self.choices,
            form=self.form,
            switches={"error_style": self.style},
            shop=Shop.sample(customers=customers, products=2, orders=orders),
        )
        quicken(self.world.staged.connection)
        self.shelf: list[Any] = []  # products and variants that may return
        self.poisoned = self.ignored = self.uncounted = self.loaded = False
        self.drifted: tuple[str, str] | None = None
        self.sides = {HERE: Followed(self.choices, self.form)}
        self.fitted: set[str] = set()  # tenants whose mapping fitted the tables once

    # -- the shop

    @rule(edits=_EDITS)
    def edit(self, edits: list[tuple[str, int, int]]) -> None:
        for name, pick, value in edits:
            self.told[f"edit: {name}"] += 1
            apply(self.world.shop, name, pick, value, self.shelf)
        self.loaded &= not edits

    @rule(replace=st.booleans())
    def load(self, *, replace: bool) -> None:
        self.told["load: replace" if replace else "load: merge"] += 1
        self.world.load(replace=replace)
        self.loaded = True

    @precondition(lambda self: not self.drifted)
    @rule(column=st.sampled_from(DRIFTS))
    def drift(self, column: tuple[str, str]) -> None:
        """The source loses a column."""
        self.told[f"lost: {'.'.join(column)}"] += 1
        self.drifted = column
        self.world.staged.rename(*column, f"{column[1]}_lost")

    @precondition(lambda self: self.drifted)
    @rule()
    def mend(self) -> None:
        """The column is back."""
        if self.drifted:
            table, column = self.drifted
            self.world.staged.rename(table, f"{column}_lost", column)
        self.drifted = None

    @rule(change=st.sampled_from([None, *MAPPINGS]))
    def remap(self, change: tuple[str, str, str] | None) -> None:
        """Somebody edits the mapping, or takes the edit back."""
        self.told[f"remap: {change[1] if change else 'as before'}"] += 1
        self.world.remap(change)

    # -- the vendor

    @rule(
        pick=_PICK, entity=st.sampled_from(ENTITIES), outcome=st.sampled_from(["refuse", "ignore"])
    )
    def poison(self, pick: int, entity: str, outcome: str) -> None:
        found = sorted(keys(self.world.shop, self.choices)[entity])
        if found:
            self.told[f"poison: {outcome}"] += 1
            self.poisoned = True
            self.ignored |= outcome == "ignore"
            poison = Poison(entity, keys=[found[pick % len(found)]], outcome=outcome)
            self.world.service.faults.add(poison)

    @precondition(lambda self: self.poisoned)
    @rule()
    def antidote(self) -> None:
        self.told["antidote"] += 1
        self.world.service.faults.clear()

    @rule(hours=st.sampled_from([1, 25, 200]))
    def pass_time(self, hours: int) -> None:
        self.told[f"{hours} hours pass"] += 1
        self.world.clock.advance(hours * 3600)

    # -- pushes

    # Every push has edits of its own: a history of few steps would hardly have any otherwise.

    @rule(edits=_EDITS, allow=st.booleans(), options=st.sampled_from(PUSHES))
    def push(
        self, *, edits: list[tuple[str, int, int]], allow: bool, options: dict[str, Any]
    ) -> None:
        """Push without disturbance, perhaps with a budget: only changes travel."""
        self.edit(edits)
        self._push(_name(options), allow_removals=ENTITIES if allow else (), **options)

    @rule(edits=_EDITS, options=st.sampled_from(AGAIN))
    def push_again(self, *, edits: list[tuple[str, int, int]], options: dict[str, Any]) -> None:
        self.edit(edits)
        self._push(_name(options), disturbed=True, allow_removals=ENTITIES, **options)

    @rule(
        edits=_EDITS,
        kill=st.one_of(
            st.builds(Kill, st.integers(1, 4), st.sampled_from(["before", "after"])),
            st.builds(Kill, st.integers(1, 40), st.just("clock")),
            st.builds(Kill, st.integers(1, 200), st.just("statement")),
        ),
        tenant=st.sampled_from([HERE, HERE, ELSEWHERE]),
    )
    def kill(self, *, edits: list[tuple[str, int, int]], kill: Kill, tenant: str) -> None:
        """Die while comparing, sending, recording, folding, or writing the report."""
        self.edit(edits)
        options = {"disturbed": True, "allow_removals": ENTITIES, "tenant": tenant}
        self._push(f"kill {kill.where}", kill=kill, **options)

    @rule(
        edits=_EDITS,
        fault=st.sampled_from(FAULTS),
        well=st.integers(0, 2),
        seconds=st.sampled_from([None, None, 2.0]),
    )
    def fault(
        self, *, edits: list[tuple[str, int, int]], fault: Fault, well: int, seconds: float | None
    ) -> None:
        """Push while something is wrong, after so many requests that go well."""
        self.edit(edits)
        faults = self.world.service.faults
        poisons = list(faults.poisons)
        if well:
            faults.add(Fault("delay", seconds=0.0, times=well))
        faults.add(fault)
        self.uncounted |= fault.kind is FaultKind.SHORT_COUNT
        what = f"fault {fault.kind} {fault.status if fault.kind == 'status' else ''}".rstrip()
        self._push(what, disturbed=True, allow_removals=ENTITIES, max_seconds=seconds)
        faults.clear()
        faults.add(*poisons)

    @rule(edits=_EDITS)
    def small_bodies(self, edits: list[tuple[str, int, int]]) -> None:
        self.edit(edits)
        self.world.service.configure(switches={"max_body_bytes": 2000})
        self._push("small bodies", disturbed=True)
        self.world.service.configure(switches={"max_body_bytes": 0})

    def _push(
        self, what: str, *, disturbed: bool = False, tenant: str = HERE, **options: Any
    ) -> Report | None:
        if not self.loaded:
            self.load(replace=False)
        side = self.sides.setdefault(tenant, Followed(self.choices, self.form))
        side.remember(self.world.shop)
        seen = self.world.service.journal.total
        try:
            report = self.world.push(tenant=tenant, **options)
        except ActivationError as error:
            # A mapping that never fitted is a fault; one that did has its entity held instead.
            unfit = isinstance(error, MappingError) and tenant not in self.fitted
            assert disturbed or (self.drifted and unfit), "a push that nothing disturbs succeeds"
            self.told[f"raised {type(error).__name__}"] += 1
            report = None
        else:
            self.told["killed" if report is None else "reported"] += 1
            if report and not self.drifted and "entities" not in options:
                self.fitted.add(tenant)
        side.follow(self.world.service.journal.requests(since=seen), disturbed=disturbed)
        self.told[what] += 1
        if report:
            self._tell(report, tenant)
        return report

    def _tell(self, report: Report, tenant: str) -> None:
        self.told[f"exit code {report.exit_code}"] += 1
        self.told.update(f"halted: {report.halted}" for _ in [1] if report.halted)
        self.told.update(f"held: {one.kind} {one.entity}" for one in report.held)
        self.told.update(f"withheld: {one.entity}" for one in report.withheld)
        if report.refusals:
            refused = self.world.entries("entity, refusal", tenant)
            self.told.update(f"{one['refusal']}: {one['entity']}" for one in refused)
        for one in report.entities.values():
            for name in ("unconfirmed", "backlog"):
                self.told[name] += bool(getattr(one, name))

    # -- the end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self._settle()
        finally:
            self.world.staged.connection.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _settle(self) -> None:
        self.world.service.faults.clear()
        self.mend()
        self.world.remap(None)
        self.load(replace=False)
        for tenant, side in self.sides.items():
            report = self._push(
                "settle",
                tenant=tenant,
                disturbed=self.ignored or self.uncounted,
                allow_removals=ENTITIES,
                retry=self.poisoned,
                confirm=self.ignored or self.uncounted,
            )
            assert report is not None
            assert report.exit_code == 0, report.summary
            again = self._push("nothing to do", tenant=tenant, allow_removals=ENTITIES)
            assert again is not None
            assert again.requests == 0, self.world.said()
            for name, one in again.entities.items():
                assert (one.backlog, one.rejected, one.quarantined) == (0, 0, 0), (name, one)
            side.assert_converged(self.world.shop, self.world.state(tenant))
            self.world.assert_ledger_agrees(tenant)


def _name(options: dict[str, Any]) -> str:
    return "push" + "".join(f" {name}={value}" for name, value in options.items())
