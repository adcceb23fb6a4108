"""What one tenant was sent and what it holds, against what the shop says.

push ──> journal ──> was every document new?     in the end: held == wanted
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.acceptance.harness.oracle import CHILDREN, ENTITIES, documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.acceptance.harness.oracle import Document, Documents, Rules
    from tests.doubles.shop import Shop

__all__ = ["Followed"]


class Followed:
    """Follows one tenant.

    Args:
        rules: Of the world.
        form: How children are staged.
    """

    def __init__(self, rules: Rules, form: str) -> None:
        self._rules = rules
        self._form = form
        self._acknowledged: dict[tuple[str, str], Any] = {}
        self._reached: dict[tuple[str, str], list[Any]] = {}

    def remember(self, shop: Shop) -> None:
        """Take note of what a push may bring."""
        for entity, made in documents(shop, self._rules, self._form).items():
            for key, document in made.items():
                self._reached.setdefault((entity, key), []).append(document)

    def follow(self, requests: Iterable[Any], *, disturbed: bool) -> None:
        """Check that nothing was sent that the vendor had acknowledged just so.

        Args:
            requests: Of one push, from the sandbox's journal.
            disturbed: Whether something went wrong, so that documents may have travelled twice.
        """
        for entry in requests:
            if entry.method == "DELETE":
                self._forget(entry.path, entry.entity)
                continue
            for document in json.loads(entry.body or b"[]"):
                key = self._key(entry.entity, document)
                if disturbed or entry.status != 200:
                    self._acknowledged.pop(key, None)
                    continue
                assert self._acknowledged.get(key) != document, (key, "was sent without a change")
                self._acknowledged[key] = document

    def _forget(self, path: str, entity: str) -> None:
        """After a delete everything about the document may have to travel again."""
        for key in [key for key in self._acknowledged if key[0] == entity]:
            if entity == "customers" or key[1] in path.split("/"):
                del self._acknowledged[key]

    def _key(self, entity: str, document: Document) -> tuple[str, str]:
        by_email = entity == "customers" and self._rules.priority == "email"
        name = {"orders": "OrderId", "products": "ProductId", "customers": "CustomerId"}[entity]
        return entity, document["Email" if by_email else name]

    # -- the end

    def assert_converged(self, shop: Shop, held: Documents) -> None:
        """Check that the vendor holds what the shop has."""
        wanted = documents(shop, self._rules, self._form)
        for entity in ENTITIES:
            for key, document in wanted[entity].items():
                if not self._travels(entity, key, document, held):
                    continue
                assert key in held[entity], (entity, key, "is missing")
                before = self._reached.get((entity, key), [])
                self._assert_equal(entity, held[entity][key], document, before)
            for key in held[entity].keys() - wanted[entity].keys():
                assert entity == "products", (entity, key, "is left over")
                assert self._rules.product_removal == "unavailable", (key, "is left over")
                variants = held[entity][key]["ProductVariants"].values()
                assert not any(one["IsAvailable"] for one in variants), (key, "is available")

    def _travels(self, entity: str, key: str, document: Document, held: Documents) -> bool:
        """Whether a document has to be at the vendor as it is (real-shops.md rule 4)."""
        if self._rules.gdpr_policy != "consented_only" or entity == "products":
            return True
        customers = held["customers"]
        if entity == "customers":
            if document["GdprOptin"] is not True:
                return key in customers
            return True
        customer = document["Email" if self._rules.priority == "email" else "CustomerId"]
        return customers.get(customer, {}).get("GdprOptin") is True

    def _assert_equal(
        self, entity: str, held: Document, wanted: Document, before: list[Document]
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
            retired = entity == "products" and self._rules.product_removal == "unavailable"
            assert retired, (entity, key, "is left over")
            assert held[name][key]["IsAvailable"] is False, (entity, key, "is available")

    def _assert_fields(self, held: Document, wanted: Document, before: list[Document]) -> None:
        """A vendor that keeps what an update omits may show an old value there, and only there."""
        kept = {n: v for n, v in held.items() if n not in wanted}
        assert {n: v for n, v in held.items() if n in wanted} == wanted
        if self._rules.omitted == "reset":
            assert kept == {}
        for name, value in kept.items():
            assert any(each.get(name) == value for each in before), (name, "came from nowhere")
