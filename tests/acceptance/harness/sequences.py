"""Any sequence of edits, loads, pushes, kills and faults, as a state machine.

Every step is drawn by Hypothesis. Whatever happened on the way, the last pushes, with nothing in
their way, must bring the vendor to what the oracle says. In between, a push that nothing disturbs
may send only what differs from what the vendor last acknowledged.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from replenit_destination.exceptions import ActivationError
from replenit_destination.sandbox.faults import Fault, Poison
from tests.acceptance.harness.deaths import Kill
from tests.acceptance.harness.edits import EDITS, apply
from tests.acceptance.harness.oracle import CHILDREN, ENTITIES, documents, keys
from tests.acceptance.harness.pace import new_folder, quicken
from tests.acceptance.harness.world import World
from tests.doubles.shop import Shop

if TYPE_CHECKING:
    from replenit_destination.engine.report import Report
    from tests.acceptance.harness.oracle import Rules
    from tests.doubles.staged_shop import Form

__all__ = ["Sequences"]

FAULTS = (
    Fault("status", status=500, times=1),
    Fault("status", status=503, times=4),
    Fault("status", status=504, times=1, commit=True),
    Fault("status", status=429, times=2, retry_after=3),
    Fault("close", times=1),
    Fault("close", times=3),
    Fault("reset", times=2, commit=True),
    Fault("timeout", times=1),
    Fault("truncate", times=1),
    Fault("not_json", times=1),
    Fault("success_false", times=1),
    Fault("short_count", times=1),
)
_PICK = st.integers(0, 11)


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
        self.poisoned = False
        self.loaded = False
        self.acknowledged: dict[tuple[str, str], Any] = {}
        self.reached: dict[tuple[str, str], list[Any]] = {}

    @rule(edits=st.lists(st.tuples(st.sampled_from(EDITS), _PICK, _PICK), min_size=1, max_size=4))
    def edit(self, edits: list[tuple[str, int, int]]) -> None:
        for name, pick, value in edits:
            apply(self.world.shop, name, pick, value, self.shelf)
        self.loaded = False

    @rule(replace=st.booleans())
    def load(self, *, replace: bool) -> None:
        self.world.load(replace=replace)
        self.loaded = True

    @rule(pick=_PICK, entity=st.sampled_from(ENTITIES))
    def poison(self, pick: int, entity: str) -> None:
        found = sorted(keys(self.world.shop, self.choices)[entity])
        if found:
            self.poisoned = True
            self.world.service.faults.add(Poison(entity, keys=[found[pick % len(found)]]))

    @precondition(lambda self: self.poisoned)
    @rule()
    def antidote(self) -> None:
        self.world.service.faults.clear()

    @rule(hours=st.sampled_from([1, 25, 200]))
    def pass_time(self, hours: int) -> None:
        self.world.clock.advance(hours * 3600)

    @rule(allow=st.booleans(), most=st.sampled_from([None, None, 1, 2]))
    def push(self, *, allow: bool, most: int | None) -> None:
        """Push without disturbance, perhaps with a budget: only changes travel."""
        self._push(allow_removals=ENTITIES if allow else (), max_requests=most)

    @rule(where=st.sampled_from(["before", "after", "clock"]), at=st.integers(1, 40))
    def kill(self, where: str, at: int) -> None:
        at = at if where == "clock" else 1 + at % 4
        self._push(kill=Kill(at, where), disturbed=True, allow_removals=ENTITIES)

    @rule(fault=st.sampled_from(FAULTS), well=st.integers(0, 2))
    def fault(self, fault: Fault, well: int) -> None:
        """Push while something is wrong, after so many requests that go well."""
        faults = self.world.service.faults
        poisons = list(faults.poisons)
        if well:
            faults.add(Fault("delay", seconds=0.0, times=well))
        faults.add(fault)
        self._push(disturbed=True, allow_removals=ENTITIES)
        faults.clear()
        faults.add(*poisons)

    @rule()
    def small_bodies(self) -> None:
        self.world.service.configure(switches={"max_body_bytes": 2000})
        self._push(disturbed=True)
        self.world.service.configure(switches={"max_body_bytes": 0})

    # -- pushes

    def _push(self, *, disturbed: bool = False, **options: Any) -> Report | None:
        if not self.loaded:
            self.load(replace=False)
        self._remember()
        seen = self.world.service.journal.total
        try:
            report = self.world.push(**options)
        except ActivationError:
            assert disturbed, "a push that nothing disturbs succeeds"
            report = None
        self._follow(seen, disturbed=disturbed)
        return report

    def _remember(self) -> None:
        truth = documents(self.world.shop, self.choices, self.form)
        for entity, made in truth.items():
            for key, document in made.items():
                self.reached.setdefault((entity, key), []).append(document)

    def _follow(self, seen: int, *, disturbed: bool) -> None:
        """Compare what was sent with what the vendor had acknowledged."""
        for entry in self.world.service.journal.requests(since=seen):
            if entry.method == "DELETE":
                self._forget(entry.path, entry.entity)
                continue
            for document in json.loads(entry.body or b"[]"):
                key = self._key(entry.entity, document)
                if disturbed or entry.status != 200:
                    self.acknowledged.pop(key, None)
                    continue
                assert self.acknowledged.get(key) != document, (key, "was sent without a change")
                self.acknowledged[key] = document

    def _forget(self, path: str, entity: str) -> None:
        """After a delete everything about the document may have to travel again."""
        for key in [key for key in self.acknowledged if key[0] == entity]:
            if entity == "customers" or key[1] in path.split("/"):
                del self.acknowledged[key]

    def _key(self, entity: str, document: dict[str, Any]) -> tuple[str, str]:
        by_email = entity == "customers" and self.choices.priority == "email"
        name = {"orders": "OrderId", "products": "ProductId", "customers": "CustomerId"}[entity]
        return entity, document["Email" if by_email else name]

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
        self.load(replace=False)
        report = self._push(allow_removals=ENTITIES, retry=self.poisoned)
        assert report is not None
        assert report.exit_code == 0, report.summary
        again = self._push(allow_removals=ENTITIES)
        assert again is not None
        assert again.requests == 0, self.world.said()
        for name, one in again.entities.items():
            assert (one.backlog, one.rejected, one.quarantined) == (0, 0, 0), (name, one)
        self._assert_converged()
        self.world.assert_ledger_agrees()

    def _assert_converged(self) -> None:
        wanted = documents(self.world.shop, self.choices, self.form)
        held = self.world.state()
        for entity in ENTITIES:
            for key, document in wanted[entity].items():
                assert key in held[entity], (entity, key, "is missing")
                before = self.reached.get((entity, key), [])
                self._assert_equal(entity, held[entity][key], document, before)
            for key in held[entity].keys() - wanted[entity].keys():
                assert entity == "products", (entity, key, "is left over")
                assert self.choices.product_removal == "unavailable", (key, "is left over")
                variants = held[entity][key]["ProductVariants"].values()
                assert not any(one["IsAvailable"] for one in variants), (key, "is available")

    def _assert_equal(
        self, entity: str, held: dict[str, Any], wanted: dict[str, Any], before: list[Any]
    ) -> None:
        name = CHILDREN.get(entity, "")
        roots = [{n: v for n, v in each.items() if n != name} for each in before]
        own = {n: v for n, v in held.items() if n != name}
        self._assert_fields(own, {n: v for n, v in wanted.items() if n != name}, roots)
        if not name:
            return
        for key, child in wanted[name].items():
            known = [each[name][key] for each in before if key in each[name]]
            assert key in held[name], (entity, key, "is missing")
            self._assert_fields(held[name][key], child, known)
        for key in held[name].keys() - wanted[name].keys():
            retired = entity == "products" and self.choices.product_removal == "unavailable"
            assert retired, (entity, key, "is left over")
            assert held[name][key]["IsAvailable"] is False, (entity, key, "is available")

    def _assert_fields(
        self, held: dict[str, Any], wanted: dict[str, Any], before: list[dict[str, Any]]
    ) -> None:
        """A vendor that keeps what an update omits may show an old value there, and only there."""
        kept = {n: v for n, v in held.items() if n not in wanted}
        assert {n: v for n, v in held.items() if n in wanted} == wanted
        if self.choices.omitted == "reset":
            assert kept == {}
        for name, value in kept.items():
            assert any(each.get(name) == value for each in before), (name, "came from nowhere")
